package config

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/readmodel"
	"github.com/photonpump/projector/projector/source"
)

// Projection is one of the projections of a file, compiled.
type Projection struct {
	Name   string
	Source Source

	model    *readmodel.Model // of the tables that rules fold; it may have none
	sql      *sqlPart         // of the tables that SQL writes; it may have none
	order    []string         // of the tables in the file
	settings []projector.Setting
	group    []projector.Setting // if it reads one
	retry    projector.RetryPolicy

	upcasters *codec.Upcasters // nil = none
}

// Tables that the projection writes, in the order of the file.
func (p *Projection) Tables() []*checkpoint.Table {
	tables := append(p.model.Tables(), p.sql.tables...)
	slices.SortStableFunc(tables, func(a, b *checkpoint.Table) int {
		return cmp.Compare(slices.Index(p.order, a.Name), slices.Index(p.order, b.Name))
	})
	return tables
}

// WrittenBySQL reports whether a table of the projection is written by statements, and not folded.
func (p *Projection) WrittenBySQL(table string) bool {
	return slices.ContainsFunc(p.sql.tables, func(t *checkpoint.Table) bool { return t.Name == table })
}

// Fingerprint identifies what rows depend on in the file: tables, keys and rules. Comments, formatting and the order of
// keys do not matter.
func (p *Projection) Fingerprint() string {
	if len(p.sql.tables) == 0 {
		return p.model.Fingerprint()
	}
	core, additions := checkpoint.ParseFingerprint(p.model.Fingerprint())
	return checkpoint.Fingerprint(core+p.sql.Fingerprint(), additions...)
}

// Handles reports whether events of this type change a table.
func (p *Projection) Handles(eventType string) bool {
	return p.model.Handles(eventType) || p.sql.wants(eventType)
}

// Build makes the projection, reading from a source or group. What the file says of a group holds for groups only.
func (p *Projection) Build(from source.Feed) *projector.Projection {
	var parts []projector.Part
	if len(p.model.Tables()) > 0 {
		parts = append(parts, p.model)
	}
	if len(p.sql.tables) > 0 {
		parts = append(parts, p.sql, p.sql.handler())
	}
	built := projector.New(p.Name, from, parts...).With(p.settings...)
	if _, group := from.(source.Group); group {
		built.With(p.group...)
	}
	return built
}

// rawProjection is a projection as it stands in the file.
type rawProjection struct {
	source Source
	key    []expression
	on     []named[[]rawRule]
	sql    []named[[]rawSQL]
	table  *rawTable
	tables []named[rawTable]
	batch  rawBatch
	retry  *projector.RetryPolicy
	policy rawPolicy
	tuning tuning
	cache  *int
	shards shardCount
	dedupe time.Duration

	orderBy *expression
	park    placedText

	maxParked    int
	retention    projector.Retention
	redact       []redaction
	decodeErrors *projector.Action

	node *yaml.Node
}

// rawPolicy holds the settings that are given, as they are to be applied.
type rawPolicy struct{ settings []projector.Setting }

// rawBatch holds zero values for what is not given.
type rawBatch struct {
	size  int
	bytes int
	time  time.Duration
}

