package readmodel

import (
	"testing"

	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
)

func TestOrderingKey(t *testing.T) {
	t.Parallel()
	type pair struct {
		A string
		B int
	}
	type counter struct{ N int }
	pairs := Table("pairs", OnEach("pairs",
		func(e projector.Event[[]pair]) []pair { return e.Body },
		func(_ projector.Event[[]pair], p pair) pair { return p },
		func(*Row[counter], projector.Event[[]pair], pair) error { return nil }))
	m := Join(ponies(), pairs)
	for name, tt := range map[string]struct {
		event     source.Event
		want, err string
	}{
		"text":          {jump("Rarity", 1), "Rarity", ""},
		"several parts": {event("pairs", []pair{{"x", 1}}), `["x",1]`, ""},
		"the same":      {event("pairs", []pair{{"x", 1}, {"x", 1}}), `["x",1]`, ""},
		"several rows":  {event("pairs", []pair{{"x", 1}, {"x", 2}}), "", errSeveralRows.Error()},
		"no row":        {event("pairs", []pair{}), "stream s", ""},
		"other type":    {event("other", 1), "stream s", ""},
		"broken":        {source.Event{Type: "pairs", Data: []byte("{")}, "", "decode error: unexpected end of JSON input"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := m.OrderingKey(&tt.event)
			if got != tt.want || (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
