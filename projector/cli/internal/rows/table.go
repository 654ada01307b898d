package rows

import (
	"bufio"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/photonpump/projector/checkpoint"
)

const (
	measured = 1000 // rows that are read before the first is printed, to learn the widths of the columns
	maxWidth = 60   // of a column, in characters; longer values are cut
)

// tablePrinter prints aligned columns under a header, numbers to the right.
type tablePrinter struct {
	w       *bufio.Writer
	columns []checkpoint.Column
	widths  []int
	waiting [][]string
	started bool
}

func newTable(w io.Writer, columns []checkpoint.Column) *tablePrinter {
	p := &tablePrinter{w: bufio.NewWriter(w), columns: columns, widths: make([]int, len(columns))}
	header := make([]string, len(columns))
	for i, c := range columns {
		header[i] = clean(c.Name)
	}
	p.measure(header)
	p.waiting = append(p.waiting, header)
	return p
}

func (p *tablePrinter) Row(values []any) error {
	cells := make([]string, len(values))
	for i, v := range values {
		if v == nil {
			cells[i] = "–"
			continue
		}
		s, err := text(p.columns[i].Type, v)
		if err != nil {
			return err
		}
		cells[i] = clean(s)
	}
	if p.started {
		return p.print(cells)
	}
	p.measure(cells)
	p.waiting = append(p.waiting, cells)
	if len(p.waiting) > measured {
		return p.start()
	}
	return nil
}

func (p *tablePrinter) Close() error {
	if err := p.start(); err != nil {
		return err
	}
	return p.w.Flush()
}

func (p *tablePrinter) measure(cells []string) {
	for i, c := range cells {
		p.widths[i] = max(p.widths[i], utf8.RuneCountInString(c))
	}
}

// start prints what was held back to learn the widths.
func (p *tablePrinter) start() error {
	p.started = true
	for _, cells := range p.waiting {
		if err := p.print(cells); err != nil {
			return err
		}
	}
	p.waiting = nil
	return nil
}

func (p *tablePrinter) print(cells []string) error {
	var b strings.Builder
	for i, c := range cells {
		if i > 0 {
			b.WriteString("  ")
		}
		pad := strings.Repeat(" ", max(0, p.widths[i]-utf8.RuneCountInString(c)))
		if p.isNumber(i) {
			b.WriteString(pad + c)
		} else {
			b.WriteString(c + pad)
		}
	}
	_, err := p.w.WriteString(strings.TrimRight(b.String(), " ") + "\n")
	return err
}

func (p *tablePrinter) isNumber(column int) bool {
	switch t := p.columns[column].Type; t.Base {
	case checkpoint.Int, checkpoint.Float, checkpoint.Decimal:
		return !t.List
	}
	return false
}

// clean makes a value one short line that cannot control the terminal.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, s)
	if utf8.RuneCountInString(s) > maxWidth {
		s = string([]rune(s)[:maxWidth-1]) + "…"
	}
	return s
}
