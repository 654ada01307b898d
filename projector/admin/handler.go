package admin

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
)

//go:embed page.html
var pageSource string

// Config says what to serve.
type Config struct {
	// Status of the projections, such as [projector.Runner.Status].
	Status func() []projector.Status
	// Metrics serves /metrics. Defaults to none.
	Metrics http.Handler
	// WaitFor serves /wait, such as [projector.Runner.WaitFor]. Defaults to none.
	WaitFor func(ctx context.Context, projection string, at checkpoint.Position) error
	// About is shown on the page: names and values such as the addresses in use. It must hold no secrets.
	About [][2]string
}

type handler struct {
	Config
	page *template.Template
}

// Handler serves the pages.
func Handler(cfg Config) http.Handler {
	h := &handler{Config: cfg, page: template.Must(template.New("page").Parse(pageSource))}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", h.index)
	mux.HandleFunc("GET /livez", h.livez)
	mux.HandleFunc("GET /readyz", h.readyz)
	if cfg.Metrics != nil {
		mux.Handle("GET /metrics", cfg.Metrics)
	}
	if cfg.WaitFor != nil {
		mux.HandleFunc("GET /wait", h.wait)
	}
	return mux
}

func (h *handler) index(w http.ResponseWriter, _ *http.Request) {
	var b bytes.Buffer
	if err := h.page.Execute(&b, newPage(h.Status(), h.About)); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = b.WriteTo(w)
}

// livez fails when a restart of the process may help: replacing a subscription that has stalled did not.
func (h *handler) livez(w http.ResponseWriter, _ *http.Request) {
	for _, s := range h.Status() {
		if s.Stalled {
			plain(w, http.StatusServiceUnavailable, s.Name+": the event store delivers nothing although it has more\n")
			return
		}
	}
	plain(w, http.StatusOK, "ok\n")
}

func (h *handler) readyz(w http.ResponseWriter, _ *http.Request) {
	var b bytes.Buffer
	code := http.StatusOK
	for _, s := range h.Status() {
		if s.State != projector.StateLive && s.State != projector.StateStandby {
			code = http.StatusServiceUnavailable
		}
		fmt.Fprintf(&b, "%s: %s", s.Name, s.State)
		if s.Reason != "" {
			fmt.Fprintf(&b, ": %s", s.Reason)
		}
		b.WriteByte('\n')
	}
	plain(w, code, b.String())
}

func plain(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(body))
}
