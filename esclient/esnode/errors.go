package esnode

import (
	"errors"
	"fmt"
)

var (
	// ErrLocked says that another process has the log open. The error that wraps it is a [*LockedError].
	ErrLocked = errors.New("log is locked by another process")

	// ErrCorrupt says that the log on disk holds bytes that were not written by a node. The error that wraps it is a
	// [*CorruptError].
	ErrCorrupt = errors.New("log is damaged")

	// ErrInvalidOption wraps every mistake in the options of [Start]; all of them are reported at once.
	ErrInvalidOption = errors.New("invalid option")
)

// LockedError is the error of [Start] when another process has the log open. That process can be used instead: it
// serves the same log at URL.
type LockedError struct {
	Dir string // the folder of the log
	URL string // where the other process listens, as far as it said so; may be ""
}

func (e *LockedError) Error() string {
	if e.URL == "" {
		return fmt.Sprintf("open %s: %v", e.Dir, ErrLocked)
	}
	return fmt.Sprintf("open %s: %v, which listens at %s", e.Dir, ErrLocked, e.URL)
}

// Unwrap returns [ErrLocked].
func (e *LockedError) Unwrap() error { return ErrLocked }

// CorruptError is the error of [Start] when a record in the middle of the log fails its checksum. Nothing was changed on
// disk. Restore the file from a copy.
type CorruptError struct {
	Path     string // the damaged file
	Position int64  // log position of the first damaged record
	Reason   string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("open %s: %v at position %d: %s; restore the file from a copy", e.Path, ErrCorrupt, e.Position, e.Reason)
}

// Unwrap returns [ErrCorrupt].
func (e *CorruptError) Unwrap() error { return ErrCorrupt }

// TornTail says what was cut off the end of the log when it was opened: a write that was interrupted by the end of its
// process or machine, and that was never acknowledged when [FsyncAlways] was in force.
type TornTail struct {
	Position int64  // where the log was cut
	Bytes    int64  // how much was cut off
	SavedAs  string // file with the bytes that were cut off
	Reason   string
}

func (t *TornTail) String() string {
	return fmt.Sprintf("cut %d bytes off the log at position %d (%s), kept in %s", t.Bytes, t.Position, t.Reason, t.SavedAs)
}
