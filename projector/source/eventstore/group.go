package eventstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector/source"
)

// GroupOption configures [Group].
type GroupOption interface{ applyGroup(*group) }

type groupOption func(*group)

func (o groupOption) applyGroup(g *group) { o(g) }

// DefaultGroupSettings are those of the client, but for two that suit a projection: it begins with the first event of the
// stream, and links are resolved.
func DefaultGroupSettings() esclient.PersistentSettings {
	s := esclient.DefaultPersistentSettings()
	s.StartFrom, s.ResolveLinks = 0, true
	return s
}

// CreateGroup has the group made if it does not exist. One that exists is left as it is. The user of the client must be
// one of $admins or $ops for that; if it is not, the group must be there.
func CreateGroup(s esclient.PersistentSettings) GroupOption {
	return groupOption(func(g *group) { g.create, g.settings = true, s })
}

// UpdateGroup is [CreateGroup], and gives a group that exists these settings if it has others; its consumers connect again
// then. Which settings it has is asked over HTTP, see [esclient.WithHTTP]; if that does not answer it is updated once in
// each process.
func UpdateGroup(s esclient.PersistentSettings) GroupOption {
	return groupOption(func(g *group) { g.create, g.update, g.settings = true, true, s })
}

// Group is a persistent subscription of a stream: the server keeps the position, and shares the events among all consumers.
// It must exist unless an option says otherwise.
func Group(client *esclient.Client, streamName, name string, opts ...GroupOption) source.Group {
	g := &group{client: client, stream: stream{client: client, name: streamName}, name: name}
	g.parked = "$persistentsubscription-" + streamName + "::" + name + "-parked"
	for _, o := range opts {
		o.applyGroup(g)
	}
	return g
}

var _ source.ManagedGroup = (*group)(nil)

type group struct {
	client   *esclient.Client
	stream   stream
	name     string
	parked   string // stream of links to parked events
	create   bool
	update   bool
	settings esclient.PersistentSettings

	mu      sync.Mutex
	settled bool // created or updated, as far as that was asked for
	timeout time.Duration
}

func (g *group) String() string { return fmt.Sprintf("group %s of stream %s", g.name, g.stream.name) }

// Head implements [source.Feed]. It is that of the stream.
func (g *group) Head(ctx context.Context) (checkpoint.Position, error) { return g.stream.Head(ctx) }

