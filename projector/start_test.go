package projector_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

func TestOnTxMustFitTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := sourcetest.New()
		fill(log, 1, 1)
		wrong := func(context.Context, *strings.Builder, projector.Event[jumped]) error { return nil }
		r := newRunner(t, newStore(), projector.New("ponies", log.Stream("pony-0"), projector.OnTx("pony.jumped", wrong)))
		stopped := asStopped(t, r.Run(t.Context()))
		if stopped.Class != projector.ClassConfiguration || !strings.Contains(stopped.Error(), `"pony.jumped" wants a transaction of type *strings.Builder, the store gives *projector_test.notes`) {
			t.Errorf("%v: %v", stopped.Class, stopped)
		}
	})
}

func TestIdentityOfTheLog(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(log *sourcetest.Log)
		want   string // in the reason; empty = runs on
	}{
		{"another log", func(l *sourcetest.Log) { l.Wipe(); fill(l, 1, 12) }, "at position 9 there is event"},
		{"shorter log", func(l *sourcetest.Log) { l.Wipe(); fill(l, 1, 3) }, "the log ends earlier"},
		{"empty log", func(l *sourcetest.Log) { l.Wipe() }, "the log ends earlier"},
		{"truncated behind the position", func(l *sourcetest.Log) { fill(l, 1, 2); l.Truncate("pony-0", 5) }, ""},
		{"truncated ahead of the position", func(l *sourcetest.Log) { fill(l, 1, 5); l.Truncate("pony-0", 12) }, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, store, tab := sourcetest.New(), newStore(), newTally("jumps")
				fill(log, 1, 10)
				run := func() error {
					return newRunner(t, store, projector.New("ponies", log.Stream("pony-0"), tab), projector.Once()).Run(t.Context())
				}
				if err := run(); err != nil {
					t.Fatal(err)
				}
				before := stored(t, store)
				tc.change(log)
				err := run()
				if tc.want == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if !errors.Is(err, projector.ErrOtherLog) || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("got %v", err)
				}
				if got := counts(t, store, tab)["pony-0"]; got != 10 {
					t.Errorf("row says %d", got)
				}
				if after := stored(t, store); after.Position != before.Position || after.LastEvent != before.LastEvent {
					t.Errorf("overwritten: %+v", after)
				}
			})
		})
	}
}

func TestChangedDefinitionRefusesToGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store, tab := sourcetest.New(), newStore(), newTally("jumps")
		fill(log, 1, 10)
		run := func() error {
			return newRunner(t, store, projector.New("ponies", log.Stream("pony-0"), tab), projector.Once()).Run(t.Context())
		}
		if err := run(); err != nil {
			t.Fatal(err)
		}
		tab.print = "v2"
		if err := run(); !errors.Is(err, checkpoint.ErrDefinitionChanged) {
			t.Errorf("got %v", err)
		}
		tab.table = newTally("jumps").table
		tab.table.Columns[1].Type.Base = checkpoint.Float
		if err := run(); !errors.Is(err, checkpoint.ErrDefinitionChanged) || !errors.Is(err, checkpoint.ErrDrift) {
			t.Errorf("got %v", err)
		}
	})
}
