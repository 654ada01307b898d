package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/photonpump/projector/checkpoint"
)

// Classify implements [checkpoint.Store].
func (s *Store) Classify(err error) checkpoint.Class { return classify(err) }

func classify(err error) checkpoint.Class {
	class := checkpoint.Classify(err)
	if err == nil || class != checkpoint.ClassUnknown {
		return class
	}
	var e *sqlite.Error
	if errors.As(err, &e) {
		return classifyCode(e.Code())
	}
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		return checkpoint.ClassUnavailable
	}
	return checkpoint.ClassUnknown
}

// classifyCode knows the primary result codes, which are the low byte of the extended ones.
func classifyCode(code int) checkpoint.Class {
	switch code & 0xff {
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_FULL, lib.SQLITE_IOERR, lib.SQLITE_NOMEM, lib.SQLITE_PROTOCOL,
		lib.SQLITE_INTERRUPT, lib.SQLITE_ABORT:
		return checkpoint.ClassUnavailable
	case lib.SQLITE_CONSTRAINT, lib.SQLITE_TOOBIG, lib.SQLITE_MISMATCH, lib.SQLITE_RANGE:
		return checkpoint.ClassData
	case lib.SQLITE_ERROR, lib.SQLITE_CANTOPEN, lib.SQLITE_READONLY, lib.SQLITE_PERM, lib.SQLITE_NOTADB, lib.SQLITE_CORRUPT,
		lib.SQLITE_AUTH, lib.SQLITE_SCHEMA:
		return checkpoint.ClassConfiguration
	}
	return checkpoint.ClassUnknown
}

// classed gives an error of a call to the database its class where the text of the driver is all there is.
func classed(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if checkpoint.Classify(err) == checkpoint.ClassUnknown {
		if class := classify(err); class != checkpoint.ClassUnknown {
			return &checkpoint.ClassError{Class: class, Err: err}
		}
		if strings.Contains(err.Error(), "database is closed") {
			return errors.Join(checkpoint.ErrClosed, err)
		}
	}
	return err
}

// tableError says which table an error is about.
func tableError(t *checkpoint.Table, row int, err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) {
		if strings.Contains(e.Error(), "no such table") {
			return errors.Join(checkpoint.ErrNoTable, err)
		}
		if classifyCode(e.Code()) == checkpoint.ClassData {
			return &checkpoint.RowError{Table: t.Name, Row: row, Err: err}
		}
	}
	return classed(err)
}
