package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"testing"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector"
)

type sqlState string

func (s sqlState) Error() string    { return "FATAL: no (SQLSTATE " + string(s) + ")" }
func (s sqlState) SQLState() string { return string(s) }

// An error is one line with its cure; several are several lines; no stack, nothing twice.
func TestComplain(t *testing.T) {
	t.Parallel()
	panicked := &projector.PanicError{Value: "boom", Stack: []byte("goroutine 1 [running]:\nmain.go:1")}
	stopped := &projector.StoppedError{Projection: "p", Err: panicked}
	for _, test := range []struct {
		err  error
		want string
	}{
		{errors.New("one"), "projector: one\n"},
		{errors.New("one\n\ttwo\r\n"), "projector: one; two\n"},
		{errors.Join(errors.New("one"), errors.Join(errors.New("two"), errors.New("one"))), "projector: one\nprojector: two\n"},
		{fmt.Errorf("%w: %w", errors.New("one"), errors.New("two")), "projector: one: two\n"},
		{usage(errors.New("one")), "projector: one\n"},
		{&exitError{code: 1}, ""},
		{stopped, "projector: projection \"p\" stopped: panic: boom\n"},
		{fmt.Errorf("x: %w", sqlState("28P01")), "projector: x: FATAL: no (SQLSTATE 28P01); check user and password of the database, and its pg_hba.conf\n"},
		{sqlState("3D000"), "projector: FATAL: no (SQLSTATE 3D000); create it with `createdb`, or name another\n"},
		{sqlState("42P01"), "projector: FATAL: no (SQLSTATE 42P01)\n"},
		{fmt.Errorf("read: %w", esclient.ErrNotAuthenticated), "projector: read: not authenticated; check user and password: tcp://user:password@host:1113\n"},
		{&net.DNSError{Err: "no such host", Name: "h"}, "projector: lookup h: no such host; is the name of the host right?\n"},
		{fs.ErrPermission, "projector: permission denied; give this user the right, or name another place\n"},
	} {
		var b bytes.Buffer
		newEnv(nil, &b, &b, nil).complain("projector", test.err)
		if got := b.String(); got != test.want {
			t.Errorf("%v:\ngot  %q\nwant %q", test.err, got, test.want)
		}
	}
}

// What cannot be reached is named without its password, with the reason once.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{
		{"--eventstore", "tcp://ada:s3cret@" + address},
		{"--eventstore", "discover://ada:s3cret@" + address},
		{"--database", "postgres://ada:s3cret@" + address + "/db"},
	} {
		_, _, stderr := runCLI(t, "", append(f.args("run", "--once"), flags...)...)
		lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
		last := lines[len(lines)-1]
		if !strings.HasPrefix(last, "projector: ") || strings.Count(last, "refused") != 1 || !strings.Contains(last, address) ||
			!strings.HasSuffix(last, "; is it running, and is the address right?") || strings.Contains(stderr, "s3cret") {
			t.Errorf("%v: %s", flags, stderr)
		}
	}
}
