package eventstore_test

import (
	"reflect"
	"testing"

	"github.com/photonpump/projector/projector/source/eventstore"
)

func TestFilterString(t *testing.T) {
	t.Parallel()
	tests := []struct {
		streams, types []string
		want           string
	}{
		{nil, nil, "all"},
		{[]string{"area-*", "$ce-a b"}, []string{"ridden", "pony.jumped*"}, "all streams area-*, $ce-a b types ridden, pony.jumped*"},
		{[]string{"my types*", "subtypes"}, nil, "all streams my types*, subtypes"},
		{[]string{"a, b", "c"}, nil, `all streams "a, b", c`},
		{[]string{"a types b"}, []string{`"a"`}, `all streams "a types b" types "\"a\""`},
	}
	for _, tt := range tests {
		if got := (eventstore.Filter{Streams: tt.streams, Types: tt.types}).String(); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// TestFilterStringUnique names every filter of up to two patterns for each of streams and types, of patterns that are hard
// to tell apart. Two that had one name would share a subscription.
func TestFilterStringUnique(t *testing.T) {
	t.Parallel()
	patterns := []string{
		"", " ", "a", "a ", " a", "a*", ",", "a,", "a, a", `"`, `"a"`, `a", "a`, "types", "a types a", " types ", "a types", "types a",
		"streams", "a streams a", "\ttypes\n", `\`, "\xff", "\ufffd",
	}
	lists := [][]string{nil}
	for _, p := range patterns {
		lists = append(lists, []string{p})
		for _, q := range patterns {
			lists = append(lists, []string{p, q})
		}
	}
	named := map[string]eventstore.Filter{}
	for _, streams := range lists {
		for _, types := range lists {
			f := eventstore.Filter{Streams: streams, Types: types}
			name := f.String()
			if other, taken := named[name]; taken && !reflect.DeepEqual(other, f) {
				t.Fatalf("%q and %q are both named %s", other, f, name)
			}
			named[name] = f
		}
	}
}
