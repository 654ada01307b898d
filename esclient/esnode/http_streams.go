package esnode

import (
	"net/http"
	"strconv"
	"time"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
)

const (
	mimeJSON       = "application/json"
	mimeEvents     = "application/vnd.eventstore.events+json"
	mimeEvent      = "application/vnd.eventstore.event+json"
	mimeAtom       = "application/vnd.eventstore.atom+json"
	defaultPage    = 20
	waitForWrite   = 10 * time.Second
	headerType     = "ES-EventType"
	headerID       = "ES-EventId"
	headerExpected = "ES-ExpectedVersion"
	headerHard     = "ES-HardDelete"
	headerCurrent  = "ES-CurrentVersion"
	headerResolve  = "ES-ResolveLinkTos"
)

func (s *httpServer) streamRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /streams/{stream}", s.postEvents)
	mux.HandleFunc("POST /streams/{stream}/metadata", s.postMetadata)
	mux.HandleFunc("DELETE /streams/{stream}", s.deleteStream)
	mux.HandleFunc("GET /streams/{stream}", s.getHead)
	mux.HandleFunc("GET /streams/{stream}/metadata", s.getMetadata)
	mux.HandleFunc("GET /streams/{stream}/{number}", s.getEvent)
	mux.HandleFunc("GET /streams/{stream}/{number}/{direction}/{count}", s.getPage)
}

// may answers whether a user has a right, and refuses if not.
func (s *httpServer) may(w http.ResponseWriter, r *http.Request, allowed func(*user, string) bool) bool {
	u, _ := s.user(r)
	if !allowed(u, r.PathValue("stream")) {
		unauthorized(w)
		return false
	}
	return true
}

// resolves says whether links are followed, which they are unless the request forbids it.
func resolves(r *http.Request) bool {
	v, err := strconv.ParseBool(r.Header.Get(headerResolve))
	return err != nil || v
}

func (s *httpServer) getEvent(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
	if r.PathValue("number") == "head" {
		number, err = -1, nil
	}
	if err != nil || number < -1 {
		http.Error(w, "the event number must be a number or \"head\"", http.StatusBadRequest)
		return
	}
	if !s.may(w, r, s.node.mayRead) {
		return
	}
	s.writeEvent(w, r, r.PathValue("stream"), number)
}

// writeEvent answers with one event: wrapped if the client accepts that, else the body alone.
func (s *httpServer) writeEvent(w http.ResponseWriter, r *http.Request, stream string, number int64) {
	p := s.node.log.ReadEvent(stream, number, resolves(r))
	defer p.Release()
	if !readable(w, p) {
		return
	}
	u, _ := s.user(r)
	switch {
	case len(p.Events) == 0 || p.Events[0].Event == nil:
		w.WriteHeader(http.StatusNotFound)
		return
	case !s.node.mayReadTarget(u, p.Events[0]):
		unauthorized(w)
		return
	}
	e := s.atomEntry(p.Events[0], true)
	if accept := r.Header.Get("Accept"); accept == mimeEvent || accept == mimeAtom {
		writeJSONAs(w, http.StatusOK, mimeEvent+"; charset=utf-8", e.wrapped())
		return
	}
	event, _ := eventlog.ParseEvent(p.Events[0].Event)
	w.Header().Set("Content-Type", "application/octet-stream")
	if event.JSON {
		w.Header().Set("Content-Type", mimeJSON+"; charset=utf-8")
	}
	_, _ = w.Write(event.Data)
}

// readable answers a read that failed, and reports whether it did not.
func readable(w http.ResponseWriter, p *eventlog.Page) bool {
	switch p.Result {
	case eventlog.ReadNoStream, eventlog.ReadNotFound:
		w.WriteHeader(http.StatusNotFound)
	case eventlog.ReadStreamDeleted:
		w.WriteHeader(http.StatusGone)
	case eventlog.ReadError:
		http.Error(w, p.Err.Error(), http.StatusInternalServerError)
	default:
		return true
	}
	return false
}

func (s *httpServer) getMetadata(w http.ResponseWriter, r *http.Request) {
	stream := eventlog.MetadataOf(r.PathValue("stream"))
	u, _ := s.user(r)
	if !s.node.mayRead(u, stream) {
		unauthorized(w)
		return
	}
	s.writeEvent(w, r, stream, -1)
}
