package projector

import "fmt"

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
