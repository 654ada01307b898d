package config

import (
	"strconv"
	"time"

	"github.com/photonpump/projector/projector"
)

// Run says how projections are run, those of a program as well as those of the file. Zero values are not given.
type Run struct {
	Owner    string        // under which leases are held
	LeaseTTL time.Duration // without a commit or renewal
	Shutdown time.Duration // within which a shutdown must end
	Workers  int           // of handlers
	tuning
}

// tuning is what can be said of one projection, and of all.
type tuning struct {
	handlerTimeout time.Duration
	stallAfter     time.Duration
	maxDeaths      int
}

// tunings returns the settings that are given.
func (t *tuning) tunings() []projector.Tuning {
	var all []projector.Tuning
	if t.handlerTimeout > 0 {
		all = append(all, projector.WithHandlerTimeout(t.handlerTimeout))
	}
	if t.stallAfter > 0 {
		all = append(all, projector.WithStallAfter(t.stallAfter))
	}
	if t.maxDeaths > 0 {
		all = append(all, projector.WithMaxDeaths(t.maxDeaths))
	}
	return all
}

// Options returns what is given as options of a runner.
func (r *Run) Options() []projector.Option {
	var options []projector.Option
	if r.Owner != "" {
		options = append(options, projector.WithOwner(r.Owner))
	}
	if r.LeaseTTL > 0 {
		options = append(options, projector.WithLeaseTTL(r.LeaseTTL))
	}
	if r.Shutdown > 0 {
		options = append(options, projector.WithShutdownBound(r.Shutdown))
	}
	if r.Workers > 0 {
		options = append(options, projector.WithWorkers(r.Workers))
	}
	for _, t := range r.tunings() {
		options = append(options, t)
	}
	return options
}

func runSpec() *object[Run] {
	fields := []field[Run]{
		of("owner", text{what: "a name"}, func(r *Run) *string { return &r.Owner },
			"Name under which leases are held, for people to read. By default host name and process id."),
		of("lease_ttl", duration{min: 100 * time.Millisecond}, func(r *Run) *time.Duration { return &r.LeaseTTL },
			"How long a lease lives without a commit or renewal, and so how long it takes until another process goes on for one that was killed.").
			byDefault(projector.DefaultLeaseTTL.String()),
		of("shutdown", duration{min: time.Millisecond}, func(r *Run) *time.Duration { return &r.Shutdown },
			"How long finishing and committing what is in hand may take after Ctrl-C.").byDefault(projector.DefaultShutdownBound.String()),
		of("workers", integer{min: 1}, func(r *Run) *int { return &r.Workers },
			"How many handlers of `projector.On` run at once, in a program of your own; rules and `sql` need none.").byDefault("1"),
	}
	return &object[Run]{fields: append(fields, tuningFields(func(r *Run) *tuning { return &r.tuning })...)}
}

// tuningFields are the keys of a tuning within something else.
func tuningFields[T any](at func(*T) *tuning) []field[T] {
	return []field[T]{
		of("handler_timeout", duration{min: time.Millisecond}, func(t *T) *time.Duration { return &at(t).handlerTimeout },
			"How long the `sql` of one event, or one call of a handler, may take; then it has failed.").byDefault(projector.DefaultHandlerTimeout.String()),
		of("stall_after", duration{min: time.Millisecond}, func(t *T) *time.Duration { return &at(t).stallAfter },
			"After how long a subscription is replaced that delivers nothing although the event store has more.").byDefault(projector.DefaultStallAfter.String()),
		of("max_deaths", integer{min: 1}, func(t *T) *int { return &at(t).maxDeaths },
			"How often the process must die at the same event, tried on its own, before the event is parked.").
			byDefault(strconv.Itoa(projector.DefaultMaxDeaths)),
	}
}
