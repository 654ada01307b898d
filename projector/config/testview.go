package config

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/readmodel"
)

// wantedView lists the rows of a view, in its order.
type wantedView struct {
	name string
	rows []wantedViewRow
	line int
}

type wantedViewRow struct {
	columns []string
	values  []any
	line    int
}

// wantedView reads the rows of a view; which columns it has is known only to the database.
func (w *walker) wantedView(raw named[[]rawWant], path string) wantedView {
	view := wantedView{name: raw.Name, line: raw.node.Line}
	for _, r := range raw.Value {
		row := wantedViewRow{line: r.node.Line}
		for _, e := range w.entries(r.node, path) {
			v, err := exact(w.resolve(e.value))
			if err != nil {
				w.fail(e.value, join(path, e.key.Value), "%v", err)
			}
			row.columns, row.values = append(row.columns, e.key.Value), append(row.values, v)
		}
		view.rows = append(view.rows, row)
	}
	return view
}

// compareView compares the rows of a view with those wanted, in order.
func (t *Test) compareView(ctx context.Context, store checkpoint.ViewStore, want wantedView) error {
	var columns []string
	var got [][]any
	err := store.ViewRows(ctx, want.name, 0, func(c []string, row []any) bool {
		columns = slices.Clone(c)
		got = append(got, slices.Clone(row))
		return true
	})
	if err != nil {
		return err
	}
	for i, row := range want.rows {
		if i >= len(got) {
			break
		}
		for j, name := range row.columns {
			at := slices.Index(columns, name)
			if at < 0 {
				return t.fail(row.line, "view %q has no column %q%s", want.name, name, didYouMean(name, columns))
			}
			if !alike(row.values[j], got[i][at]) {
				return t.fail(row.line, "view %q: row %d: %s is %s, not %s", want.name, i+1, name, showValue(got[i][at]), showValue(row.values[j]))
			}
		}
	}
	if len(want.rows) != len(got) {
		return t.fail(want.line, "view %q has %d rows, not %d", want.name, len(got), len(want.rows))
	}
	return nil
}

// alike compares values without knowing the type of the column: numbers as numbers, times as times.
func alike(want, got any) bool {
	switch w := want.(type) {
	case nil:
		return got == nil
	case bool:
		return got == w || got == map[bool]int64{true: 1}[w]
	case json.Number:
		a, errA := readmodel.Convert(checkpoint.Type{Base: checkpoint.Decimal}, w)
		b, errB := readmodel.Convert(checkpoint.Type{Base: checkpoint.Decimal}, got)
		return errA == nil && errB == nil && readmodel.Compare(checkpoint.Type{Base: checkpoint.Decimal}, a, b) == 0
	case string:
		if at, isTime := got.(time.Time); isTime {
			parsed, err := time.Parse(time.RFC3339Nano, w)
			return err == nil && parsed.Equal(at)
		}
		return strings.TrimSpace(fmt.Sprint(got)) == w
	}
	raw, err := json.Marshal(want)
	if err != nil {
		return false
	}
	text, isText := got.(string)
	if isText {
		got = json.RawMessage(text)
	}
	return readmodel.Equal(json.RawMessage(raw), got)
}
