package rows

import (
	"encoding/csv"
	"io"

	"github.com/photonpump/projector/checkpoint"
)

// csvPrinter prints RFC 4180 with a header. NULL is an empty field.
type csvPrinter struct {
	w      *csv.Writer
	types  []checkpoint.Type
	fields []string
}

func newCSV(w io.Writer, columns []checkpoint.Column) (*csvPrinter, error) {
	p := &csvPrinter{w: csv.NewWriter(w), fields: make([]string, len(columns))}
	for i, c := range columns {
		p.fields[i] = c.Name
		p.types = append(p.types, c.Type)
	}
	return p, p.w.Write(p.fields)
}

func (p *csvPrinter) Row(values []any) error {
	for i, v := range values {
		p.fields[i] = ""
		if v == nil {
			continue
		}
		var err error
		if p.fields[i], err = text(p.types[i], v); err != nil {
			return err
		}
	}
	return p.w.Write(p.fields)
}

func (p *csvPrinter) Close() error {
	p.w.Flush()
	return p.w.Error()
}
