package esclient

import "errors"

// Errors to decide by, with errors.Is. The chain says the operation and its input.
var (
	ErrWrongExpectedVersion = errors.New("wrong expected version")
	ErrStreamNotFound       = errors.New("stream not found")
	ErrStreamDeleted        = errors.New("stream deleted")
	ErrEventNotFound        = errors.New("event not found")
	ErrAccessDenied         = errors.New("access denied")
	ErrNotAuthenticated     = errors.New("not authenticated")
	ErrClosed               = errors.New("client is closed")
	ErrNotConnected         = errors.New("not connected")
	ErrTimeout              = errors.New("no answer in time")
	ErrUnknownOutcome       = errors.New("outcome unknown")
	ErrInvalidOption        = errors.New("invalid option")
	ErrInvalidArgument      = errors.New("invalid argument")
	ErrUnsupported          = errors.New("not supported by this server")
	ErrFellBehind           = errors.New("consumer fell behind")
)
