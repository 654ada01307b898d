package projector

import (
	"errors"
	"fmt"
	"strings"

	"github.com/photonpump/projector/projector/source"
)

// Class says what kind of failure an error is, and so what is done about it.
type Class uint8

// The classes of errors.
const (
	ClassHandler        Class = iota // a handler failed, or the database refused its values: retried, then the policy
	ClassDecode                      // a body cannot be decoded or upcast: not retried, the policy at once
	ClassInfrastructure              // database or network are not there: paused and retried for ever
	ClassConfiguration               // will not get better by itself: the projection stops
)

func (c Class) String() string {
	return [...]string{"handler", "decode", "infrastructure", "configuration"}[c]
}

// EventError is a failure that belongs to one event.
type EventError struct {
	Index int // of the event in the batch given to [Fold]
	Class Class
	Err   error
}

func (e *EventError) Error() string { return fmt.Sprintf("%v error: %v", e.Class, e.Err) }

// Unwrap returns what failed.
func (e *EventError) Unwrap() error { return e.Err }

// PanicError is a panic of a handler.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.Value, e.Stack) }

// Unwrap returns the value of the panic, if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// StoppedError says why a projection has stopped. The event it names was not handled: after the cause is mended, the
// projection starts with it again.
type StoppedError struct {
	Projection string
	Event      *source.Event // nil if the reason is not an event
	Class      Class
	Attempts   int // on the event
	Err        error
}

func (e *StoppedError) Error() string {
	if e.Event == nil {
		name := fmt.Sprintf("projection %q", e.Projection)
		return name + " stopped: " + strings.TrimPrefix(e.Err.Error(), name+": ")
	}
	tries := ""
	if e.Attempts > 1 {
		tries = fmt.Sprintf(" after %d attempts", e.Attempts)
	}
	return fmt.Sprintf("projection %q stopped at %s, position %v%s: %v error: %v",
		e.Projection, describe(e.Event), e.Event.Position, tries, e.Class, e.Err)
}

// Unwrap returns the reason.
func (e *StoppedError) Unwrap() error { return e.Err }

var (
	// ErrOtherLog means that the event log is not the one that the stored position came from.
	ErrOtherLog = source.ErrOtherLog
	// ErrShutdownBound means that the work in hand was abandoned because the shutdown took too long.
	ErrShutdownBound = errors.New("shutdown took longer than its bound")

	errLeaseLapsed = errors.New("lease could not be renewed in time")
)
