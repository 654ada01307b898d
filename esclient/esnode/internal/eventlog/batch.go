package eventlog

// Batch is what one commit made visible: whole records from a position on. It is valid only during the call of OnCommit.
type Batch struct {
	position int64
	records  []byte
}

// Each calls fn with every event of the batch, in the order of the log. What it gets is valid as long as the batch.
func (b Batch) Each(fn func(Resolved)) {
	pos, rest := b.position, b.records
	for len(rest) >= recordMin {
		r := record(rest[:recordSize(rest)])
		if r.isEvent() {
			fn(Resolved{Event: r.event(), Commit: r.commit(pos), Prepare: pos, Tombstone: r.kind() == kindTombstone})
		}
		pos += int64(len(r))
		rest = rest[len(r):]
	}
}
