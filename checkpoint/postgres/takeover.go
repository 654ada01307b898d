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

// evictPatience is how long a transaction lets itself be blocked by one of an earlier epoch before that is terminated.
// Whoever blocks has lost the lease and cannot commit any more: it either fails at once, or is not coming back.
const evictPatience = 500 * time.Millisecond

// evictBlockers terminates whoever of an earlier epoch blocks the transaction of me, once it has lasted for some time,
// and then again and again. The caller calls stop when its transaction has ended.
func (s *Store) evictBlockers(ctx context.Context, me identity) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	finished := make(chan struct{})
	timer := time.AfterFunc(evictPatience, func() { // ends when stop cancels ctx
		defer close(finished)
		s.evict(ctx, me)
	})
	return func() {
		cancel()
		if !timer.Stop() {
			<-finished
		}
	}
}

// evict does what it can until ctx ends; the transaction that waits reports what comes of it. It uses a connection of
// its own, since those of the pool may all be held by transactions that are blocked.
func (s *Store) evict(ctx context.Context, me identity) {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second) // the caller waits for this
		defer cancel()
		_ = conn.Close(closing)
	}()
	ticker := time.NewTicker(evictPatience)
	defer ticker.Stop()
	for err == nil {
		var b script
		b.add(s.sql.blockers, me.String(), me.pattern(), me.epoch)
		_, _, err = b.run(ctx, conn.PgConn())
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
