package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/photonpump/projector/checkpoint"
)

// Prune implements [checkpoint.Lease]. The row of the lease is touched last, as in a commit.
func (l *lease) Prune(ctx context.Context, t *checkpoint.Table, now time.Time, limit int) (n int64, err error) {
	if t.Prune == nil {
		return 0, nil
	}
	if l.released.Load() {
		return 0, l.fenced()
	}
	var b script
	b.add(l.store.sql.settings, l.identity().String())
	if now.IsZero() {
		b.add(l.store.table(t).pruneByClock, micros(t.Prune.OlderThan+checkpoint.PruneMargin), int64(limit))
	} else {
		b.add(l.store.table(t).prune, now.Add(-t.Prune.OlderThan).UTC(), int64(limit))
	}
	b.add("WITH held AS ("+l.store.sql.renew+") SELECT 1 / count(*) FROM held", l.name, l.epoch, micros(l.ttl))
	err = l.store.with(ctx, func(conn *pgxpool.Conn) error {
		stop := l.store.evictBlockers(ctx, l.identity())
		defer stop()
		results, failed, err := b.run(ctx, conn.Conn().PgConn())
		switch {
		case err == nil:
			n = decodeInt(results[1][0][0])
			return nil
		case failed == 1:
			return tableError(t, err)
		case failed == 2 && isState(err, "22012"):
			return l.fenced()
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("projection %q: prune: %w", l.name, err)
	}
	return n, nil
}

// pruneSQL deletes the oldest rows and counts them. before says what they are older than.
func pruneSQL(name string, t *checkpoint.Table, before string) string {
	at := quote(t.Prune.Column)
	return fmt.Sprintf(`WITH old AS (DELETE FROM %s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %s WHERE %s < %s ORDER BY %s LIMIT $2)) RETURNING 1)
		SELECT count(*) FROM old`, name, name, at, before, at)
}
