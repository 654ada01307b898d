package projector

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/photonpump/projector/checkpoint"
)

// errGivenUp ends the work on a shard that another process is to have.
var errGivenUp = errors.New("given up to another process")

// shardSet runs those shards of a projection that this process owns. Each is a task with a lease, a session and a board of its
// own; the set decides which to own, and reads for all of them.
type shardSet struct {
	*task // of the whole: it has no lease
	n     int
	store checkpoint.ShardStore
	hub   *hub
	all   []*shard

	mu      sync.Mutex // guards what follows and the shares
	showing sync.Mutex // the state of the whole is being worked out
	surplus int        // beats in a row in which this process had more than its part
	changed chan struct{}
}

// shard is one part of a projection.
type shard struct {
	*task
	set   *shardSet
	index int

	granted bool               // may be acquired
	joining bool               // has not subscribed since
	giveUp  context.CancelFunc // ends the work on it; nil = it is not owned
	given   bool               // giveUp was called
	done    bool               // has come to its end, here or elsewhere
}

func newShardSet(t *task, store checkpoint.ShardStore) *shardSet {
	ss := &shardSet{task: t, n: t.cfg.shards, store: store, changed: make(chan struct{})}
	ss.hub = &hub{src: t.p.source, shards: ss}
	for i := range ss.n {
		c := newTask(t.p, store, t.opts, t.cfg)
		c.lease = checkpoint.ShardName(t.p.name, i, ss.n)
		c.log = t.log.With(keyShard, i)
		c.ensured, c.cfg.findStart = true, nil // done for all of them
		s := &shard{task: c, set: ss, index: i}
		c.shard = s
		c.board.up = ss.show
		ss.all = append(ss.all, s)
	}
	return ss
}

// work runs the shards until stop has ended, all have come to their end, or one stops for a reason: then the others finish
// what they have in hand, as the projection is one thing.
func (ss *shardSet) work(stop, hard context.Context) error {
	defer ss.absent()
	if err := ss.prepare(stop); err != nil || stop.Err() != nil {
		return ss.stopped(err)
	}
	ctx, cancel := context.WithCancel(stop)
	defer cancel()
	var errs [checkpoint.MaxShards]error
	var working, meeting sync.WaitGroup
	meeting.Go(func() { ss.meet(ctx) }) // ends with ctx
	for i, s := range ss.all {
		working.Go(func() { // ends with ctx, or as task.work does
			var own *barrier
			if errs[i] = s.work(ctx, hard); errs[i] != nil && !errors.As(errs[i], &own) {
				cancel()
			}
		})
	}
	working.Wait()
	cancel()
	meeting.Wait()
	for _, err := range errs {
		if err != nil { // the others have ended because of it
			ss.board.set(StateStopped, err.Error())
			return err
		}
	}
	return ss.stopped(nil)
}

// prepare does what is done once for all shards. An outage is waited for.
func (ss *shardSet) prepare(stop context.Context) error {
	delays := ss.cfg.retry.delays()
	for {
		err := ss.divide(stop)
		switch {
		case err == nil, stop.Err() != nil:
			return nil
		case classifySystem(ss.store, err) != ClassInfrastructure:
			return err
		}
		ss.pause(stop, delays.NextBackOff(), err)
	}
}

func (ss *shardSet) divide(ctx context.Context) error {
	if err := ss.ensureTables(ctx); err != nil {
		return err
	}
	if err := ss.findStart(ctx); err != nil {
		return err
	}
	err := ss.store.Divide(ctx, checkpoint.Division{
		Name: ss.p.name, Shards: ss.n, Fingerprint: ss.p.Fingerprint(), Start: ss.cfg.start,
	})
	if err != nil || !ss.opts.once {
		return err
	}
	return ss.aim(ctx)
}

// aim sets the target of all shards: where the source ends now, or where the foremost is if that is further. They end exactly
// there, so that their number can be changed then.
func (ss *shardSet) aim(ctx context.Context) error {
	target, err := ss.p.source.Head(ctx)
	if err != nil {
		return fmt.Errorf("ask for the end of %s: %w", ss.p.source, err)
	}
	known, err := ss.stored(ctx)
	if err != nil {
		return err
	}
	for i := range known.Shards {
		if order, ok := known.Shards[i].Position.Compare(target); ok && order > 0 {
			target = known.Shards[i].Position
		}
	}
	ss.target = &target
	ss.aimed(target)
	for _, s := range ss.all {
		s.target = &target
	}
	return nil
}

func (ss *shardSet) aimed(head checkpoint.Position) {
	ss.board.head(head)
	for _, s := range ss.all {
		s.board.head(head)
	}
}

// watchHead publishes where the source ends, asked once for all shards.
func (ss *shardSet) watchHead(ctx context.Context) {
	for {
		head, err := ss.askHead(ctx)
		switch {
		case err == nil:
			ss.aimed(head)
		case ctx.Err() == nil:
			for _, s := range ss.all {
				s.board.unreachable(err)
			}
			ss.board.unreachable(err)
			ss.log.Debug("end of the source not known", keyErr, err)
		}
		if !sleep(ctx, headEvery) {
			return
		}
	}
}
