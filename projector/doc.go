// Package projector runs projections: handlers and tables that are kept up to date from an event log.
//
//	ponies := projector.New("ponies", source,
//		projector.On("pony.born", func(ctx context.Context, e projector.Event[PonyBorn]) error {
//			return mail.Congratulate(ctx, e.Body.Name, e.IdempotencyKey())
//		}),
//		projector.OnTx("pony.jumped", func(ctx context.Context, tx pgx.Tx, e projector.Event[PonyJumped]) error {
//			_, err := tx.Exec(ctx, "UPDATE ponies SET jumps = jumps + 1 WHERE name = $1", e.Body.Name)
//			return err
//		}))
//	runner, err := projector.NewRunner(store, []*projector.Projection{ponies})
//	if err != nil {
//		return err
//	}
//	return runner.Run(ctx)
//
// Tables that are folded from events, the third way and the fastest, are in package readmodel.
//
// # Guarantees
//
// Tables and [OnTx]: effectively once. Rows and position commit together or not at all, also when the process is killed, the
// network is cut, or two processes believe that they own the projection. The transaction moves the position from exactly where
// the owner believes it is, under the epoch of its lease.
//
// [On]: at least once, in order for each ordering key. After a crash the events since the last commit are handled again, with
// the same [Envelope.IdempotencyKey]. An owner that has lost its lease may still finish the call it was in;
// [Envelope.FencingToken] lets the target refuse it.
//
// No event is passed over silently: it is handled, ignored because no part wants its type, skipped because a policy or handler
// says so, parked, or the projection stops and says why.
//
// # Errors
//
// A body that cannot be decoded is not tried again. A handler that fails, panics or takes too long is tried again, as
// [RetryPolicy] says; then the event is parked: put aside in the store, together with later events of its ordering key (see
// [OrderBy]), while other keys go on. What is parked is handled again on command. An outage, of the database, the network, or
// what a handler calls [Unavailable], is waited for, and parks nothing; and several different keys that fail in a row are taken
// for one. What does not get better by itself, such as a missing table, stops the projection. A projection that has stopped
// does not stop the others.
//
// # Several processes
//
// Any number of processes may run the same projections on one store. Each projection has one owner at a time, by a lease; the
// others wait ([StateStandby]) and one of them takes over when the lease is released or runs out. One that is divided into
// [Shards] has a lease for each, which the live processes share evenly; all that is said here holds for each shard.
package projector
