package eventstore

import (
	"slices"
	"strconv"
	"strings"

	"github.com/photonpump/projector/esclient"
)

// Filter selects events of the whole log: those whose stream and type both are wanted. A pattern is a name, or the start
// of names with * at its end: "area-*". The zero value is everything but system events, whose streams or types start with
// $; a pattern that starts with $ asks for them.
type Filter struct {
	Streams []string // empty = all but system streams
	Types   []string // empty = all but system types
}

// String names the filter, and no other one: projections whose sources have the same name share a subscription.
func (f Filter) String() string {
	text := "all"
	if len(f.Streams) > 0 {
		text += " streams " + list(f.Streams)
	}
	if len(f.Types) > 0 {
		text += " types " + list(f.Types)
	}
	return text
}

func list(patterns []string) string {
	quoted := make([]string, len(patterns))
	for i, p := range patterns {
		quoted[i] = quote(p)
	}
	return strings.Join(quoted, ", ")
}

// quote leaves a pattern as it is, unless it could be taken for the end of a list, or for a quoted one.
func quote(pattern string) string {
	if strings.ContainsAny(pattern, `,"`) || slices.Contains(strings.Fields(pattern), "types") {
		return strconv.Quote(pattern)
	}
	return pattern
}

// wants reports whether an event passes.
func (f Filter) wants(e *esclient.Event) bool {
	return match(f.Streams, e.Stream) && match(f.Types, e.Type)
}

func match(patterns []string, name string) bool {
	if len(patterns) == 0 {
		return !strings.HasPrefix(name, "$")
	}
	return slices.ContainsFunc(patterns, func(p string) bool {
		prefix, isPrefix := strings.CutSuffix(p, "*")
		return isPrefix && strings.HasPrefix(name, prefix) || p == name
	})
}

// server returns what the server can sort out: one of streams and types. The rest is left to wants.
func (f Filter) server() *esclient.Filter {
	switch {
	case len(f.Streams) > 0 && !slices.Contains(f.Streams, "*"):
		return &esclient.Filter{StreamPrefixes: prefixes(f.Streams), Window: window}
	case len(f.Types) > 0 && !slices.Contains(f.Types, "*"):
		return &esclient.Filter{TypePrefixes: prefixes(f.Types), Window: window}
	case len(f.Streams) == 0:
		return &esclient.Filter{StreamRegex: `^[^\$]`, Window: window}
	}
	return nil
}

// window is how many events the server examines for one page, so that a rare event does not cost a page each time.
const window = 4096

func prefixes(patterns []string) []string {
	all := make([]string, len(patterns))
	for i, p := range patterns {
		all[i] = strings.TrimSuffix(p, "*")
	}
	return all
}
