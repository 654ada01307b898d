package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/photonpump/projector/checkpoint"
)

// Prune implements [checkpoint.Lease].
func (l *lease) Prune(ctx context.Context, t *checkpoint.Table, now time.Time, limit int) (n int64, err error) {
	if t.Prune == nil {
		return 0, nil
	}
	if now.IsZero() {
		now = time.Now().Add(-checkpoint.PruneMargin) // the database is in this process
	}
	before := now.Add(-t.Prune.OlderThan).UTC()
	if l.released.Load() {
		return 0, l.fenced()
	}
	err = l.store.writer.tx(ctx, func() error {
		if n, err = l.store.writer.exec(l.store.table(t).prune, before.Format(timeLayout), limit); err != nil {
			return tableError(t, -1, err)
		}
		changed, err := l.store.writer.exec(renewSQL, l.name, l.epoch, millis(l.ttl))
		if err == nil && changed != 1 {
			return l.fenced()
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("projection %q: prune: %w", l.name, err)
	}
	return n, nil
}
