package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/cli/internal/progress"
	"github.com/photonpump/projector/projector/source"
)

// lag is how far a position is behind the end of its source.
type lag struct {
	events int64         // -1 = not known
	age    time.Duration // of the oldest event behind the position; 0 = there is none, -1 = not known
	err    error         // why something is not known, if it should be
}

func unknownLag(err error) lag { return lag{events: -1, age: -1, err: err} }

// measureLag asks a source what there is after a position.
func measureLag(ctx context.Context, src source.Source, at checkpoint.Position) lag {
	head, err := src.Head(ctx)
	if err != nil {
		return unknownLag(err)
	}
	if at == head {
		return lag{}
	}
	if order, ok := at.Compare(head); ok && order > 0 {
		return unknownLag(fmt.Errorf("the position %v is beyond the end of %v, which is %v: is this another event store?", at, src, head))
	}
	l, err := readLag(ctx, src, at)
	if known := at.EventsUntil(head); known >= 0 && l.age != 0 {
		l.events = known
	}
	if l.age < 0 {
		l.err = err
	}
	if errors.Is(l.err, context.DeadlineExceeded) {
		l.err = fmt.Errorf("%v did not answer in time", src)
	}
	return l
}

// countedBehind is how many events are counted at most where positions do not count them.
const countedBehind = 10_000

// readLag reads on after a position, to its first event, and to the end if that is not far.
func readLag(ctx context.Context, src source.Source, at checkpoint.Position) (lag, error) {
	l := unknownLag(nil)
	sub, err := src.Subscribe(ctx, at)
	if err != nil {
		return l, err
	}
	defer sub.Close() //nolint:errcheck // nothing more is wanted
	for n := int64(0); n <= countedBehind; {
		b, err := sub.Next(ctx)
		if err != nil {
			return l, err
		}
		if n == 0 && len(b.Events) > 0 {
			l.age = max(time.Millisecond, time.Since(b.Events[0].Created)) // two machines, two clocks
			if _, counts := b.Events[0].Position.Number(); counts {
				return l, nil
			}
		}
		n += int64(len(b.Events))
		if b.Live {
			l.events, l.age = n, max(l.age, 0)
			return l, nil
		}
	}
	return l, nil
}

var errGroupLag = errors.New("a group shares its events among consumers; the event store knows what waits in it")

// measureLags asks for the lag of several positions at once.
func measureLags(ctx context.Context, sources []source.Feed, at []checkpoint.Position) []lag {
	lags := make([]lag, len(sources))
	var asking sync.WaitGroup
	for i, src := range sources {
		asking.Go(func() { // ends with ctx
			if src, ok := src.(source.Source); ok {
				lags[i] = measureLag(ctx, src, at[i])
			} else {
				lags[i] = unknownLag(errGroupLag)
			}
		})
	}
	asking.Wait()
	return lags
}

// String is like "3 events, 2m5s", "none" or "not known".
func (l lag) String() string {
	switch {
	case l.events < 0 && l.age < 0:
		return "not known"
	case l.events == 0 && l.age <= 0:
		return "none"
	case l.events < 0:
		return progress.Age(l.age)
	case l.age < 0:
		return plural(l.events, "event")
	}
	return plural(l.events, "event") + ", " + progress.Age(l.age)
}

// seconds is -1 where the age is not known.
func (l lag) seconds() float64 {
	if l.age < 0 {
		return -1
	}
	return l.age.Seconds()
}
