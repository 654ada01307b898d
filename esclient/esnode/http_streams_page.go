package esnode

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
)

type atomLink struct {
	URI      string `json:"uri"`
	Relation string `json:"relation"`
}

type atomAuthor struct {
	Name string `json:"name"`
}

// atomFeed is a page of a stream.
type atomFeed struct {
	Title   string      `json:"title"`
	ID      string      `json:"id"`
	Updated string      `json:"updated"`
	Stream  string      `json:"streamId"`
	Author  atomAuthor  `json:"author"`
	Head    bool        `json:"headOfStream"`
	SelfURL string      `json:"selfUrl"`
	ETag    string      `json:"eTag,omitempty"`
	Links   []atomLink  `json:"links"`
	Entries []atomEntry `json:"entries"`
}

// atomEntry is an event of a page. What comes before Title is there only if the request asks to embed it.
type atomEntry struct {
	EventID        string     `json:"eventId,omitempty"`
	EventType      string     `json:"eventType,omitempty"`
	EventNumber    *int64     `json:"eventNumber,omitempty"`
	Data           *string    `json:"data,omitempty"`
	MetaData       *string    `json:"metaData,omitempty"`
	Stream         string     `json:"streamId,omitempty"`
	IsJSON         *bool      `json:"isJson,omitempty"`
	PositionNumber *int64     `json:"positionEventNumber,omitempty"`
	PositionStream string     `json:"positionStreamId,omitempty"`
	Title          string     `json:"title"`
	ID             string     `json:"id"`
	Updated        string     `json:"updated"`
	Author         atomAuthor `json:"author"`
	Summary        string     `json:"summary"`
	Links          []atomLink `json:"links"`

	data, meta []byte
}

// getHead answers with the newest events of a stream.
func (s *httpServer) getHead(w http.ResponseWriter, r *http.Request) {
	s.writePage(w, r, -1, defaultPage, true)
}

func (s *httpServer) getPage(w http.ResponseWriter, r *http.Request) {
	from, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
	backward := r.PathValue("direction") == "backward"
	if r.PathValue("number") == "head" && backward {
		from, err = -1, nil
	}
	count, err2 := strconv.Atoi(r.PathValue("count"))
	if err != nil || err2 != nil || count < 1 || count > maxPageCount || from < -1 || !backward && (from < 0 || r.PathValue("direction") != "forward") {
		http.Error(w, "want /streams/NAME/NUMBER|head/forward|backward/COUNT with a count of 1 to 4096", http.StatusBadRequest)
		return
	}
	s.writePage(w, r, from, count, backward)
}

func (s *httpServer) writePage(w http.ResponseWriter, r *http.Request, from int64, count int, backward bool) {
	if !s.may(w, r, s.node.mayRead) {
		return
	}
	stream := r.PathValue("stream")
	u, _ := s.user(r)
	var p *eventlog.Page
	if stream == allStreams {
		q := eventlog.AllQuery{From: eventlog.Position{Commit: -1, Prepare: -1}, Count: count, Backward: backward, Resolve: resolves(r)}
		if from >= 0 {
			q.From = eventlog.Position{Commit: from, Prepare: from}
		}
		p = s.node.log.ReadAll(q)
	} else {
		p = s.node.log.ReadStream(stream, from, count, backward, resolves(r))
	}
	defer p.Release()
	if !readable(w, p) {
		return
	}
	if !s.node.mayReadTargets(u, p.Events) {
		unauthorized(w)
		return
	}
	writeJSONAs(w, http.StatusOK, mimeAtom+"; charset=utf-8", s.feed(stream, p, count, backward, r.URL.Query().Get("embed")))
}

