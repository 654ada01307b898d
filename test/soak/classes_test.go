package soak

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

// TestBadEvents has one event of each kind that cannot be handled among good ones. Each is parked with its own class, or ignored;
// all others are handled. The order of the bad ones is another one each time.
func TestBadEvents(t *testing.T) {
	t.Parallel()
	size(t, 0, 0)
	const good = 50
	jump := `{"name":"pony","height":1}`
	bad := map[string]struct {
		eventType, body, class string // empty = ignored
	}{
		"undecodable": {"pony.jumped", `{"name":`, "decode"},
		"upcast":      {"pony.leapt", jump, "decode"},
		"unknown":     {"pony.slept", jump, ""},
		"error":       {"pony.jumped", jump, "handler"},
		"panic":       {"pony.jumped", jump, "handler"},
		"late":        {"pony.jumped", jump, "handler"},
		"null":        {"pony.jumped", jump, "handler"},
		"refused":     {"pony.jumped", jump, "handler"},
	}
	upcasters, err := codec.NewUpcasters([]codec.Schema{{Type: "pony.jumped", Version: 1}}, []codec.Upcast{{
		From: codec.Schema{Type: "pony.leapt", Version: 1}, To: codec.Schema{Type: "pony.jumped", Version: 1},
		Fn: func([]byte, []byte) ([]byte, error) { return nil, errors.New("it did not leap") },
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{kindSQLite, kindPostgres} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := newDatabase(t, kind)
			d.exec(t, "CREATE TABLE "+d.name("strict")+" (n bigint NOT NULL CHECK (n < 10))")
			strict := "INSERT INTO " + d.name("strict") + " VALUES ($1)"
			log := sourcetest.New()
			for i := range good {
				log.Append(fmt.Sprintf("good-%d", i), sourcetest.JSON("pony.jumped", jump))
				if i == good/2 {
					for stream, b := range bad {
						log.Append(stream, sourcetest.JSON(b.eventType, b.body))
					}
				}
			}
			p := projector.New("ponies", log.All(nil), d.inTx(func(ctx context.Context, tx tx, e projector.Event[jumped]) error {
				switch e.Stream {
				case "error":
					return errors.New("no")
				case "panic":
					panic("no")
				case "late":
					<-ctx.Done()
					return ctx.Err()
				case "null":
					return tx.exec(ctx, strict, nil)
				case "refused":
					return tx.exec(ctx, strict, 10)
				}
				return tx.exec(ctx, strict, 1)
			}))
			retry := projector.RetryPolicy{Attempts: 3, Delay: time.Millisecond, MaxDelay: 10 * time.Millisecond, Then: projector.ActionPark}
			store := d.store(t)
			r, err := projector.NewRunner(store, []*projector.Projection{p}, projector.Once(), projector.WithRetry(retry),
				projector.WithHandlerTimeout(300*time.Millisecond), projector.WithUpcasters(upcasters))
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			parked, err := store.(checkpoint.ParkingStore).Parked(t.Context(), "ponies", nil, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, p := range parked {
				got[p.Stream] = p.Class
				t.Logf("%s, %s: %s after %d attempts: %.100s", kind, p.Stream, p.Class, p.Attempts, strings.ReplaceAll(p.Error, "\n", " "))
			}
			want := map[string]string{}
			for stream, b := range bad {
				if b.class != "" {
					want[stream] = b.class
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if st := stored(t, store); st.Handled != good || st.Ignored != 1 {
				t.Errorf("stored %+v", st)
			}
		})
	}
}
