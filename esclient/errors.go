package esclient

import (
	"errors"
	"fmt"

	"github.com/photonpump/projector/esclient/internal/wire"
)

// Errors to decide by, with errors.Is. What an operation returns also says which operation and its input.
var (
	ErrWrongExpectedVersion = errors.New("wrong expected version") // a *[WrongVersionError] has the numbers
	ErrStreamNotFound       = errors.New("stream not found")       // or deleted softly, which is the same
	ErrStreamDeleted        = errors.New("stream deleted")         // for good
	ErrEventNotFound        = errors.New("event not found")        // beyond the end, or truncated
	ErrAccessDenied         = errors.New("access denied")
	ErrNotAuthenticated     = errors.New("not authenticated") // unknown user, wrong password
	ErrNotFound             = errors.New("not found")         // a persistent subscription
	ErrAlreadyExists        = errors.New("already exists")    // a persistent subscription
	ErrClosed               = errors.New("client is closed")
	ErrInvalidTransaction   = errors.New("invalid transaction")
	ErrNotConnected         = errors.New("not connected")
	ErrTimeout              = errors.New("no answer in time")
	ErrNotHandled           = errors.New("server could not handle the request") // not ready, too busy, not the leader
	ErrUnknownOutcome       = errors.New("outcome unknown")                     // a write that may or may not have happened
	ErrInvalidOption        = errors.New("invalid option")
	ErrInvalidArgument      = errors.New("invalid argument")
	ErrUnsupported          = errors.New("not supported by this server")
	ErrProtocol             = errors.New("protocol violation") // what came is not what the protocol says

	// Why a subscription ended, in a *[DropError].
	ErrStopped      = errors.New("subscription was stopped")
	ErrFellBehind   = errors.New("consumer fell behind")
	ErrDropped      = errors.New("server dropped the subscription")
	ErrMaxConsumers = errors.New("persistent subscription has all the consumers it may have")
)

// ServerError is what a server answered in place of a result.
type ServerError struct {
	Command string // the answer: BadRequest, WriteEventsCompleted, …
	Result  string // such as AccessDenied; empty where the command says it all
	Message string // the server's text; may be empty
	is      error  // the sentinel it stands for; may be nil
}

func (e *ServerError) Error() string {
	text := e.Result
	switch {
	case e.is != nil:
		text = e.is.Error()
	case text == "":
		text = e.Command
	}
	if e.Message == "" {
		return text
	}
	return fmt.Sprintf("%s: %q", text, e.Message)
}

// Is makes errors.Is work with the sentinels above.
func (e *ServerError) Is(target error) bool { return e.is != nil && target == e.is }

// WrongVersionError says which version a write expected. It is [ErrWrongExpectedVersion].
type WrongVersionError struct {
	Stream   string
	Expected ExpectedVersion
	Current  int64 // number of the last event, -1 = none; only if Known
	Known    bool  // servers before 4.0, deletes and transactions do not say
}

func (e *WrongVersionError) Error() string {
	if !e.Known {
		return fmt.Sprintf("%v: want %v", ErrWrongExpectedVersion, e.Expected)
	}
	if e.Current < 0 {
		return fmt.Sprintf("%v: want %v, stream has no events", ErrWrongExpectedVersion, e.Expected)
	}
	return fmt.Sprintf("%v: want %v, stream at %d", ErrWrongExpectedVersion, e.Expected, e.Current)
}

// Is makes errors.Is(err, ErrWrongExpectedVersion) true.
func (e *WrongVersionError) Is(target error) bool { return target == ErrWrongExpectedVersion }

// ProtocolError is an answer that makes no sense. The connection it came over was replaced. It is [ErrProtocol].
type ProtocolError struct {
	Command string // of the answer
	Err     error
}

func (e *ProtocolError) Error() string {
	return fmt.Sprintf("%v: %s: %v", ErrProtocol, e.Command, e.Err)
}

// Unwrap returns what is wrong with the answer.
func (e *ProtocolError) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrProtocol) true.
func (e *ProtocolError) Is(target error) bool { return target == ErrProtocol }

// DropError says why a subscription has ended.
type DropError struct {
	Subscription string // such as `stream "ponies"`
	Err          error  // [ErrStopped], [ErrFellBehind], [ErrDropped], [ErrAccessDenied], [ErrClosed], …
}

func (e *DropError) Error() string {
	return fmt.Sprintf("subscription to %s: %v", e.Subscription, e.Err)
}

// Unwrap returns the reason.
func (e *DropError) Unwrap() error { return e.Err }

// GapError says that a volatile subscription was without a connection for a while: events written meanwhile were missed.
// The subscription goes on.
type GapError struct {
	Subscription string
	Err          error // what happened to the connection
}

func (e *GapError) Error() string {
	return fmt.Sprintf("subscription to %s: events may be missing here: %v", e.Subscription, e.Err)
}

// Unwrap returns what happened to the connection.
func (e *GapError) Unwrap() error { return e.Err }

var (
	errNoType = errors.New("no event type")
	errFilter = errors.New("a Filter needs exactly one of StreamPrefixes, StreamRegex, TypePrefixes and TypeRegex")
	errWindow = errors.New("Window of a Filter must be 0 or more")
)

func isProtocolError(err error) bool { return errors.Is(err, ErrProtocol) }

// SafeToRetry reports whether err is of an operation of which not a single byte was sent, so that it surely did nothing.
func SafeToRetry(err error) bool {
	var oe *opError
	return errors.As(err, &oe) && !oe.sent
}

// opError says which operation failed, and on what.
type opError struct {
	op, input string
	sent      bool
	err       error
}

func (e *opError) Error() string {
	if e.input == "" {
		return e.op + ": " + e.err.Error()
	}
	return fmt.Sprintf("%s %q: %v", e.op, e.input, e.err)
}

func (e *opError) Unwrap() error { return e.err }

// joined says one error and is a second one as well.
type joined struct{ text, also error }

func (e *joined) Error() string   { return fmt.Sprintf("%v (%v)", e.text, e.also) }
func (e *joined) Unwrap() []error { return []error{e.text, e.also} }

func protocolError(cmd wire.Command, err error) error {
	return &ProtocolError{Command: cmd.String(), Err: err}
}
