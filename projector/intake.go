package projector

import (
	"context"
	"fmt"
	"sync"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// intake reads ahead of the work: a batch waits in the channel while the next is being received.
type intake[B any] struct {
	batches chan B // closed at the end; then err says why
	err     error
	stop    context.CancelFunc
	running sync.WaitGroup
}

// receive reads with next until that fails or ctx ends; then it calls done. So many batches wait.
func receive[B any](ctx context.Context, waiting int, next func(context.Context) (B, error), done func()) *intake[B] {
	ctx, stop := context.WithCancel(ctx)
	in := &intake[B]{batches: make(chan B, waiting), stop: stop}
	in.running.Go(func() {
		defer close(in.batches)
		defer done()
		in.err = in.run(ctx, next)
	})
	return in
}

func (in *intake[B]) run(ctx context.Context, next func(context.Context) (B, error)) error {
	for {
		batch, err := next(ctx)
		if err != nil {
			return err
		}
		select {
		case in.batches <- batch:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// close ends the reading and waits for it.
func (in *intake[B]) close() {
	in.stop()
	in.running.Wait()
}

// subscriber is the intake of a subscription.
type subscriber struct {
	*intake[source.Batch]
	sub source.Subscription
}

func open(ctx context.Context, t *task, after checkpoint.Position) (*subscriber, error) {
	sub, err := t.subscribe(ctx, after)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s after %v: %w", t.p.source, after, err)
	}
	closed := func() { _ = sub.Close() } // nothing can be lost any more
	return &subscriber{receive(ctx, 1, sub.Next, closed), sub}, nil
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

// abandon ends a subscription that has stalled. One that is shared ends for all who share it.
func (in *subscriber) abandon() {
	if f, shared := in.sub.(*follower); shared {
		f.abandon()
	}
	in.close()
}
