package rows

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/photonpump/projector/checkpoint"
)

// jsonPrinter prints one array with an object for each row, a row a line.
type jsonPrinter struct {
	w     *bufio.Writer
	types []checkpoint.Type
	names [][]byte // quoted, with the colon
	rows  int
	buf   []byte
}

func newJSON(w io.Writer, columns []checkpoint.Column) (*jsonPrinter, error) {
	p := &jsonPrinter{w: bufio.NewWriter(w)}
	for _, c := range columns {
		name, err := json.Marshal(c.Name)
		if err != nil {
			return nil, err
		}
		p.names = append(p.names, append(name, ':'))
		p.types = append(p.types, c.Type)
	}
	return p, nil
}

func (p *jsonPrinter) Row(values []any) error {
	p.buf = append(p.buf[:0], ",\n"...)
	if p.rows == 0 {
		p.buf = append(p.buf[:0], "[\n"...)
	}
	p.rows++
	p.buf = append(p.buf, '{')
	for i, v := range values {
		if i > 0 {
			p.buf = append(p.buf, ',')
		}
		p.buf = append(p.buf, p.names[i]...)
		var err error
		if p.buf, err = appendJSON(p.buf, p.types[i], v); err != nil {
			return fmt.Errorf("column %s %w", p.names[i], err)
		}
	}
	p.buf = append(p.buf, '}')
	_, err := p.w.Write(p.buf)
	return err
}

func (p *jsonPrinter) Close() error {
	end := "\n]\n"
	if p.rows == 0 {
		end = "[]\n"
	}
	if _, err := p.w.WriteString(end); err != nil {
		return err
	}
	return p.w.Flush()
}

// appendJSON writes numbers with all their digits, also decimals; times in RFC 3339; bytes in base64.
func appendJSON(b []byte, t checkpoint.Type, v any) ([]byte, error) {
	if v == nil {
		return append(b, "null"...), nil
	}
	if list, ok := v.([]any); ok {
		b = append(b, '[')
		for i, e := range list {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = appendJSON(b, checkpoint.Type{Base: t.Base}, e); err != nil {
				return b, err
			}
		}
		return append(b, ']'), nil
	}
	switch v := v.(type) {
	case string:
		if t.Base == checkpoint.Decimal {
			return append(b, v...), nil
		}
	case json.RawMessage:
		return append(b, v...), nil
	case []byte:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v)
		return append(b, '"'), nil
	case time.Time:
		b = append(b, '"')
		b = v.UTC().AppendFormat(b, time.RFC3339Nano)
		return append(b, '"'), nil
	}
	encoded, err := json.Marshal(v)
	return append(b, encoded...), err
}
