package projector_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

// callLog is told of calls of handlers.
type callLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *callLog) OnHandler(projection string, c projector.Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf("%s %q tx=%v %v %v", projection, c.EventType, c.Tx, c.Took, c.Err != nil))
}

func TestHandlerHookSeesEveryCall(t *testing.T) {
	t.Parallel()
	for workers := 1; workers <= 2; workers++ {
		synctest.Test(t, func(t *testing.T) {
			log, store, calls := sourcetest.New(), newStore(), &callLog{}
			fill(log, 1, 1)
			log.Append("pony-0", sourcetest.JSON("pony.born", "{}"))
			failed := false
			p := projector.New("ponies", log.Stream("pony-0"),
				projector.On("pony.jumped", func(context.Context, projector.Event[jumped]) error {
					time.Sleep(time.Second)
					return nil
				}),
				projector.OnAny(func(context.Context, projector.Event[[]byte]) error {
					time.Sleep(time.Minute / 10)
					if failed = !failed; failed {
						panic(errors.New("once"))
					}
					return nil
				}),
				projector.OnTx("pony.jumped", func(_ context.Context, _ *notes, _ projector.Event[jumped]) error {
					time.Sleep(2 * time.Second)
					return nil
				}))
			r := newRunner(t, store, p, projector.Once(), projector.WithBatchSize(1), projector.WithWorkers(workers), projector.WithHooks(calls))
			if err := r.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := []string{
				`ponies "pony.jumped" tx=false 1s false`, `ponies "pony.jumped" tx=true 2s false`,
				`ponies "" tx=false 6s true`, `ponies "" tx=false 6s false`,
			}
			if diff := gocmp.Diff(want, calls.lines); diff != "" {
				t.Errorf("%d workers: %s", workers, diff)
			}
		})
	}
}
