package postgres

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// identity is what a transaction calls itself in application_name, so that a later owner recognises it.
type identity struct {
	projection string // hash of schema and name
	epoch      int64
}

func (i identity) String() string {
	return "projector " + i.projection + " " + strconv.FormatInt(i.epoch, 10)
}

// pattern matches the transactions of the same projection, for LIKE.
func (i identity) pattern() string { return "projector " + i.projection + " %" }

// hash names a projection in a few letters: application_name holds 63 bytes, and no other characters than ASCII.
func (s *Store) hash(name string) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q.%q", s.schema, name)
	return fmt.Sprintf("%016x", h.Sum64())
}

// evictAfter terminates whoever of an earlier epoch still blocks the transaction of me after a time, and then again and
// again. The caller calls stop when its transaction has ended.
func (s *Store) evictAfter(ctx context.Context, patience time.Duration, me identity) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	finished := make(chan struct{})
	timer := time.AfterFunc(patience, func() { // ends when stop cancels ctx
		defer close(finished)
		ticker := time.NewTicker(patience)
		defer ticker.Stop()
		for {
			s.evict(ctx, me)
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
	return func() {
		cancel()
		if !timer.Stop() {
			<-finished
		}
	}
}

// evict does what it can; the transaction that waits reports what comes of it. It uses a connection of its own, since
// the pool may be waited for by the very transactions that are blocked.
func (s *Store) evict(ctx context.Context, me identity) {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var b script
	b.add(s.sql.blockers, me.String(), me.pattern(), me.epoch)
	_, _, _ = b.run(ctx, conn.PgConn())
}
