package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/eventstore"
)

// Group is a persistent subscription that a projection reads.
type Group struct {
	Name     string
	Create   bool
	Update   bool
	Settings esclient.PersistentSettings
	InFlight int // 0 = as usual
}

// theGroup makes the group when the first of its keys is read.
func (s *Source) theGroup() *Group {
	if s.Group == nil {
		s.Group = &Group{Settings: eventstore.DefaultGroupSettings()}
	}
	return s.Group
}

// groupStream is the stream that a group reads.
func (s *Source) groupStream() string {
	if s.Category != "" {
		return "$ce-" + s.Category
	}
	return s.Stream
}

// checkGroup notes keys of a group that do not go together.
func (s *Source) checkGroup(w *walker, n *yaml.Node, path string) {
	g := s.Group
	if g == nil || w.failedWithin(path) {
		return
	}
	given := map[string]*yaml.Node{}
	for _, e := range w.entries(n, path) {
		given[e.key.Value] = e.key
	}
	switch {
	case g.Name == "":
		for _, key := range []string{"create", "update", "settings", "in_flight"} {
			if at := given[key]; at != nil {
				w.fail(at, join(path, key), "is for a group; give its name as group")
			}
		}
	case s.Stream == "" && s.Category == "":
		w.fail(given["group"], join(path, "group"), "want the stream or category that the group reads")
	case given["settings"] != nil && !g.Create && !g.Update:
		w.fail(given["settings"], join(path, "settings"), "are for a group that is made here; write create: true, or update: true to change one that exists")
	}
}

func (g *Group) open(client *esclient.Client, stream string) source.Group {
	switch {
	case g.Update:
		return eventstore.Group(client, stream, g.Name, eventstore.UpdateGroup(g.Settings))
	case g.Create:
		return eventstore.Group(client, stream, g.Name, eventstore.CreateGroup(g.Settings))
	}
	return eventstore.Group(client, stream, g.Name)
}

// notForGroups are keys of a projection about what the event store does for a group.
func notForGroups() []string {
	return []string{"start", "gaps", "park", "max_parked", "parked_retention", "redact"}
}

// compileGroup returns the settings of a projection that reads a group.
func (w *walker) compileGroup(raw *rawProjection, path string) []projector.Setting {
	g := raw.source.Group
	if raw.node == nil || g == nil && raw.dedupe == 0 {
		return nil
	}
	for _, e := range w.entries(raw.node, path) {
		switch key := e.key.Value; {
		case g == nil && key == "dedupe":
			w.fail(e.key, join(path, key), "is for groups; for other sources the position sees to it that no event counts twice")
		case g != nil && slices.Contains(notForGroups(), key):
			w.fail(e.key, join(path, key), "is not for groups: the event store keeps their position, and what they have parked")
		}
	}
	if g == nil {
		return nil
	}
	if raw.dedupe == 0 && !w.failedWithin(join(path, "source")) && !w.failedWithin(join(path, "dedupe")) {
		w.fail(raw.node, path, "dedupe is missing: a group may deliver an event again, so say how long ids of handled events are kept, such as 24h")
	}
	settings := []projector.Setting{projector.WithDedupe(raw.dedupe)}
	if g.InFlight > 0 {
		settings = append(settings, projector.WithInFlight(g.InFlight))
	}
	return settings
}

// groupSettings are the settings of a group, over the defaults.
type groupSettings struct{}

func (groupSettings) describe() *Description { return groupSettingsSpec().describe() }

func (groupSettings) read(w *walker, n *yaml.Node, path string, s *esclient.PersistentSettings) {
	groupSettingsSpec().read(w, n, path, s)
}

// number64 is a whole number of 64 bits.
type number64 struct{ min int }

func (number64) describe() *Description { return &Description{Type: KindInt} }

func (k number64) read(w *walker, n *yaml.Node, path string, v *int64) {
	i := int(*v)
	integer{min: k.min}.read(w, n, path, &i)
	*v = int64(i)
}

func groupSettingsSpec() *object[esclient.PersistentSettings] {
	type settings = esclient.PersistentSettings
	const most = 1<<31 - 1
	d := eventstore.DefaultGroupSettings()
	number := func(name string, of_ func(*settings) *int, min int, doc string) field[settings] {
		return of(name, integer{min: min, max: most}, of_, doc).byDefault(strconv.Itoa(*of_(&d)))
	}
	length := func(name string, of_ func(*settings) *time.Duration, min time.Duration, doc string) field[settings] {
		return of(name, duration{min: min}, of_, doc).byDefault(of_(&d).String())
	}
	strategies := map[string]esclient.Strategy{}
	for _, s := range []esclient.Strategy{esclient.RoundRobin, esclient.DispatchToSingle, esclient.Pinned, esclient.PinnedByCorrelation} {
		strategies[string(s)] = s
	}
	return &object[settings]{
		fields: []field[settings]{
			of("start_from", number64{min: -1}, func(s *settings) *int64 { return &s.StartFrom },
				"Number of the first event; -1 is what is written from then on.").byDefault("0"),
			of("resolve_links", boolean{}, func(s *settings) *bool { return &s.ResolveLinks },
				"Deliver what links point to, as in a category.").byDefault("true"),
			length("message_timeout", func(s *settings) *time.Duration { return &s.MessageTimeout }, time.Millisecond,
				"An event that is not acked for so long is delivered again."),
			number("max_retries", func(s *settings) *int { return &s.MaxRetries }, 0,
				"How often an event is delivered again before the event store parks it by itself."),
			length("checkpoint_after", func(s *settings) *time.Duration { return &s.CheckpointAfter }, 0,
				"How often the event store writes the position of the group; 0s is not by time."),
			number("checkpoint_min", func(s *settings) *int { return &s.CheckpointMin }, 0,
				"How many events must be handled for that, at least."),
			number("checkpoint_max", func(s *settings) *int { return &s.CheckpointMax }, 0,
				"After how many events it writes it in any case."),
			number("max_consumers", func(s *settings) *int { return &s.MaxConsumers }, 0, "How many may consume the group; 0 is any number."),
			of("strategy", word[esclient.Strategy]{strategies}, func(s *settings) *esclient.Strategy { return &s.Strategy },
				"How the events are shared: "+strings.Join(slices.Sorted(maps.Keys(strategies)), ", ")+" (the last one from 20.6 on).").byDefault(string(d.Strategy)),
			number("buffer", func(s *settings) *int { return &s.Buffer }, 1, "Events that the event store keeps in memory; more than `read_batch`."),
			number("live_buffer", func(s *settings) *int { return &s.LiveBuffer }, 0, "Newest events that it keeps in memory while the group is behind."),
			number("read_batch", func(s *settings) *int { return &s.ReadBatch }, 1, "Events that it reads at once."),
			of("statistics", boolean{}, func(s *settings) *bool { return &s.Statistics }, "Keep histograms of latencies.").byDefault("false"),
		},
		check: func(w *walker, n *yaml.Node, path string, s *settings) {
			if s.Buffer <= s.ReadBatch && !w.failedWithin(path) {
				w.fail(n, path, "buffer (%d) must be greater than read_batch (%d), or nothing is delivered", s.Buffer, s.ReadBatch)
			}
		},
	}
}
