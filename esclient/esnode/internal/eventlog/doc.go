// Package eventlog is the storage of a node: an append-only log of events, the index of its streams, and the rules by
// which streams are written and read.
//
// # The file
//
// A log is one file, events.log: a header of 64 bytes and then records, one after the other. The position of a record is
// its offset in the file, so the first is at 64, positions only grow, and the position after the last record is the head.
// All integers are little-endian.
//
//	offset  size  field
//	0       4     size of the whole record
//	4       4     CRC-32C of everything from kind up to the trailer, seeded with the position of the record
//	8       1     kind: 1 event, 2 tombstone, 3 empty write, 4 transaction start, 5 transaction write, 6 transaction commit
//	9       1     flags: 1 the write goes on with the next record, 2 event of a transaction, 4 first record of what was
//	              written to disk at once, 8 with 4: without fsync before it
//	10      n     body
//	10+n    4     size again, so that the log can be walked backwards
//
// The body of an event is its EventRecord message exactly as it goes over the wire, so that serving it is a copy. An event
// of a transaction has the 8 bytes of its commit position before that.
//
// A write is all records up to the first without flag 1. It is in the log completely or not at all: when the log is
// opened, an incomplete write at its end is cut off. The position in the checksum makes a record that lies at a wrong
// place as invalid as one with a flipped bit.
//
// A bad record is damage if something was written after an fsync behind it, or if all of its bytes are there. Otherwise it
// belongs to the last thing written before the machine stopped, which may have left holes, and which nobody was told was
// safe.
package eventlog
