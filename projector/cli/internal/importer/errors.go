package importer

import (
	"fmt"
	"slices"
	"strings"
)

// NotStartedError names streams of the log that were not started by the file.
type NotStartedError struct {
	File    string
	Streams []string
}

func (e *NotStartedError) Error() string {
	const shown = 5
	names := slices.Clone(e.Streams)
	more := ""
	if len(names) > shown {
		more = fmt.Sprintf(" and %d more", len(names)-shown)
		names = names[:shown]
	}
	return fmt.Sprintf("%s: stream %s%s already has events, and was not started by this file; use --append to add its lines to what is there",
		e.File, strings.Join(names, ", "), more)
}

// ContinuedError says that a stream was started by the file, and went on with events that are not the file's before its
// last line was there.
type ContinuedError struct {
	File   string
	Line   int // that is not where it should be
	Stream string
	Number int64 // of the event that is in its place
}

func (e *ContinuedError) Error() string {
	return fmt.Sprintf("%s:%d: event %d of stream %s is not this line: something else appended there before the import was "+
		"complete; use --append to add what is missing to the end of the stream", e.File, e.Line, e.Number, e.Stream)
}
