package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/cli/internal/measure"
	"github.com/photonpump/projector/projector/config"
	"github.com/photonpump/projector/projector/source"
)

// benchmark is everything that is measured in one go.
type benchmark struct {
	*env
	cfg   *config.Config
	es    *eventStore
	flags benchFlags
}

// benchWork is one line of the table.
type benchWork struct {
	name string
	run  func(context.Context) (benchResult, error)
}

// works lists what was asked for.
func (b *benchmark) works() []benchWork {
	var works []benchWork
	for _, p := range b.cfg.Projections {
		if len(b.flags.only) > 0 && !slices.Contains(b.flags.only, p.Name) {
			continue
		}
		built := p.Build(p.Source.Reading(b.es.client))
		works = append(works, benchWork{"read " + p.Name, func(ctx context.Context) (benchResult, error) { return b.read(ctx, built) }},
			benchWork{"catch-up " + p.Name, func(ctx context.Context) (benchResult, error) { return b.catchUp(ctx, built) }})
	}
	if b.flags.append > 0 {
		works = append(works, benchWork{"append", b.append})
	}
	if b.flags.live > 0 {
		works = append(works, benchWork{"live", b.live})
	}
	return works
}

// enough reports whether so many events are all that is wanted.
func (b *benchmark) enough(n int64) bool { return b.flags.events > 0 && n >= b.flags.events }

// read takes the events of a projection and drops them.
func (b *benchmark) read(ctx context.Context, p *projector.Projection) (r benchResult, err error) {
	r = benchResult{Work: "read", Projection: p.Name(), description: "read " + p.Name()}
	src, ok := p.Source().(source.Source)
	if !ok {
		return r, fmt.Errorf("projection %s reads %s: to read it is to take events from it", p.Name(), p.Source())
	}
	head, err := src.Head(ctx)
	if err != nil || head.IsStart() {
		return r, err
	}
	m := measure.Start()
	defer func() { r.cost(m.Stop()) }()
	sub, err := src.Subscribe(ctx, checkpoint.Position{})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, sub.Close()) }()
	for {
		batch, err := sub.Next(ctx)
		if err != nil {
			return r, err
		}
		r.Events += int64(len(batch.Events))
		order, known := batch.Position.Compare(head)
		if batch.Live || b.enough(r.Events) || known && order >= 0 {
			return r, nil
		}
	}
}

// catchUp runs a projection into tables that are thrown away.
func (b *benchmark) catchUp(ctx context.Context, p *projector.Projection) (r benchResult, err error) {
	r = benchResult{Work: "catch-up", Projection: p.Name(), description: "catch-up " + p.Name()}
	store, remove, err := openThrowAway(ctx, b.cfg)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &commitCounter{enough: b.enough, stop: cancel}
	runner, err := projector.NewRunner(store, []*projector.Projection{p}, projector.Once(), projector.WithLogger(b.logger()), projector.WithHooks(c))
	if err != nil {
		return r, usage(err)
	}
	m := measure.Start()
	err = runner.Run(ctx)
	cost := m.Stop()
	r.Events, r.Parked = c.events.Load(), c.parked.Load()
	r.cost(cost)
	if err == nil && ctx.Err() != nil && !b.enough(r.Events) {
		err = context.Cause(ctx)
	}
	return r, err
}

// commitCounter counts the events of commits, and stops the runner when there were enough.
type commitCounter struct {
	events, parked atomic.Int64
	enough         func(int64) bool
	stop           func()
}

// OnCommit implements [projector.CommitHook].
func (c *commitCounter) OnCommit(_ string, commit projector.Commit) {
	c.parked.Add(int64(commit.Parked))
	if c.enough(c.events.Add(int64(commit.Handled + commit.Ignored + commit.Skipped + commit.Parked))) {
		c.stop()
	}
}

// benchEvent is what is appended: about 300 bytes.
type benchEvent struct {
	Number int64  `json:"number"`
	Note   string `json:"note"`
}

const benchNote = "written by `projector bench` to measure this event store; the stream is deleted when that is done. " +
	"An event has some hundred bytes in most stores, and so has this one, which would be shorter if it only said so: " +
	"the rest of this sentence is there for its length."

func newBenchEvent(n int64) esclient.NewEvent {
	return esclient.NewEvent{Type: "projector.bench", Body: benchEvent{Number: n, Note: benchNote}}
}

// throwAwayStream names a stream, and returns what deletes it.
func (b *benchmark) throwAwayStream(ctx context.Context) (name string, remove func() error) {
	name = "projector-bench-" + uuid.NewString()
	return name, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
		defer cancel()
		_, err := b.es.client.Delete(ctx, name, esclient.Any)
		if err != nil && !errors.Is(err, esclient.ErrStreamNotFound) {
			return fmt.Errorf("stream %s is left behind: %w", name, err)
		}
		return nil
	}
}

// append appends events one by one, with others on their way.
func (b *benchmark) append(ctx context.Context) (r benchResult, err error) {
	r = benchResult{Work: "append", Events: b.flags.append, description: fmt.Sprintf("append, %d in flight", benchInFlight)}
	stream, remove := b.throwAwayStream(ctx)
	defer func() { err = errors.Join(err, remove()) }()
	m := measure.Start()
	defer func() { r.cost(m.Stop()) }()
	var pending [benchInFlight]*esclient.Pending
	for n := range r.Events + benchInFlight {
		slot := &pending[n%benchInFlight]
		if *slot != nil {
			if _, err := (*slot).Wait(ctx); err != nil {
				return r, err
			}
		}
		*slot = nil
		if n < r.Events {
			*slot = b.es.client.AppendAsync(ctx, stream, esclient.Any, newBenchEvent(n))
		}
	}
	return r, nil
}

// live measures from the append of an event until it comes on a subscription.
func (b *benchmark) live(ctx context.Context) (r benchResult, err error) {
	r = benchResult{Work: "live", Events: b.flags.live, description: "live, one at a time"}
	stream, remove := b.throwAwayStream(ctx)
	defer func() { err = errors.Join(err, remove()) }()
	sub := b.es.client.SubscribeStream(stream, esclient.FromStart(), esclient.SubscribeOptions{})
	defer sub.Stop()
	for live := false; !live; {
		batch, err := sub.Next(ctx)
		if err != nil {
			return r, err
		}
		live = batch.Live
	}
	took := make([]time.Duration, 0, r.Events)
	m := measure.Start()
	defer func() { r.cost(m.Stop()) }()
	for n := range r.Events {
		event := newBenchEvent(n)
		begin := time.Now()
		pending := b.es.client.AppendAsync(ctx, stream, esclient.Any, event)
		for got := 0; got == 0; {
			batch, err := sub.Next(ctx)
			if err != nil {
				return r, err
			}
			got = len(batch.Events)
		}
		took = append(took, time.Since(begin))
		if _, err := pending.Wait(ctx); err != nil {
			return r, err
		}
	}
	slices.Sort(took)
	r.P50, r.P99 = micros(took[len(took)/2]), micros(took[len(took)*99/100])
	return r, nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
