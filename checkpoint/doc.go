// Package checkpoint keeps what a projection must not lose: how far it has read, who owns it, and the rows it has built.
//
// A [Store] is one database. A projection is one row in it, holding lease and position together. Whoever acquires the
// lease gets a [Lease], and every change goes through [Lease.Commit]: rows, counters and the new position become
// visible together or not at all, and only while the lease still holds.
//
//	lease, err := store.Acquire(ctx, checkpoint.Claim{Name: "ponies", Owner: "host-1", TTL: 10 * time.Second})
//	if err != nil {
//		return err // errors.Is(err, checkpoint.ErrHeld): someone else owns it
//	}
//	defer lease.Release(ctx)
//	err = lease.Commit(ctx, checkpoint.Change{From: lease.Position(), To: checkpoint.AtNumber(41), Handled: 42})
//
// # Guarantees
//
// Commit moves the position from exactly Change.From to Change.To under the epoch of the lease, as one conditional
// update of one row, touched last. If the row is not as expected, nothing of the transaction stays and Commit returns
// [ErrFenced]. The clock of the database decides when a lease has expired. There are no advisory locks, so a transaction
// pooler may stand in between.
package checkpoint
