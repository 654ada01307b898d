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
	batches chan source.Batch // closed at the end; then err says why
	err     error
	stop    context.CancelFunc
	running sync.WaitGroup
}

func open(ctx context.Context, src source.Source, after checkpoint.Position) (*intake, error) {
	sub, err := src.Subscribe(ctx, after)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s after %v: %w", src, after, err)
	}
	ctx, stop := context.WithCancel(ctx)
	in := &intake{batches: make(chan source.Batch, 1), stop: stop}
	in.running.Go(func() { in.run(ctx, sub) }) // ends with ctx or the subscription
	return in, nil
}

func (in *intake) run(ctx context.Context, sub source.Subscription) {
	defer close(in.batches)
	defer sub.Close() //nolint:errcheck // nothing can be lost any more
	for {
		batch, err := sub.Next(ctx)
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
