package readmodel

import (
	"strings"
	"testing"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
)

func TestCrossing(t *testing.T) {
	t.Parallel()
	type counter struct{ N int }
	one := func(name, eventType string) *Model {
		return Table(name, On(eventType, func(e projector.Event[string]) string { return e.Body },
			func(*Row[counter], projector.Event[string]) error { return nil }))
	}
	each := Table("many", OnEach("x", func(e projector.Event[[]string]) []string { return e.Body },
		func(_ projector.Event[[]string], s string) string { return s },
		func(*Row[counter], projector.Event[[]string], string) error { return nil }))
	dynamic := func(name string, rules ...DynamicRule[struct{}]) *Model {
		m, err := Dynamic(DynamicTable[struct{}]{Table: &checkpoint.Table{
			Name: name, Key: []string{"k"}, Columns: []checkpoint.Column{{Name: "k", Type: checkpoint.Type{Base: checkpoint.Text}}},
		}, Rules: rules})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	tests := []struct {
		name  string
		model *Model
		want  string // a part; empty = does not cross
	}{
		{"one table", one("a", "x"), ""},
		{"different types", Join(one("a", "x"), one("b", "y")), ""},
		{"the same type", Join(one("a", "x"), one("b", "x")), `type "x" may change rows with different keys`},
		{"a pattern", Join(one("a", "x.y"), one("b", "x.*")), `different keys`},
		{"patterns", Join(one("a", "*.y"), one("b", "x.*")), `different keys`},
		{"patterns apart", Join(one("a", "y.*"), one("b", "x.*")), ``},
		{"each", each, `type "x" may change several rows of table "many"`},
		{"the same key", Join(
			dynamic("a", DynamicRule[struct{}]{EventType: "x", OneKey: "k"}),
			dynamic("b", DynamicRule[struct{}]{EventType: "x", OneKey: "k"})), ``},
		{"other keys", Join(
			dynamic("a", DynamicRule[struct{}]{EventType: "x", OneKey: "k"}),
			dynamic("b", DynamicRule[struct{}]{EventType: "x", OneKey: "l"})), `different keys`},
		{"own rows", Join(
			dynamic("a", DynamicRule[struct{}]{EventType: "x", OneKey: "k"}),
			dynamic("b", DynamicRule[struct{}]{EventType: "x", OwnRows: true})), ``},
		{"several", dynamic("a", DynamicRule[struct{}]{EventType: "x"}), `several rows`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := tc.model.Crossing(); (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// Rows of an event alone do not count for its key.
func TestOrderingKeyWithoutOwnRows(t *testing.T) {
	t.Parallel()
	table := func(name string, own bool, key func(e *source.Event) string) *Model {
		m, err := Dynamic(DynamicTable[source.Event]{
			Table: &checkpoint.Table{Name: name, Key: []string{"k"}, Columns: []checkpoint.Column{{Name: "k", Type: checkpoint.Type{Base: checkpoint.Text}}}},
			Rules: []DynamicRule[source.Event]{{
				EventType: "x", OneKey: "k", OwnRows: own,
				Decoder: &Decoder[source.Event]{Decode: func(e, into *source.Event) error { *into = *e; return nil }},
				Keys: func(in *source.Event, yield func([]any, any) error) error {
					return yield([]any{key(in)}, nil)
				},
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	own := table("audit", true, func(e *source.Event) string { return e.ID.String() })
	m := Join(own, table("ponies", false, func(e *source.Event) string { return string(e.Data) }))
	e := source.Event{Type: "x", Stream: "s", Data: []byte("Ivy")}
	if got, err := m.OrderingKey(&e); got != "Ivy" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := own.OrderingKey(&e); got != "event "+e.ID.String() || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
