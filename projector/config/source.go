package config

import (
	"math"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/photonpump/projector/esclient"
)

// Source says which events a projection reads: exactly one of Stream, Streams, Category and All is set.
type Source struct {
	Stream   string   // one stream
	Streams  []string // several, without an order between them
	Category string   // streams whose name begins with this and a dash
	All      *All

	Group *Group // that reads Stream or Category; nil = the projection does
}

// All is the whole log, filtered.
type All struct {
	Streams []string // names or patterns with *; empty = all but system streams
	Types   []string // event types or patterns with *; empty = all
}

func (s *Source) String() string {
	switch {
	case s.Group != nil:
		return "group " + s.Group.Name + " of stream " + s.groupStream()
	case s.Stream != "":
		return "stream " + s.Stream
	case s.Category != "":
		return "category " + s.Category
	case len(s.Streams) > 0:
		return "streams " + strings.Join(s.Streams, ", ")
	}
	return "all"
}

func sourceSpec() *object[Source] {
	streamName := pattern{what: "the name of a stream"}
	return &object[Source]{
		fields: []field[Source]{
			of("stream", streamName, func(s *Source) *string { return &s.Stream },
				"One stream."),
			of("streams", listOf[string]{streamName, "one stream"}, func(s *Source) *[]string { return &s.Streams },
				"Several streams, each in its order; between them there is none. `all: {streams: […]}` has them in the order of the log, and reads all of it."),
			of("category", pattern{what: "the name of a category"}, func(s *Source) *string { return &s.Category },
				"All streams named `category-…`. The event store must run its $by_category projection."),
			of("all", pointer[All]{allSpec()}, func(s *Source) **All { return &s.All },
				"The whole log, filtered by streams and types. `{}` is everything but system events."),
			of("group", name{"the name of a group"}, func(s *Source) *string { return &s.theGroup().Name },
				"A persistent subscription of `stream` or `category`: the event store keeps the position, and shares the events among all who "+
					"consume the group. The projection needs `dedupe`."),
			of("create", boolean{}, func(s *Source) *bool { return &s.theGroup().Create },
				"Make the group if it does not exist; the user must be one of $admins or $ops. One that exists is left as it is.").byDefault("false"),
			of("update", boolean{}, func(s *Source) *bool { return &s.theGroup().Update },
				"Make the group, or give it these settings if it has others; its consumers connect again then.").byDefault("false"),
			of("settings", groupSettings{}, func(s *Source) *esclient.PersistentSettings { return &s.theGroup().Settings },
				"Settings of the group that is made or updated."),
			of("in_flight", integer{min: 1, max: math.MaxInt32}, func(s *Source) *int { return &s.theGroup().InFlight },
				"How many events of the group are taken before the first of them is committed.").byDefault("500"),
		},
		check: func(w *walker, n *yaml.Node, path string, s *Source) {
			given := 0
			for _, yes := range []bool{s.Stream != "", len(s.Streams) > 0, s.Category != "", s.All != nil} {
				if yes {
					given++
				}
			}
			s.checkGroup(w, n, path)
			if given != 1 && !w.failedWithin(path) {
				w.fail(n, path, "want exactly one of stream, streams, category or all, got %d", given)
			}
		},
	}
}

func allSpec() *object[All] {
	return &object[All]{fields: []field[All]{
		of("streams", listOf[string]{pattern{"the name of a stream", true}, "one stream"}, func(a *All) *[]string { return &a.Streams },
			"Only these streams. `*` stands for any text at the end: `area-*`."),
		of("types", listOf[string]{pattern{"an event type", true}, "one event type"}, func(a *All) *[]string { return &a.Types },
			"Only these event types. `*` stands for any text at the end: `order.*`."),
	}}
}

// failedWithin reports whether a mistake was noted at path or below.
func (w *walker) failedWithin(path string) bool {
	for _, m := range w.mistakes {
		if m.Path == path || strings.HasPrefix(m.Path, path+".") || strings.HasPrefix(m.Path, path+"[") {
			return true
		}
	}
	return false
}
