package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

// What befalls a process at one event. Each kind of code is met by it in turn.
const (
	stopBetween = "stopped while no transaction is open"
	stopInTx    = "stopped inside a transaction"
	stopInCopy  = "stopped inside COPY"

	exitInHandler = "exits in a handler"
	exitInTx      = "exits in a handler in a transaction"
	exitInFold    = "exits while it folds a row"

	stuck = "a handler never returns"

	outOfMemory = "runs out of memory"                         // at any time
	failsUntil  = "some streams fail until there is the file " // the name follows
)

// exitCode is that of a process which exits because of its fault.
const exitCode = 7

// projections are those of a process, with its fault.
func (j *job) projections(src *sourcetest.Source) []*projector.Projection {
	at := func(fault string, e projector.Event[jumped]) bool { return j.Fault == fault && isEvent(e, j.At) }
	exit := func(fault string, e projector.Event[jumped]) {
		if at(fault, e) {
			os.Exit(exitCode)
		}
	}
	parts := []projector.Part{
		tableWith(func(e projector.Event[jumped]) error { exit(exitInFold, e); return nil }),
		j.Database.audit(j.fail, func(ctx context.Context, tx tx, e projector.Event[jumped]) error {
			exit(exitInTx, e)
			if at(stopInTx, e) {
				stop()
			}
			if at(stopInCopy, e) {
				return j.copyAndStop(ctx, tx.native)
			}
			return nil
		}),
	}
	if j.Fault == stopBetween || j.Fault == exitInHandler {
		parts = append(parts, projector.On("pony.jumped", func(_ context.Context, e projector.Event[jumped]) error {
			exit(exitInHandler, e)
			if at(stopBetween, e) {
				fmt.Println("stopping")
				awaitWaking()
			}
			return nil
		}))
	}
	all := []*projector.Projection{projector.New("ponies", src, parts...).With(byStream(), projector.Shards(max(1, j.Shards)))}
	if j.Fault == stuck {
		all = append(all, projector.New("stuck", src, projector.On("pony.jumped", func(_ context.Context, e projector.Event[jumped]) error {
			if at(stuck, e) {
				neverReturns()
			}
			return nil
		})))
	}
	return all
}

// fail fails events of some streams until a file is there.
func (j *job) fail(_ context.Context, _ tx, e projector.Event[jumped]) error {
	file, ok := strings.CutPrefix(j.Fault, failsUntil)
	if !ok || !slices.Contains(badStreams, e.Stream) {
		return nil
	}
	_, err := os.Stat(file)
	return err
}

func neverReturns() { select {} }

// exhaust uses up all memory, after a while.
func exhaust() {
	time.Sleep(time.Duration(50+rand.IntN(500)) * time.Millisecond)
	for hoard := [][]byte{}; ; runtime.KeepAlive(hoard) {
		b := make([]byte, 16<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		hoard = append(hoard, b)
	}
}

// stop stops the process until somebody wakes it.
func stop() {
	fmt.Println("stopping")
	if err := stopMyself(); err != nil {
		panic(err)
	}
}

// copyAndStop stops in the middle of COPY. The server has begun with it: more has been written than the buffers on this
// side hold.
func (j *job) copyAndStop(ctx context.Context, tx pgx.Tx) error {
	n := 0
	_, err := tx.CopyFrom(ctx, pgx.Identifier{j.Database.Schema, "audit"}, []string{"stream", "number"}, pgx.CopyFromFunc(func() ([]any, error) {
		if n++; n < 20_000 {
			return []any{"copied by a process that was stopped", int64(-n)}, nil
		}
		stop()
		return nil, nil
	}))
	if err == nil {
		return errors.New("the server has let it go on")
	}
	return err
}