func projectionSpec() *object[rawProjection] {
	return &object[rawProjection]{
		fields: append([]field[rawProjection]{
			of("source", sourceSpec(), func(p *rawProjection) *Source { return &p.source },
				"Which events it reads.").required(),
			of("key", listOf[expression]{expressionKind{}, "an expression"}, func(p *rawProjection) *[]expression { return &p.key },
				"Which row of `table` an event changes: an expression for each column of the primary key."),
			of("table", pointer[rawTable]{tableSpec(false)}, func(p *rawProjection) **rawTable { return &p.table },
				"The table that is kept up to date."),
			of("on", onSpec(), func(p *rawProjection) *[]named[[]rawRule] { return &p.on },
				"What events do to the row, by event type; several rules for a type, in a list, apply one after the other. "+
					"`*` in a type stands for any text. Events of other types are passed over."),
			of("sql", sqlSpec(), func(p *rawProjection) *[]named[[]rawSQL] { return &p.sql },
				"Instead of `on`: statements that events run, by event type, in the transaction that moves the position. For what rules cannot "+
					"say; rules are faster, and each statement is a round trip to the database."),
			of("tables", mappingOf[rawTable]{item: tableSpec(true), what: "names of tables"},
				func(p *rawProjection) *[]named[rawTable] { return &p.tables },
				"Several tables, by name, instead of `table`; each with its own `key` and `on`, or `sql`."),
			of("dedupe", duration{min: time.Second}, func(p *rawProjection) *time.Duration { return &p.dedupe },
				"With a `group`: how long the ids of handled events are kept, so that one that is delivered again counts once. Longer than an outage, or "+
					"until a replay of what the group has parked: `24h`."),
			of("batch", batchSpec(), func(p *rawProjection) *rawBatch { return &p.batch },
				"How many events one transaction holds while catching up."),
			of("retry", pointer[projector.RetryPolicy]{retrySpec()}, func(p *rawProjection) **projector.RetryPolicy { return &p.retry },
				"What happens with an event that cannot be handled."),
			of("order_by", pointer[expression]{expressionKind{}}, func(p *rawProjection) **expression { return &p.orderBy },
				"What events wait for: once one is parked, later ones with the same value wait behind it. All events that change a "+
					"row must have the same. By default the key of the row."),
			of("park", parkKind{}, func(p *rawProjection) *placedText { return &p.park },
				"What waits behind a parked event: those of its `key`, or the whole `projection`, which is then paused until "+
					"`projector parked retry` or `drop`. By default the projection where an event changes or looks at rows with different keys, unless there is an `order_by`."),
			of("decode_errors", word[*projector.Action]{actions()}, func(p *rawProjection) **projector.Action { return &p.decodeErrors },
				"What happens with an event whose body cannot be decoded or upcast: `park`, `stop` or `skip`. It is not tried again. By default what `retry` says in the end."),
			of("start", startKind{}, policyOf, "Where it starts the first time: `beginning`, `end` (only what is written from then on), a time such as "+
				"`2024-03-01T06:00:00Z` or `2024-03-01` (with the first event created then or later), or a position as `projector status` shows them.").byDefault("beginning"),
			of("unhandled", unhandledKind{projector.WithUnhandled, "ignore warn park stop"}, policyOf,
				"What happens with an event of a type that `on` does not name.").byDefault("ignore"),
			of("unresolved_links", unhandledKind{projector.WithUnresolvedLinks, "ignore warn park stop"}, policyOf,
				"What happens with a link whose event is not there any more.").byDefault("ignore"),
			of("gaps", unhandledKind{projector.WithGaps, "ignore warn stop"}, policyOf,
				"What happens when events of a stream were truncated before they were read.").byDefault("warn"),
			of("shards", shardKind{}, func(p *rawProjection) *shardCount { return &p.shards },
				"Into how many shards it is divided, which the processes that run it share evenly; up to "+strconv.Itoa(projector.MaxShards)+". Take more than there will "+
					"ever be processes. An event belongs to the shard of its key, so that each must have one: that of its row, or `order_by`. The number can be "+
					"changed only while all shards are at one position, as after `projector run --once`, and nothing is parked.").byDefault("1"),
			of("max_parked", integer{min: 1}, func(p *rawProjection) *int { return &p.maxParked },
				"How many events are parked at most; the next one stops the projection.").byDefault("10000"),
			of("parked_retention", retentionSpec(), func(p *rawProjection) *projector.Retention { return &p.retention },
				"How long parked events are kept. What goes is the oldest first, is logged and counted as skipped. By default they are kept for ever."),
			of("redact", listOf[redaction]{redactionKind{}, "one path"}, func(p *rawProjection) *[]redaction { return &p.redact },
				"What is removed from events before they are parked: `redact: [body.email, metadata.ip]`. In a list, it is removed from each "+
					"element. A body that is not JSON, of which nothing can be removed, is removed whole. What is gone is not repeated in the error that is kept either."),
			of("cache_rows", pointer[int]{integer{}}, func(p *rawProjection) **int { return &p.cache },
				"How many rows of each table are kept in memory between batches.").byDefault(strconv.Itoa(readmodel.DefaultCacheRows)),
		}, tuningFields(func(p *rawProjection) *tuning { return &p.tuning })...),
		check: func(_ *walker, n *yaml.Node, _ string, p *rawProjection) { p.node = n },
	}
}

