package config

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

const pruneFile = `
projections:
  visitors:
    source: {stream: visits}
    key: body.name
    batch: {size: %d}
    cache_rows: %d
    table:
      columns: {name: text, n: int, last: time}
      primary_key: name
      prune: {older_than: 10d, by: last}
    on:
      came: {increment: {n: 1}, max: {last: event.created}}
`

type visit struct {
	name string
	at   time.Time
}

// TestPrunedRowsAreTheSame runs the same events in one go and in many, with a cache and without, with batches of all sizes:
// when rows are deleted makes no difference to any.
func TestPrunedRowsAreTheSame(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const age, events = 10 * 24 * time.Hour, 400
	last := time.Now().UTC().Truncate(time.Second) // the clock of the database goes on where events end
	visits := make([]visit, events)
	for i, at := events-1, last; i >= 0; i-- {
		visits[i] = visit{fmt.Sprint("v", random.IntN(40)), at}
		at = at.Add(-time.Duration(1+random.IntN(12)) * time.Hour)
	}
	want := map[string]map[string]any{}
	for _, v := range visits {
		if row := want[v.name]; row == nil || row["last"].(time.Time).Before(v.at.Add(-age)) {
			want[v.name] = map[string]any{"n": 0.0}
		}
		want[v.name]["n"] = want[v.name]["n"].(float64) + 1
		want[v.name]["last"] = v.at
	}
	var doubtful []string
	for name, row := range want {
		if at := row["last"].(time.Time); at.Equal(last.Add(-age)) {
			doubtful = append(doubtful, name) // it goes within the next minutes
			delete(want, name)
		} else if at.Before(last.Add(-age)) {
			delete(want, name)
		}
	}
	if len(want) < 10 || len(want) == 40 {
		t.Fatalf("%d rows show little", len(want))
	}
	onEachStore(t, func(t *testing.T, store checkpoint.Store) {
		log := sourcetest.New()
		for _, v := range visits {
			e := sourcetest.JSON("came", fmt.Sprintf(`{"name": %q}`, v.name))
			e.Created = v.at
			log.Append("visits", e)
		}
		for name, c := range map[string]struct {
			batch, cache int
			stopped      bool
		}{
			"at once": {5000, 20000, false}, "one by one": {1, 20000, false}, "without a cache": {7, 0, false}, "stopped": {3, 20000, true},
		} {
			cfg := parse(t, fmt.Sprintf(pruneFile, c.batch, c.cache))
			for stops := 0; ; stops++ {
				ctx, cancel := context.WithCancel(t.Context())
				if c.stopped && stops < 3 {
					ctx, cancel = context.WithTimeout(t.Context(), time.Duration(20*stops)*time.Millisecond)
				}
				err := runOnce(ctx, t, store, cfg, log, "visits")
				ended := ctx.Err() != nil
				if cancel(); ended {
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			got := rowsOf(t, store, cfg.Projections[0])
			for _, visitor := range doubtful {
				delete(got, visitor)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if err := store.Reset(t.Context(), "visitors", cfg.Projections[0].Tables()...); err != nil {
				t.Fatal(err)
			}
		}
	})
}
