package admin_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/admin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func live() projector.Status {
	return projector.Status{
		Name: "ponies", Source: "stream pony_stream", State: projector.StateLive, Since: time.Now(), Epoch: 3,
		Position: checkpoint.AtNumber(41), Head: checkpoint.AtNumber(42), LagEvents: 1, Lag: 1500 * time.Millisecond,
		Handled: 40, Ignored: 2, LastCommit: time.Now(),
	}
}

func get(t *testing.T, cfg admin.Config, path string) (code int, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	admin.Handler(cfg).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func config(projections ...projector.Status) admin.Config {
	return admin.Config{
		Status: func() []projector.Status { return projections },
		About:  [][2]string{{"event store", "127.0.0.1:1113"}},
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	broken := live()
	broken.Name, broken.State, broken.Reason = "<races>", projector.StateStopped, "log changed"
	broken.Parked, broken.ParkedKeys = 3, 2
	broken.LastError, broken.LagEvents, broken.Lag, broken.Epoch = errors.New("boom & bang"), -1, -1, 0
	code, body := get(t, config(live(), broken), "/")
	if code != http.StatusOK {
		t.Error("code", code)
	}
	for _, want := range []string{
		"<b>ponies</b>", "stream pony_stream", ">live<", "<code>41</code>", "of <code>42</code>", "1 event, 1.5s", "epoch 3",
		"<b>&lt;races&gt;</b>", ">stopped<", "log changed", "boom &amp; bang", "not known", "not the owner", "3 parked, of 2 keys",
		"event store <b>127.0.0.1:1113</b>",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(body)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	in := func(s projector.State, reason string) projector.Status {
		st := live()
		st.State, st.Reason = s, reason
		return st
	}
	for name, tt := range map[string]struct {
		cfg   admin.Config
		ready int
		says  string
	}{
		"live":        {config(live()), http.StatusOK, "ponies: live\n"},
		"standby":     {config(live(), in(projector.StateStandby, "host-1 owns it")), http.StatusOK, "ponies: standby: host-1 owns it\n"},
		"catching up": {config(live(), in(projector.StateCatchingUp, "")), http.StatusServiceUnavailable, "ponies: catching-up\n"},
		"stopped":     {config(in(projector.StateStopped, "why"), live()), http.StatusServiceUnavailable, "ponies: stopped: why\n"},
		"paused":      {config(in(projector.StatePaused, "no database")), http.StatusServiceUnavailable, "ponies: paused: no database\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, body := get(t, tt.cfg, "/readyz")
			if code != tt.ready || !strings.Contains(body, tt.says) {
				t.Errorf("/readyz: got %d %q, want %d and %q", code, body, tt.ready, tt.says)
			}
			if code, body := get(t, tt.cfg, "/livez"); code != http.StatusOK || body != "ok\n" {
				t.Errorf("/livez: got %d %q", code, body)
			}
		})
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	cfg := config()
	if code, _ := get(t, cfg, "/metrics"); code != http.StatusNotFound {
		t.Error("/metrics without a handler:", code)
	}
	cfg.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "m 1\n") })
	if code, body := get(t, cfg, "/metrics"); code != http.StatusOK || body != "m 1\n" {
		t.Error("/metrics:", code, body)
	}
	if code, _ := get(t, cfg, "/elsewhere"); code != http.StatusNotFound {
		t.Error("/elsewhere:", code)
	}
}

func TestServeEndsWithContext(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- admin.Serve(ctx, l, admin.Handler(config(live()))) }() // ends with ctx
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String()+"/livez", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		t.Error(resp.Status, err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error("Serve:", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error("the listener is still open:", err)
	}
}