func batchSpec() *object[rawBatch] {
	return &object[rawBatch]{fields: []field[rawBatch]{
		of("size", integer{min: 1}, func(b *rawBatch) *int { return &b.size },
			"Events in one transaction, at most. It begins with fewer, and gathers more as long as transactions take their time.").byDefault(strconv.Itoa(projector.DefaultBatchSize)),
		of("bytes", integer{min: 1}, func(b *rawBatch) *int { return &b.bytes },
			"From this size of data and metadata on, no more events are gathered for one transaction.").byDefault(strconv.Itoa(projector.DefaultBatchBytes)),
		of("time", duration{min: time.Millisecond}, func(b *rawBatch) *time.Duration { return &b.time },
			"How long events are gathered for one transaction, at most. When live, an event is committed as soon as it is handled.").byDefault(projector.DefaultBatchTime.String()),
	}}
}

func retrySpec() *object[projector.RetryPolicy] {
	then := map[string]projector.Action{"park": projector.ActionPark, "stop": projector.ActionStop, "skip": projector.ActionSkip}
	defaults := projector.DefaultRetryPolicy()
	return &object[projector.RetryPolicy]{
		fields: []field[projector.RetryPolicy]{
			of("attempts", integer{min: 1}, func(r *projector.RetryPolicy) *int { return &r.Attempts },
				"How often an event is tried in all.").byDefault("5"),
			of("delay", duration{min: time.Millisecond}, func(r *projector.RetryPolicy) *time.Duration { return &r.Delay },
				"Before the second attempt; it grows with each one.").byDefault("200ms"),
			of("max_delay", duration{min: time.Millisecond}, func(r *projector.RetryPolicy) *time.Duration { return &r.MaxDelay },
				"The longest delay.").byDefault("10s"),
			of("then", word[projector.Action]{then}, func(r *projector.RetryPolicy) *projector.Action { return &r.Then },
				"After the last attempt: `park` the event, and later ones of its row behind it; `stop` the projection and say why; or `skip` the event, count and log it.").byDefault("park"),
		},
		check: func(w *walker, n *yaml.Node, path string, r *projector.RetryPolicy) {
			if !slices.ContainsFunc(w.entries(n, path), func(e entry) bool { return e.key.Value == "then" }) {
				r.Then = defaults.Then
			}
			r.Attempts = orDefault(r.Attempts, defaults.Attempts)
			r.Delay = orDefault(r.Delay, defaults.Delay)
			r.MaxDelay = orDefault(r.MaxDelay, max(r.Delay, defaults.MaxDelay))
			if r.MaxDelay < r.Delay {
				w.fail(n, path, "max_delay (%v) is shorter than delay (%v)", r.MaxDelay, r.Delay)
			}
		},
	}
}

// actions are what can be done with an event that cannot be handled.
func actions() map[string]*projector.Action {
	all := map[string]*projector.Action{}
	for _, a := range []projector.Action{projector.ActionPark, projector.ActionStop, projector.ActionSkip} {
		all[a.String()] = &a
	}
	return all
}

func orRetry(p *projector.RetryPolicy) projector.RetryPolicy {
	if p == nil {
		return projector.DefaultRetryPolicy()
	}
	return *p
}

func orDefault[V comparable](v, fallback V) V {
	if v == *new(V) {
		return fallback
	}
	return v
}

func (p *rawProjection) settings() []projector.Setting {
	var settings []projector.Setting
	if p.batch.size > 0 {
		settings = append(settings, projector.WithBatchSize(p.batch.size))
	}
	if p.batch.bytes > 0 {
		settings = append(settings, projector.WithBatchBytes(p.batch.bytes))
	}
	if p.batch.time > 0 {
		settings = append(settings, projector.WithBatchTime(p.batch.time))
	}
	if p.retry != nil {
		settings = append(settings, projector.WithRetry(*p.retry))
	}
	if p.retention != (projector.Retention{}) {
		settings = append(settings, projector.WithParkedRetention(p.retention))
	}
	if len(p.redact) > 0 {
		settings = append(settings, projector.WithRedaction(redact(p.redact)))
	}
	if p.decodeErrors != nil {
		settings = append(settings, projector.WithDecodeErrors(*p.decodeErrors))
	}
	if p.maxParked > 0 {
		settings = append(settings, projector.WithMaxParked(p.maxParked))
	}
	for _, t := range p.tuning.tunings() {
		settings = append(settings, t)
	}
	return append(settings, p.policy.settings...)
}
