package jsonl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// Line is one event of a file.
type Line struct {
	Number   int // in the file, from 1
	Stream   string
	Type     string
	ID       uuid.UUID       // [uuid.Nil] if the line has none
	Data     json.RawMessage // exactly as it stands in the file
	Metadata json.RawMessage // nil if the line has none
}

// Error is a line that is no event.
type Error struct {
	File   string
	Line   int
	Column int // 0 = the line as a whole
	Err    error
}

func (e *Error) Error() string {
	if e.Column > 0 {
		return fmt.Sprintf("%s:%d:%d: %v", e.File, e.Line, e.Column, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

// Unwrap returns what is wrong with the line.
func (e *Error) Unwrap() error { return e.Err }

const wantLine = `want {"stream":…,"type":…,"data":…} with optional "metadata" and "id"`

// parse reads one line. The result shares no memory with text. Column counts bytes from 1, and is 0 where no place in
// the line is wrong.
func parse(text []byte) (l Line, column int, err error) {
	var fields struct {
		Stream   *string         `json:"stream"`
		Type     *string         `json:"type"`
		Data     json.RawMessage `json:"data"`
		Metadata json.RawMessage `json:"metadata"`
		ID       *string         `json:"id"`

		// What `projector read --json` prints besides, so that its lines can be imported again.
		Number, Created, Position json.RawMessage
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&fields); err != nil {
		return l, columnOf(err), explain(err)
	}
	if rest := bytes.TrimSpace(text[dec.InputOffset():]); len(rest) > 0 {
		return l, int(dec.InputOffset()) + 1, fmt.Errorf("more than one value; %s", wantLine)
	}
	switch {
	case fields.Stream == nil || *fields.Stream == "":
		return l, 0, fmt.Errorf("no stream; %s", wantLine)
	case fields.Type == nil || *fields.Type == "":
		return l, 0, fmt.Errorf("no type; %s", wantLine)
	case fields.Data == nil:
		return l, 0, fmt.Errorf("no data; %s", wantLine)
	}
	l = Line{Stream: *fields.Stream, Type: *fields.Type, Data: fields.Data}
	if !bytes.Equal(fields.Metadata, []byte("null")) {
		l.Metadata = fields.Metadata
	}
	if fields.ID != nil {
		if l.ID, err = uuid.Parse(*fields.ID); err != nil || l.ID == uuid.Nil {
			return l, 0, fmt.Errorf("id %q is not a UUID other than zero", *fields.ID)
		}
	}
	return l, 0, nil
}

func columnOf(err error) int {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return int(syntax.Offset)
	}
	if typ, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return int(typ.Offset)
	}
	return 0
}

func explain(err error) error {
	if typ, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && typ.Field != "" {
		return fmt.Errorf("%q is a JSON %s, want a string", typ.Field, typ.Value)
	} else if ok {
		return fmt.Errorf("a JSON %s; %s", typ.Value, wantLine)
	}
	text := strings.TrimPrefix(err.Error(), "json: ")
	if strings.HasSuffix(text, "EOF") {
		text = "the line ends in the middle of a value"
	}
	return fmt.Errorf("%s; %s", text, wantLine)
}
