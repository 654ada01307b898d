// Package sqlite is a store in one SQLite file, without cgo.
//
//	store, err := sqlite.Open(ctx, "data/projector.db")
//
// The file is in WAL mode, synchronous=FULL: a commit that has returned survives a power cut. The store writes through
// one connection, with BEGIN IMMEDIATE, and reads through others, so that reading does not wait for writing. Several
// processes on one machine may use the file at once; a writer waits for the others up to [WithBusyTimeout]. A slow
// handler inside [checkpoint.Lease.Begin] therefore holds up every other projection in the file: use Postgres where that
// hurts. The file must not lie on a network file system.
//
// # Clock
//
// Leases expire by unixepoch('now', 'subsec') as SQLite evaluates it once the write lock is held: the clock of the
// machine, to the millisecond, which all processes share. A clock that is set forward by more than the ttl makes leases
// expire early; that is safe, for every commit is fenced by its epoch, but it costs a takeover.
//
// # Types
//
//	text     TEXT           bool   INTEGER_BOOL (0, 1)        bytes  BLOB
//	int      INTEGER        time   TIME_TEXT, in UTC, like    json   JSON_TEXT
//	float    REAL                  2026-01-02T03:04:05.000006Z
//	decimal  DECIMAL_TEXT   uuid   UUID_TEXT, lower case      list   TEXT_LIST_…, a JSON array
//
// The declared names tell the types apart when a table is compared with its definition.
package sqlite