func (s *httpServer) feed(stream string, p *eventlog.Page, count int, backward bool, embed string) atomFeed {
	at := s.url() + "/streams/" + url.PathEscape(stream)
	f := atomFeed{
		Title: fmt.Sprintf("Event stream '%s'", stream), ID: at, Updated: "0001-01-01T00:00:00Z", Stream: stream, Author: atomAuthor{"EventStore"},
		Head: !backward && p.End, SelfURL: at, Entries: []atomEntry{},
		Links: []atomLink{{at, "self"}, {fmt.Sprintf("%s/head/backward/%d", at, count), "first"}},
	}
	var first, last int64 = -1, -1
	for i := range p.Events {
		e := p.Events[i]
		if !backward {
			e = p.Events[len(p.Events)-1-i] // a feed begins with the newest
		}
		original, _ := eventlog.ParseEvent(e.Original())
		if first < 0 {
			first = original.Number
		}
		last = original.Number
		f.Entries = append(f.Entries, s.atomEntry(e, embed == "body" || embed == "tryharder").trim(embed))
	}
	if len(f.Entries) > 0 {
		f.Updated = f.Entries[0].Updated
		f.Head = f.Head || first == p.Last
		f.Links = append(f.Links, atomLink{fmt.Sprintf("%s/%d/forward/%d", at, first+1, count), "previous"})
		if last > 0 {
			f.Links = append(f.Links, atomLink{fmt.Sprintf("%s/%d/backward/%d", at, last-1, count), "next"},
				atomLink{fmt.Sprintf("%s/0/forward/%d", at, count), "last"})
		}
	}
	f.Links = append(f.Links, atomLink{at + "/metadata", "metadata"})
	return f
}

// atomEntry returns an event with everything that could be asked for.
func (s *httpServer) atomEntry(r eventlog.Resolved, bodies bool) atomEntry {
	original, _ := eventlog.ParseEvent(r.Original())
	event := original
	if r.Event != nil {
		event, _ = eventlog.ParseEvent(r.Event)
	}
	at := s.url() + "/streams/" + url.PathEscape(string(event.Stream)) + "/" + strconv.FormatInt(event.Number, 10)
	e := atomEntry{
		EventID: guidText(event.ID), EventType: string(event.Type), EventNumber: &event.Number, Stream: string(event.Stream), IsJSON: &event.JSON,
		PositionNumber: &original.Number, PositionStream: string(original.Stream), Title: fmt.Sprintf("%d@%s", event.Number, event.Stream), ID: at,
		Updated: event.Time().Format(time.RFC3339Nano), Author: atomAuthor{"EventStore"}, Summary: string(event.Type),
		Links: []atomLink{{at, "edit"}, {at, "alternate"}}, data: event.Data, meta: event.Metadata,
	}
	if bodies {
		data, meta := string(event.Data), string(event.Metadata)
		e.Data, e.MetaData = &data, &meta
	}
	return e
}

// trim leaves only what the request asked to embed.
func (e atomEntry) trim(embed string) atomEntry {
	switch strings.ToLower(embed) {
	case "body", "tryharder", "rich", "prettybody":
		return e
	}
	return atomEntry{Title: e.Title, ID: e.ID, Updated: e.Updated, Author: e.Author, Summary: e.Summary, Links: e.Links}
}

// wrapped returns the event as application/vnd.eventstore.event+json.
func (e atomEntry) wrapped() map[string]any {
	return map[string]any{
		"title": e.Title, "id": e.ID, "updated": e.Updated, "author": e.Author, "summary": e.Summary, "links": e.Links,
		"content": map[string]any{
			"eventStreamId": e.Stream, "eventNumber": e.EventNumber, "eventType": e.EventType, "eventId": e.EventID,
			"data": jsonOrText(e.data), "metadata": jsonOrText(e.meta),
		},
	}
}

func jsonOrText(b []byte) any {
	if json.Valid(b) {
		return json.RawMessage(b)
	}
	return string(b)
}

// guidText returns an event id as it is written everywhere but on the wire.
func guidText(b []byte) string {
	if len(b) != 16 {
		return ""
	}
	id := uuid.UUID(b)
	id[0], id[1], id[2], id[3] = b[3], b[2], b[1], b[0]
	id[4], id[5], id[6], id[7] = b[5], b[4], b[7], b[6]
	return id.String()
}
