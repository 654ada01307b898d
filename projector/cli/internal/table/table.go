// Package table prints cells in columns.
package table

import (
	"bufio"
	"io"
	"strings"
	"unicode/utf8"
)

// Cell is one cell. Paint, if there is one, changes how it is shown and not how wide it is.
type Cell struct {
	Text  string
	Paint func(string) string
	Right bool // aligned to the right, as numbers are
}

// Text makes cells of texts.
func Text(texts ...string) []Cell {
	cells := make([]Cell, len(texts))
	for i, t := range texts {
		cells[i].Text = t
	}
	return cells
}

// Number makes a cell that is aligned to the right.
func Number(text string) Cell { return Cell{Text: text, Right: true} }

// Print prints rows, the header first. A column is as wide as its widest cell; the header is aligned as the cells under it.
func Print(w io.Writer, rows [][]Cell) error {
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c.Text))
		}
	}
	out := bufio.NewWriter(w)
	for n, row := range rows {
		var line strings.Builder
		for i, c := range row {
			if n == 0 && len(rows) > 1 && i < len(rows[1]) {
				c.Right = rows[1][i].Right
			}
			if i > 0 {
				line.WriteString("  ")
			}
			line.WriteString(c.padded(widths[i]))
		}
		_, _ = out.WriteString(strings.TrimRight(line.String(), " ") + "\n") // reported by Flush
	}
	return out.Flush()
}

func (c Cell) padded(width int) string {
	pad := strings.Repeat(" ", width-utf8.RuneCountInString(c.Text))
	text := c.Text
	if c.Paint != nil {
		text = c.Paint(text)
	}
	if c.Right {
		return pad + text
	}
	return text + pad
}
