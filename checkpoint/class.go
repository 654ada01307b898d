package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
)

// Class says what kind of failure an error of a database is, and so whether trying again can help.
type Class uint8

// The classes of errors.
const (
	ClassUnknown       Class = iota // nothing that says anything about the database
	ClassUnavailable                // the database or the way to it is not there, or too busy: try again later
	ClassData                       // the database refuses the values: trying again gives the same answer
	ClassConfiguration              // access, schema or definition are wrong: somebody must change something
)

func (c Class) String() string {
	names := [...]string{"unknown", "unavailable", "data", "configuration"}
	if int(c) >= len(names) {
		return fmt.Sprintf("Class(%d)", uint8(c))
	}
	return names[c]
}

// ClassError gives an error its class where nothing else in its chain does. The stores wrap failures of the connection
// in it.
type ClassError struct {
	Class Class
	Err   error
}

func (e *ClassError) Error() string { return e.Err.Error() }

// Unwrap returns the error that was given a class.
func (e *ClassError) Unwrap() error { return e.Err }

// Classify returns the class of an error as far as it can be told without knowing a driver: errors of this package, a
// [ClassError] in the chain, an SQLSTATE (anything with a method SQLState() string, which the errors of pgx and lib/pq
// have), and failures of the network, or of the system for want of resources. [Store.Classify] knows in addition what its driver returns.
//
// A context that ended says nothing about the database and is [ClassUnknown], unless a store has wrapped it.
func Classify(err error) Class {
	var classed *ClassError
	var row *RowError
	var state interface{ SQLState() string }
	var network net.Error
	switch {
	case errors.As(err, &classed):
		return classed.Class
	case errors.As(err, &row):
		return ClassData
	case errors.Is(err, ErrDrift), errors.Is(err, ErrDefinitionChanged), errors.Is(err, ErrNoTable), errors.Is(err, ErrVersion),
		errors.Is(err, ErrNotMigrated), errors.Is(err, ErrInvalid), errors.Is(err, ErrShards):
		return ClassConfiguration
	case errors.As(err, &state):
		return ClassifySQLState(state.SQLState())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return ClassUnknown
	case errors.As(err, &network) && isNetwork(network), errors.Is(err, net.ErrClosed):
		return ClassUnavailable
	}
	return ClassUnknown
}

// isNetwork tells the errors of the network, and what else passes, from those of anything else that has the methods of
// [net.Error]: every error of the system has them, be it that a file does not exist.
func isNetwork(err net.Error) bool {
	errno, system := err.(syscall.Errno) //nolint:errorlint // it is what was found in the chain
	if !system {
		return true
	}
	switch errno {
	case syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
		syscall.ENETDOWN, syscall.ENOSPC:
		return true
	}
	return errno.Temporary() // time-outs, too many open files
}

// sqlStates maps the beginnings of SQLSTATEs to classes; the longest that fits counts.
func sqlStates() map[string]Class {
	return map[string]Class{
		"08":    ClassUnavailable, // connection exception
		"25006": ClassUnavailable, // read-only transaction: a primary that has become a standby
		"25P03": ClassUnavailable, // idle in transaction for too long: the session is gone
		"25P04": ClassUnavailable, // transaction took too long: the session is gone
		"40":    ClassUnavailable, // transaction rollback: serialization failure, deadlock
		"53":    ClassUnavailable, // insufficient resources: disk full, too many connections
		"55006": ClassUnavailable, // object in use
		"55P03": ClassUnavailable, // lock not available
		"57P":   ClassUnavailable, // shut down, crashed, starting, terminated by an administrator
		"58":    ClassUnavailable, // system error: I/O

		"22":    ClassData, // data exception: out of range, wrong syntax
		"23":    ClassData, // integrity constraint violation
		"44":    ClassData, // WITH CHECK OPTION violation
		"54":    ClassData, // program limit exceeded: an index row that is too large
		"P0001": ClassData, // a trigger raised an exception

		"0A": ClassConfiguration, // feature not supported: an old server
		"26": ClassConfiguration, // invalid statement name: prepared statements through a transaction pooler
		"28": ClassConfiguration, // invalid authorization
		"3D": ClassConfiguration, // no such database
		"3F": ClassConfiguration, // no such schema
		"42": ClassConfiguration, // no such table or column, no privilege
	}
}

// ClassifySQLState returns the class of an SQLSTATE, five characters as in the standard.
func ClassifySQLState(code string) Class {
	states := sqlStates()
	for n := min(len(code), 5); n >= 2; n-- {
		if class, ok := states[strings.ToUpper(code[:n])]; ok {
			return class
		}
	}
	return ClassUnknown
}
