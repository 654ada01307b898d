package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/photonpump/projector/esclient"
)

// eventPrinter prints events, one a line.
type eventPrinter struct {
	w    *bufio.Writer
	json bool
}

func newEventPrinter(w io.Writer, asJSON bool) *eventPrinter {
	return &eventPrinter{w: bufio.NewWriter(w), json: asJSON}
}

func (p *eventPrinter) flush() error { return p.w.Flush() }

func (p *eventPrinter) print(e *esclient.Event) error {
	if p.json {
		b, err := json.Marshal(newEventLine(e))
		if err != nil {
			return err
		}
		_, err = p.w.Write(append(b, '\n'))
		return err
	}
	data := printable(e.Data)
	if e.Link != nil && e.Link.Unresolved {
		data = "the event that a link points at does not exist (any more)"
	}
	_, err := fmt.Fprintf(p.w, "%d@%s  %s  %s\n", e.Number, e.Stream, e.Type, data)
	return err
}

// printable makes data one line that cannot control the terminal.
func printable(data []byte) string {
	if !utf8.Valid(data) {
		return fmt.Sprintf("%d bytes, not text", len(data))
	}
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return '·'
		}
		return r
	}, string(data))
}

// eventLine is an event as JSON. Data and metadata that are no JSON are text, or bytes in base64.
type eventLine struct {
	Stream   string     `json:"stream"`
	Number   int64      `json:"number"`
	Type     string     `json:"type"`
	ID       uuid.UUID  `json:"id"`
	Created  *time.Time `json:"created,omitempty"`
	Position string     `json:"position,omitempty"`
	Data     any        `json:"data"`
	Metadata any        `json:"metadata,omitempty"`
}

func newEventLine(e *esclient.Event) eventLine {
	l := eventLine{Stream: e.Stream, Number: e.Number, Type: e.Type, ID: e.ID, Data: jsonOf(e.Data)}
	if !e.Created.IsZero() {
		l.Created = &e.Created
	}
	if e.Position != (esclient.Position{}) {
		l.Position = e.Position.String()
	}
	if len(e.Metadata) > 0 {
		l.Metadata = jsonOf(e.Metadata)
	}
	return l
}

func jsonOf(b []byte) any {
	switch {
	case json.Valid(b):
		return json.RawMessage(b)
	case utf8.Valid(b):
		return string(b)
	}
	return b
}

func isMissing(err error) bool {
	return errors.Is(err, esclient.ErrStreamNotFound) || errors.Is(err, esclient.ErrEventNotFound)
}

// printJSONLines prints one JSON object a line.
func printJSONLines[T, L any](w io.Writer, items []T, line func(*T) L) error {
	buffered := bufio.NewWriter(w)
	enc := json.NewEncoder(buffered)
	for i := range items {
		if err := enc.Encode(line(&items[i])); err != nil {
			return err
		}
	}
	return buffered.Flush()
}
