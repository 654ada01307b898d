package rows

import (
	"fmt"
	"io"
	"strings"

	"github.com/photonpump/projector/checkpoint"
)

// Printer prints the rows of one table. Row is called for each row, then Close once.
type Printer interface {
	// Row prints a row, with the values that [checkpoint.Store.Rows] yields. It does not keep the slice.
	Row(values []any) error
	// Close prints what is left to print.
	Close() error
}

// Formats returns the names of the formats that [New] knows.
func Formats() []string { return []string{"table", "json", "csv"} }

// New returns a printer of one of the [Formats].
func New(format string, w io.Writer, columns []checkpoint.Column) (Printer, error) {
	switch format {
	case "table":
		return newTable(w, columns), nil
	case "json":
		return newJSON(w, columns)
	case "csv":
		return newCSV(w, columns)
	}
	return nil, fmt.Errorf("unknown format %q: want %s", format, strings.Join(Formats(), ", "))
}
