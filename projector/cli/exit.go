package cli

import (
	"errors"

	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/config"
)

// Exit codes.
const (
	ExitOK      = 0
	ExitError   = 1   // something went wrong; the last line says what
	ExitUsage   = 2   // a mistake on the command line or in projector.yaml
	ExitStopped = 3   // a projection stopped for a reason of its own
	ExitForced  = 130 // a second interrupt
)

// exitCode is one of them in words.
type exitCode struct {
	code    int
	meaning string
}

func exitCodes() []exitCode {
	return []exitCode{
		{ExitOK, "done"},
		{ExitError, "something went wrong; the last line says what"},
		{ExitUsage, "a mistake on the command line or in projector.yaml"},
		{ExitStopped, "a projection stopped for a reason of its own"},
		{ExitForced, "a second Ctrl-C"},
	}
}

// exitError asks for an exit code.
type exitError struct {
	code int
	err  error // nil = everything was said already
}

func (e *exitError) Error() string {
	if e.err == nil {
		return "failed"
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usage(err error) error { return &exitError{ExitUsage, err} }

func codeOf(err error) int {
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	if _, ok := errors.AsType[*projector.StoppedError](err); ok {
		return ExitStopped
	}
	if _, ok := errors.AsType[config.Mistakes](err); ok {
		return ExitUsage
	}
	return ExitError
}
