package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"github.com/photonpump/projector/checkpoint"
)

// Classify implements [checkpoint.Store].
func (s *Store) Classify(err error) checkpoint.Class { return classify(err) }

func classify(err error) checkpoint.Class {
	var connect *pgconn.ConnectError
	var server *pgconn.PgError
	var config *pgconn.ParseConfigError
	class := checkpoint.Classify(err)
	switch {
	case err == nil || class != checkpoint.ClassUnknown:
		return class
	case errors.As(err, &server):
		return class // what it says is unknown
	case errors.As(err, &config):
		return checkpoint.ClassConfiguration
	case errors.As(err, &connect), pgconn.SafeToRetry(err), errors.Is(err, pgconn.ErrConnClosed), errors.Is(err, puddle.ErrClosedPool),
		errors.Is(err, pgx.ErrTxCommitRollback):
		return checkpoint.ClassUnavailable
	}
	return checkpoint.ClassUnknown
}

// classed gives an error of a call to the database its class: what the server has not said is a failure on the way to
// it, unless the caller's context has ended.
func classed(err error) error {
	err = inOneLine(err)
	var server *pgconn.PgError
	var class *checkpoint.ClassError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &server), errors.As(err, &class):
		return err
	case errors.Is(err, puddle.ErrClosedPool):
		return errors.Join(checkpoint.ErrClosed, err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed),
		classify(err) == checkpoint.ClassUnavailable:
		return &checkpoint.ClassError{Class: checkpoint.ClassUnavailable, Err: err}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return err
}

// connectError is a *pgconn.ConnectError in one line: that one has a line for each address, with TLS and without.
type connectError struct {
	text string
	err  error
}

func (e *connectError) Error() string { return e.text }
func (e *connectError) Unwrap() error { return e.err }

// inOneLine shortens a failure to connect to what the server said, or else to what went wrong on the last attempt.
func inOneLine(err error) error {
	connect, ok := errors.AsType[*pgconn.ConnectError](err)
	if !ok {
		return err
	}
	cause := connect.Unwrap()
	if attempts, ok := cause.(interface{ Unwrap() []error }); ok {
		if all := attempts.Unwrap(); len(all) > 0 {
			cause = all[len(all)-1]
		}
	}
	if server, ok := errors.AsType[*pgconn.PgError](err); ok {
		cause = server
	} else if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		cause = lookup
	} else if dial, ok := errors.AsType[*net.OpError](cause); ok {
		cause = dial
	}
	text := fmt.Sprintf("connect as user %q: %s", connect.Config.User, strings.ReplaceAll(cause.Error(), "\n", "; "))
	return &connectError{text: text, err: err}
}

// isState reports whether the server said one of the codes.
func isState(err error, codes ...string) bool {
	var server *pgconn.PgError
	if !errors.As(err, &server) {
		return false
	}
	for _, code := range codes {
		if server.Code == code {
			return true
		}
	}
	return false
}

// isServer reports whether err is something that the server said.
func isServer(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server)
}
