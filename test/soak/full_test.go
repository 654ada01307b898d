package soak

import (
	"context"
	"testing"

	"github.com/photonpump/projector/projector"
)

// TestSoakSQLiteFull lets the file grow no more, as a full disk does, until an event has failed some times.
func TestSoakSQLiteFull(t *testing.T) {
	t.Parallel()
	const every, tries = 200, 3
	d := newDatabase(t, kindSQLite)
	d.exec(t, "CREATE TABLE ballast (b BLOB)")
	w := work{database: d, events: size(t, 1_000, 20_000), batch: 50}
	w.least = w.events / every
	full, failed := map[int64]int{}, 0
	w.before = func(ctx context.Context, tx tx, e projector.Event[jumped]) error {
		i := e.Created.Unix()
		if i%every != every/2 || full[i] > tries {
			return nil
		}
		pages := "1" // SQLite makes this what there is
		if full[i]++; full[i] > tries {
			pages = "1000000000"
		}
		if err := tx.exec(ctx, "PRAGMA max_page_count = "+pages); err != nil { // of this connection
			return err
		}
		err := tx.exec(ctx, "INSERT INTO ballast VALUES (zeroblob(100000))")
		if err != nil {
			failed++
		}
		return err
	}
	w.injected = func() int { return failed / tries }
	w.run(t, "times the disk was full", nil)
}
