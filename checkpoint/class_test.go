package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"syscall"
	"testing"

	"github.com/photonpump/projector/checkpoint"
)

type sqlState string

func (s sqlState) Error() string    { return "SQLSTATE " + string(s) }
func (s sqlState) SQLState() string { return string(s) }

func TestClassify(t *testing.T) {
	t.Parallel()
	dial := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for _, test := range []struct {
		err  error
		want checkpoint.Class
	}{
		{nil, checkpoint.ClassUnknown},
		{errors.New("something"), checkpoint.ClassUnknown},
		{io.ErrUnexpectedEOF, checkpoint.ClassUnknown}, // a decoder may have said it
		{context.Canceled, checkpoint.ClassUnknown},
		{context.DeadlineExceeded, checkpoint.ClassUnknown}, // which is a net.Error
		{checkpoint.ErrFenced, checkpoint.ClassUnknown},
		{&checkpoint.HeldError{}, checkpoint.ClassUnknown},
		{dial, checkpoint.ClassUnavailable},
		{&net.DNSError{}, checkpoint.ClassUnavailable},
		{net.ErrClosed, checkpoint.ClassUnavailable},
		{&fs.PathError{Op: "open", Err: syscall.ENOENT}, checkpoint.ClassUnknown}, // which is a net.Error too
		{&fs.PathError{Op: "write", Err: syscall.ENOSPC}, checkpoint.ClassUnavailable},
		{syscall.ECONNRESET, checkpoint.ClassUnavailable},
		{&checkpoint.ClassError{Class: checkpoint.ClassUnavailable, Err: context.DeadlineExceeded}, checkpoint.ClassUnavailable},
		{&checkpoint.ClassError{Class: checkpoint.ClassConfiguration, Err: sqlState("08006")}, checkpoint.ClassConfiguration},
		{&checkpoint.RowError{Err: dial}, checkpoint.ClassData},
		{&checkpoint.DriftError{}, checkpoint.ClassConfiguration},
		{&checkpoint.DefinitionError{}, checkpoint.ClassConfiguration},
		{checkpoint.ErrNoTable, checkpoint.ClassConfiguration},
		{checkpoint.ErrVersion, checkpoint.ClassConfiguration},
		{checkpoint.ErrNotMigrated, checkpoint.ClassConfiguration},
		{checkpoint.ErrInvalid, checkpoint.ClassConfiguration},
		{&checkpoint.ShardsError{}, checkpoint.ClassConfiguration},
		{sqlState("08006"), checkpoint.ClassUnavailable},
		{sqlState("40001"), checkpoint.ClassUnavailable},
		{sqlState("40P01"), checkpoint.ClassUnavailable},
		{sqlState("53100"), checkpoint.ClassUnavailable}, // disk full
		{sqlState("53300"), checkpoint.ClassUnavailable}, // too many connections
		{sqlState("55P03"), checkpoint.ClassUnavailable},
		{sqlState("57P01"), checkpoint.ClassUnavailable},
		{sqlState("57014"), checkpoint.ClassUnknown}, // the statement was cancelled, by whom is not known
		{sqlState("58030"), checkpoint.ClassUnavailable},
		{sqlState("25006"), checkpoint.ClassUnavailable},
		{sqlState("25P03"), checkpoint.ClassUnavailable},
		{sqlState("25P02"), checkpoint.ClassUnknown},
		{sqlState("22003"), checkpoint.ClassData},
		{sqlState("23505"), checkpoint.ClassData},
		{sqlState("P0001"), checkpoint.ClassData},
		{sqlState("28P01"), checkpoint.ClassConfiguration},
		{sqlState("3D000"), checkpoint.ClassConfiguration},
		{sqlState("42P01"), checkpoint.ClassConfiguration},
		{sqlState("42501"), checkpoint.ClassConfiguration},
		{sqlState("XX000"), checkpoint.ClassUnknown},
		{sqlState("9"), checkpoint.ClassUnknown},
		{sqlState(""), checkpoint.ClassUnknown},
	} {
		for _, err := range []error{test.err, fmt.Errorf("wrapped: %w", test.err)} {
			if test.err == nil {
				err = nil
			}
			if got := checkpoint.Classify(err); got != test.want {
				t.Errorf("%v is %v, want %v", err, got, test.want)
			}
		}
	}
}
