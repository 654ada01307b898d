package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/photonpump/projector/checkpoint"
)

// Prune implements [checkpoint.Lease].
func (l *lease) Prune(ctx context.Context, def *checkpoint.Table, now time.Time, limit int) (int64, error) {
	if def.Prune == nil {
		return 0, nil
	}
	p, err := l.lock(ctx)
	if err != nil {
		return 0, err
	}
	defer l.store.mu.Unlock()
	t, err := l.store.table(def)
	if err != nil {
		return 0, err
	}
	if now.IsZero() {
		now = l.store.now().Add(-checkpoint.PruneMargin)
	}
	at := t.def.Column(def.Prune.Column)
	var old []string
	for key, row := range t.rows {
		if def.Prune.Expired(row[at], now) {
			old = append(old, key)
		}
	}
	slices.SortFunc(old, func(a, b string) int {
		return cmp.Or(t.rows[a][at].(time.Time).Compare(t.rows[b][at].(time.Time)), cmp.Compare(a, b))
	})
	old = old[:min(len(old), limit)]
	for _, key := range old {
		t.unindex(key)
		delete(t.rows, key)
	}
	p.Expires = l.store.now().Add(l.ttl)
	return int64(len(old)), nil
}
