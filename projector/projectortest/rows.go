package projectortest

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
)

// Row is a row of a table, or the part of it that matters. Numbers may be of any Go type that holds them; JSON columns are
// compared by what they mean.
type Row map[string]any

// compareRows compares the rows of a table.
func compareRows(t testing.TB, store checkpoint.Store, p *projector.Projection, table string, want []Row) {
	t.Helper()
	got := rowsOf(t, store, p, table)
	wanted := make([]Row, len(want))
	for i, row := range want {
		wanted[i] = Row{}
		for column, v := range row {
			wanted[i][column] = plain(v)
		}
		if i < len(got) {
			got[i] = got[i].only(row)
		}
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("table %q (-want +got):\n%s", table, diff)
	}
}

// only keeps the columns that other has.
func (r Row) only(other Row) Row {
	kept := Row{}
	for column := range other {
		if v, ok := r[column]; ok {
			kept[column] = v
		}
	}
	return kept
}

// rowsOf reads a table of the projection.
func rowsOf(t testing.TB, store checkpoint.Store, p *projector.Projection, name string) []Row {
	t.Helper()
	for _, table := range p.Tables() {
		if table.Name != name {
			continue
		}
		rows := []Row{}
		err := store.Rows(t.Context(), table, 0, func(values []any) bool {
			row := Row{}
			for i, c := range table.Columns {
				row[c.Name] = plain(values[i])
			}
			rows = append(rows, row)
			return true
		})
		if err != nil {
			t.Errorf("table %q: %v", name, err)
		}
		return rows
	}
	t.Fatalf("projection %q has no table %q", p.Name(), name)
	return nil
}

// plain brings a value to a form in which equal values are equal.
func plain(v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case time.Time:
		return v.UTC().Truncate(time.Microsecond)
	case json.RawMessage:
		var parsed any
		if json.Unmarshal(v, &parsed) == nil {
			return plain(parsed)
		}
		return string(v)
	case json.Number:
		return v.String()
	}
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return rv.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return int64(rv.Uint()) //nolint:gosec // columns hold int64
	case reflect.Float32, reflect.Float64:
		return whole(rv.Float())
	case reflect.String:
		return rv.String()
	case reflect.Slice:
		if rv.Type().Elem().Kind() == reflect.Uint8 {
			return rv.Bytes()
		}
		list := make([]any, rv.Len())
		for i := range list {
			list[i] = plain(rv.Index(i).Interface())
		}
		return list
	case reflect.Map:
		m := map[string]any{}
		for _, k := range rv.MapKeys() {
			m[k.String()] = plain(rv.MapIndex(k).Interface())
		}
		return m
	case reflect.Pointer:
		if rv.IsNil() {
			return nil
		}
		return plain(rv.Elem().Interface())
	}
	return v
}

// whole makes a number without a fraction an integer, so that 2 and 2.0 are equal.
func whole(f float64) any {
	if n := int64(f); float64(n) == f {
		return n
	}
	return f
}
