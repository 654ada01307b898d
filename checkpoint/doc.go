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
//
// # Errors
//
// [Store.Classify] tells what kind of failure an error is, whichever driver it came from: the database is not there
// ([ClassUnavailable]: wait and try again), it refuses the values ([ClassData]: trying again gives the same answer, and a
// *[RowError] says where if that is known), or somebody must change something ([ClassConfiguration]). [ErrFenced] and
// [ErrHeld] are decisions of their own, to be asked for with errors.Is before the class. After an error of a commit that
// is neither [ErrFenced] nor about data the outcome may be unknown: acquire the lease again, and look at its position.
//
// # Values
//
// What a column can hold does not depend on the database: see [Column.Canonical] for what every store refuses, and
// [Type] for the Go values of a row. Rows come back in the order of their key, text and bytes bytewise.
//
// # Parked events and commands
//
// A [ParkingStore] also keeps events that could not be handled, in the order in which they were put aside, and commands
// for the owner of a projection. Both change only together with the position, in [Change].Parking, except that anybody
// may send a command.
package checkpoint
