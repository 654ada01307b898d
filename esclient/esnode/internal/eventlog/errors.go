package eventlog

import (
	"errors"
	"fmt"
)

// ErrLocked says that another process has the log open.
var ErrLocked = errors.New("locked by another process")

// CorruptError says that the log on disk is damaged.
type CorruptError struct {
	Path     string
	Position int64
	Reason   string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s is damaged at position %d: %s", e.Path, e.Position, e.Reason)
}

// TornTail says what was cut off the end of the log when it was opened.
type TornTail struct {
	Position int64
	Bytes    int64
	SavedAs  string
	Reason   string
}
