package postgres

import (
	"context"
	"errors"
	"io"
	"net"

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
