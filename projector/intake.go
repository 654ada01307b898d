package projector

import (
	"context"
	"fmt"
	"sync"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// intake reads a subscription ahead of the work: one batch waits in the channel, the next is being received.
type intake struct {
	sub     source.Subscription
	batches chan source.Batch // closed at the end; then err says why
	err     error
	stop    context.CancelFunc
	running sync.WaitGroup
}

func open(ctx context.Context, t *task, after checkpoint.Position) (*intake, error) {
	sub, err := t.subscribe(ctx, after)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s after %v: %w", t.p.source, after, err)
	}
	ctx, stop := context.WithCancel(ctx)
	in := &intake{sub: sub, batches: make(chan source.Batch, 1), stop: stop}
	in.running.Go(func() { in.run(ctx) }) // ends with ctx or the subscription
	return in, nil
}

func (t *task) subscribe(ctx context.Context, after checkpoint.Position) (source.Subscription, error) {
	switch {
	case t.shard != nil:
		return t.shard.subscribe(ctx, after)
	case t.hub != nil:
		return t.hub.subscribe(ctx, t, after)
	}
	return t.p.source.Subscribe(ctx, after)
}

// absent tells those who would read the same that this one does not, for now.
func (t *task) absent() {
	if t.hub != nil {
		t.hub.absent(t)
	}
}

func (in *intake) run(ctx context.Context) {
	defer close(in.batches)
	defer in.sub.Close() //nolint:errcheck // nothing can be lost any more
	for {
		batch, err := in.sub.Next(ctx)
		if err != nil {
			in.err = err
			return
		}
		select {
		case in.batches <- batch:
		case <-ctx.Done():
			in.err = ctx.Err()
			return
		}
	}
}

// close ends the reading and waits for it.
func (in *intake) close() {
	in.stop()
	in.running.Wait()
}

// abandon ends a subscription that has stalled. One that is shared ends for all who share it.
func (in *intake) abandon() {
	if f, shared := in.sub.(*follower); shared {
		f.abandon()
	}
	in.close()
}
