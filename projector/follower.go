package projector

import (
	"context"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// follower is the subscription of one projection, or of a shard.
type follower struct {
	hub      *hub
	shard    *shard // nil = gets all events
	position checkpoint.Position

	feed   *feed // nil = reads alone
	next   int64 // number of the next batch
	skip   int   // so many of its events were had already
	joined int64 // batches from here on were made after it began to follow
	owed   bool  // it was not told whether it is at the end

	own      source.Subscription // nil = none
	splitter *splitter           // of own
	failed   error               // of splitter: there will be no more
}

var _ source.Subscription = (*follower)(nil)

// Next implements [source.Subscription].
func (f *follower) Next(ctx context.Context) (source.Batch, error) {
	for {
		f.hub.mu.Lock()
		fd := f.feed
		if fd == nil {
			f.hub.mu.Unlock()
			return f.alone(ctx)
		}
		b, ok, err := f.take()
		more, owed := fd.more, f.owed
		f.hub.mu.Unlock()
		if ok || err != nil {
			return b, err
		}
		if owed {
			f.owed = false
			if b, ok, err := f.atEnd(ctx); ok || err != nil {
				return b, err
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			return source.Batch{}, ctx.Err()
		}
	}
}

// take returns the next batch of the feed, if there is one. Only a batch made after he began to follow can tell him that he
// is at the end: there may have been more by then.
func (f *follower) take() (b source.Batch, ok bool, err error) {
	fd := f.feed
	i := f.next - fd.first
	if i == int64(len(fd.batches)) {
		return source.Batch{}, false, fd.err
	}
	shared := fd.batches[i]
	b = shared.Batch
	b.Events = b.Events[f.skip:]
	f.skip = 0
	last := i == int64(len(fd.batches))-1
	fresh := f.next >= f.joined
	f.owed = b.Live && last && !fresh
	b.Live = b.Live && last && fresh
	f.next++
	b = f.part(b, shared.split)
	f.position = b.Position
	fd.taken()
	return b, true, nil
}

// atEnd asks the source itself whether he is at the end. The mutex is not held.
func (f *follower) atEnd(ctx context.Context) (source.Batch, bool, error) {
	head, err := f.hub.src.Head(ctx)
	if err != nil {
		return source.Batch{}, false, err
	}
	if order, ok := f.position.Compare(head); ok && order < 0 {
		return source.Batch{}, false, nil // more is on its way
	}
	return f.part(source.Batch{Position: f.position, Live: true}, nil), true, nil
}

// alone reads his own subscription, until he is where the feed is. The mutex is not held.
func (f *follower) alone(ctx context.Context) (source.Batch, error) {
	if f.failed != nil {
		return source.Batch{}, f.failed
	}
	if f.own == nil {
		own, err := f.hub.src.Subscribe(ctx, f.position)
		if err != nil {
			return source.Batch{}, err
		}
		f.own, f.splitter = own, f.hub.splitter(f.position)
	}
	b, err := f.own.Next(ctx)
	if err != nil {
		return b, err
	}
	if f.shard != nil {
		var shared sharedBatch
		shared, f.failed = f.splitter.split(b, f.shard.index)
		b = f.part(shared.Batch, shared.split)
	}
	f.position = b.Position
	if f.failed != nil {
		return b, nil
	}
	f.hub.mu.Lock()
	joined := f.hub.feed != nil && f.hub.feed.join(f)
	f.hub.mu.Unlock()
	if joined {
		f.owed = f.owed && !b.Live
		own := f.own
		f.own = nil
		return b, own.Close()
	}
	return b, nil
}

// abandon ends the feed for all who follow it: it delivers nothing although it should.
func (f *follower) abandon() {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	if fd := f.feed; fd != nil {
		fd.fail(errStalled)
		if fd.outer != nil {
			fd.outer.abandon()
		}
	}
}

// Close implements [source.Subscription].
func (f *follower) Close() error {
	f.hub.mu.Lock()
	fd := f.feed
	last := false
	if fd != nil {
		f.feed = nil
		delete(fd.followers, f)
		if last = len(fd.followers) == 0; last {
			fd.fail(context.Canceled)
		}
		fd.taken()
	}
	f.hub.mu.Unlock()
	if last {
		<-fd.done
	}
	if f.own != nil {
		return f.own.Close()
	}
	return nil
}
