package eventlog

import (
	"encoding/binary"
	"hash/crc32"
)

type kind byte

const (
	kindEvent     kind = 1
	kindTombstone kind = 2
	kindEmpty     kind = 3
	kindTxStart   kind = 4
	kindTxWrite   kind = 5
	kindTxCommit  kind = 6
)

const (
	flagMore        = 1 // the write goes on with the next record
	flagTransaction = 2 // the body begins with the position of the commit record
	flagBatch       = 4 // the first record of what was written to disk at once
	flagUnsynced    = 8 // with flagBatch: what lies before it was perhaps not yet on disk
)

const (
	recordHead    = 10
	recordTrailer = 4
	recordMin     = recordHead + recordTrailer

	// recordMax is the largest record: an event of 16 MiB - 10,000 bytes and its names.
	recordMax = 1<<24 - 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(pos int64, covered []byte) uint32 {
	return crc32.Update(uint32(pos)^uint32(pos>>32), castagnoli, covered)
}

// beginRecord appends the head of a record; sealRecord completes it once its body has been appended.
func beginRecord(dst []byte, k kind, flags byte) []byte {
	return append(dst, 0, 0, 0, 0, 0, 0, 0, 0, byte(k), flags)
}

// sealRecord completes the record that begins at dst[at] and lies at pos in the log.
func sealRecord(dst []byte, at int, pos int64) []byte {
	size := uint32(len(dst) - at + recordTrailer)
	binary.LittleEndian.PutUint32(dst[at:], size)
	binary.LittleEndian.PutUint32(dst[at+4:], checksum(pos, dst[at+8:]))
	return binary.LittleEndian.AppendUint32(dst, size)
}

// record is a whole record as it lies in the log.
type record []byte

func recordSize(b []byte) int   { return int(binary.LittleEndian.Uint32(b)) }
func (r record) kind() kind     { return kind(r[8]) }
func (r record) more() bool     { return r[9]&flagMore != 0 }
func (r record) inTx() bool     { return r[9]&flagTransaction != 0 }
func (r record) body() []byte   { return r[recordHead : len(r)-recordTrailer] }
func (r record) batch() bool    { return r[9]&flagBatch != 0 }
func (r record) unsynced() bool { return r[9]&flagUnsynced != 0 }
func (r record) isEvent() bool  { return r.kind() == kindEvent || r.kind() == kindTombstone }
func (r record) movesCommit() bool {
	return r.kind() != kindTxStart && r.kind() != kindTxWrite && !r.inTx()
}

func (r record) commit(p int64) int64 {
	if r.inTx() {
		return int64(binary.LittleEndian.Uint64(r[recordHead:]))
	}
	return p
}

// event returns the EventRecord message of an event.
func (r record) event() []byte {
	if r.inTx() {
		return r.body()[8:]
	}
	return r.body()
}

// parseRecord returns the record at the start of b, or why there is none. more says that b is too short to tell.
func parseRecord(b []byte, pos int64) (r record, more bool, reason string) {
	if len(b) < recordHead {
		return nil, true, "the record is cut short"
	}
	size := recordSize(b)
	if size < recordMin || size > recordMax {
		return nil, false, "impossible record size"
	}
	if len(b) < size {
		return nil, true, "the record is cut short"
	}
	r = record(b[:size])
	if recordSize(b[size-recordTrailer:]) != size {
		return nil, false, "the sizes at both ends of the record differ"
	}
	if checksum(pos, r[8:size-recordTrailer]) != binary.LittleEndian.Uint32(b[4:]) {
		return nil, false, "checksum mismatch"
	}
	if r.inTx() && size < recordMin+8 {
		return nil, false, "the record is too short for its kind"
	}
	return r, false, ""
}