// Consume implements [source.Group].
func (g *group) Consume(ctx context.Context, limit int) (source.Consumer, error) {
	denied, err := g.settle(ctx)
	if err != nil {
		return nil, g.translate(err)
	}
	sub := g.client.SubscribePersistent(g.stream.name, g.name, esclient.PersistentOptions{Buffer: limit, ManualAck: true})
	if err := sub.Confirmed(ctx); err != nil {
		sub.Stop()
		if errors.Is(err, esclient.ErrNotFound) {
			err = errors.Join(err, denied)
		}
		return nil, g.translate(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.timeout == 0 {
		g.timeout = g.ask(ctx)
	}
	return &consumer{group: g, sub: sub, timeout: g.timeout}, nil
}

// settle makes or changes the group as far as that was asked for. Being denied that is an error only if the group turns out
// not to be there.
func (g *group) settle(ctx context.Context) (denied, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.settled || !g.create {
		return nil, nil
	}
	err = g.client.CreatePersistent(ctx, g.stream.name, g.name, g.settings)
	switch {
	case err == nil:
		g.timeout = g.settings.MessageTimeout
	case errors.Is(err, esclient.ErrAccessDenied):
		return err, nil
	case !errors.Is(err, esclient.ErrAlreadyExists):
		return nil, err
	case g.update:
		if err := g.change(ctx); err != nil {
			return nil, err
		}
		g.timeout = g.settings.MessageTimeout
	}
	g.settled = true
	return nil, nil
}

// change updates the group, unless it is known to be as wanted.
func (g *group) change(ctx context.Context) error {
	info, err := g.client.GroupInfo(ctx, g.stream.name, g.name)
	if err == nil && settingsOf(&info.Config) == g.settings {
		return nil
	}
	return g.client.UpdatePersistent(ctx, g.stream.name, g.name, g.settings)
}

func settingsOf(c *esclient.GroupInfoConfig) esclient.PersistentSettings {
	ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	return esclient.PersistentSettings{
		ResolveLinks: c.ResolveLinks, StartFrom: c.StartFrom, MessageTimeout: ms(c.MessageTimeout), MaxRetries: c.MaxRetries,
		LiveBuffer: c.LiveBuffer, ReadBatch: c.ReadBatch, Buffer: c.Buffer, CheckpointAfter: ms(c.CheckpointAfter),
		CheckpointMin: c.CheckpointMin, CheckpointMax: c.CheckpointMax, MaxConsumers: c.MaxConsumers, Strategy: c.Strategy,
		Statistics: c.Statistics,
	}
}

// askTimeout is how long the settings of a group are asked for, which not every server tells.
const askTimeout = 2 * time.Second

// ask returns the message timeout of the group, 0 if that cannot be learned.
func (g *group) ask(ctx context.Context) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	info, err := g.client.GroupInfo(ctx, g.stream.name, g.name)
	if err != nil {
		return 0
	}
	return settingsOf(&info.Config).MessageTimeout
}

// Parked implements [source.ManagedGroup].
func (g *group) Parked() string { return g.parked }

// Replay implements [source.ManagedGroup]. It asks the HTTP interface, see [esclient.WithHTTP].
func (g *group) Replay(ctx context.Context) error {
	if err := g.client.ReplayParked(ctx, g.stream.name, g.name); err != nil {
		return g.translate(err)
	}
	return nil
}

// Waits implements [source.ManagedGroup]. It asks the HTTP interface, see [esclient.WithHTTP].
func (g *group) Waits(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	info, err := g.client.GroupInfo(ctx, g.stream.name, g.name)
	if err != nil {
		return false, g.translate(err)
	}
	return info.Status != "Live" || info.ReadBuffered+info.RetryBuffered+info.InFlight > 0, nil
}

// Delete implements [source.ManagedGroup].
func (g *group) Delete(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settled = false
	err := g.client.DeletePersistent(ctx, g.stream.name, g.name)
	if err != nil && !errors.Is(err, esclient.ErrNotFound) {
		return g.translate(err)
	}
	return nil
}

// translate says in words of the framework what an error of the client means.
func (g *group) translate(err error) error {
	if errors.Is(err, esclient.ErrNotFound) {
		return fmt.Errorf("%s: %w: there is no such group; make it, or have it made with CreateGroup, create: true in YAML: %w",
			g, source.ErrRefused, err)
	}
	return translate(g, err)
}

// consumer is a persistent subscription of the client in the words of the framework.
type consumer struct {
	group   *group
	sub     *esclient.PersistentSubscription
	timeout time.Duration
}

// Next implements [source.Consumer].
func (c *consumer) Next(ctx context.Context) ([]source.Delivery, error) {
	in, err := c.sub.Next(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, c.group.translate(err)
	}
	out := make([]source.Delivery, len(in.Events))
	for i := range in.Events {
		e := &in.Events[i]
		d := &out[i]
		fill(&d.Event, e)
		d.Position, d.Receipt, d.Retry = c.group.position(e), e.RecordID(), e.RetryCount
		if d.Link != nil && d.Link.Stream == c.group.parked && !d.Link.Unresolved {
			d.Link = nil // how it was parked is nothing to the handler, and its id would be another than the first time
		}
	}
	return out, nil
}

// position is where an event is in the stream of the group; the start if that is not known, as of a parked event that is
// replayed and came from another stream.
func (g *group) position(e *esclient.Event) checkpoint.Position {
	switch {
	case e.Link == nil || e.Link.Stream == g.stream.name:
		return checkpoint.AtNumber(e.RecordNumber())
	case e.Stream == g.stream.name:
		return checkpoint.AtNumber(e.Number)
	}
	return checkpoint.Position{}
}

// Ack implements [source.Consumer].
func (c *consumer) Ack(ids ...uuid.UUID) { c.sub.AckIDs(ids...) }

// Nak implements [source.Consumer].
func (c *consumer) Nak(action source.NakAction, reason string, ids ...uuid.UUID) {
	actions := map[source.NakAction]esclient.NakAction{
		source.NakPark: esclient.NakPark, source.NakRetry: esclient.NakRetry, source.NakSkip: esclient.NakSkip, source.NakStop: esclient.NakStop,
	}
	c.sub.NakIDs(actions[action], reason, ids...)
}

// Flush implements [source.Consumer].
func (c *consumer) Flush(ctx context.Context) error { return c.sub.Flush(ctx) }

// Timeout implements [source.Consumer].
func (c *consumer) Timeout() time.Duration { return c.timeout }

// Close implements [source.Consumer].
func (c *consumer) Close() error {
	c.sub.Stop()
	return nil
}
