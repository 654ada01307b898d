package esnode

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
	"github.com/photonpump/projector/esclient/internal/wire"
)

// httpEvent is an event in application/vnd.eventstore.events+json.
type httpEvent struct {
	EventID   string          `json:"eventId"`
	EventType string          `json:"eventType"`
	Data      json.RawMessage `json:"data"`
	Metadata  json.RawMessage `json:"metadata"`
}

func (s *httpServer) postEvents(w http.ResponseWriter, r *http.Request) {
	if len(r.PathValue("stream")) > maxStreamName {
		http.Error(w, "the name of the stream is too long", http.StatusBadRequest)
		return
	}
	if !s.may(w, r, s.node.mayWrite) {
		return
	}
	events, err := readHTTPEvents(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.append(w, r, r.PathValue("stream"), events)
}

func (s *httpServer) postMetadata(w http.ResponseWriter, r *http.Request) {
	stream := eventlog.MetadataOf(r.PathValue("stream"))
	u, _ := s.user(r)
	if !s.node.mayWrite(u, stream) {
		unauthorized(w)
		return
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	e := eventlog.Event{ID: newGUID(), Type: "$metadata", JSON: true, Data: data}
	if id, err := uuid.Parse(r.Header.Get(headerID)); err == nil {
		e.ID = wire.IDBytes(id)
	}
	s.append(w, r, stream, []eventlog.Event{e})
}

// readHTTPEvents reads an array of events, or a single body whose type is in a header.
func readHTTPEvents(r *http.Request) ([]eventlog.Event, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	contentType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if strings.TrimSpace(contentType) != mimeEvents {
		return singleEvent(r, body, contentType == mimeJSON)
	}
	var list []httpEvent
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("write request body invalid: %w", err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("write request body invalid: no events")
	}
	var events []eventlog.Event
	for i, h := range list {
		id, err := uuid.Parse(h.EventID)
		if err != nil {
			return nil, fmt.Errorf("write request body invalid: event %d: eventId: %w", i, err)
		}
		if h.EventType == "" {
			return nil, fmt.Errorf("write request body invalid: event %d has no eventType", i)
		}
		events = append(events, eventlog.Event{ID: wire.IDBytes(id), Type: h.EventType, JSON: true, Data: h.Data, Metadata: h.Metadata})
	}
	return checkSizes(events)
}

func checkSizes(events []eventlog.Event) ([]eventlog.Event, error) {
	for i := range events {
		if len(events[i].Data)+len(events[i].Metadata)+2*len(events[i].Type) > maxEventSize {
			return nil, fmt.Errorf("write request body invalid: event %d is too large", i)
		}
	}
	return events, nil
}

func singleEvent(r *http.Request, body []byte, isJSON bool) ([]eventlog.Event, error) {
	e := eventlog.Event{ID: newGUID(), Type: r.Header.Get(headerType), JSON: isJSON, Data: body}
	if e.Type == "" {
		return nil, fmt.Errorf("must include an event type with the request either in body or as ES-EventType header")
	}
	if text := r.Header.Get(headerID); text != "" {
		id, err := uuid.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", headerID, err)
		}
		e.ID = wire.IDBytes(id)
	}
	return checkSizes([]eventlog.Event{e})
}

func expectedVersion(r *http.Request) (int64, error) {
	text := r.Header.Get(headerExpected)
	if text == "" {
		return eventlog.ExpectAny, nil
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v < eventlog.ExpectAny && v != eventlog.ExpectExists {
		return 0, fmt.Errorf("%s: %q is no expected version", headerExpected, text)
	}
	return v, nil
}

func (s *httpServer) append(w http.ResponseWriter, r *http.Request, stream string, events []eventlog.Event) {
	expected, err := expectedVersion(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	result := make(chan eventlog.Written, 1)
	s.node.log.Append(stream, expected, events, func(w eventlog.Written) { result <- w })
	s.answerWrite(w, result, func(done eventlog.Written) {
		w.Header().Set("Location", s.url()+"/streams/"+url.PathEscape(stream)+"/"+strconv.FormatInt(done.First, 10))
		w.WriteHeader(http.StatusCreated)
	})
}

func (s *httpServer) deleteStream(w http.ResponseWriter, r *http.Request) {
	if !s.may(w, r, s.node.mayDelete) {
		return
	}
	expected, err := expectedVersion(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	hard, _ := strconv.ParseBool(r.Header.Get(headerHard))
	result := make(chan eventlog.Written, 1)
	s.node.log.Delete(r.PathValue("stream"), expected, hard, func(w eventlog.Written) { result <- w })
	s.answerWrite(w, result, func(eventlog.Written) { w.WriteHeader(http.StatusNoContent) })
}

// answerWrite waits for a write and answers how it ended.
func (s *httpServer) answerWrite(w http.ResponseWriter, result <-chan eventlog.Written, good func(eventlog.Written)) {
	timer := time.NewTimer(waitForWrite)
	defer timer.Stop()
	select {
	case done := <-result:
		switch done.Outcome {
		case eventlog.Success:
			good(done)
		case eventlog.WrongExpectedVersion:
			w.Header().Set(headerCurrent, strconv.FormatInt(done.Current, 10))
			http.Error(w, "Wrong expected EventNumber", http.StatusBadRequest)
		case eventlog.StreamDeleted:
			http.Error(w, "Stream deleted", http.StatusGone)
		default:
			s.node.writeFailed(done.Err)
			http.Error(w, "Write failed", http.StatusInternalServerError)
		}
	case <-timer.C:
		http.Error(w, "Write timeout", http.StatusInternalServerError)
	}
}
