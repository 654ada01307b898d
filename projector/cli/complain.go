package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/config"
)

// complain prints an error: each of several on its own line, with its cure where that is known.
func (e *env) complain(name string, err error) {
	if silent, ok := errors.AsType[*exitError](err); ok && silent.err == nil {
		return
	}
	prefix := e.errStyle().Bad(name+":") + " "
	if mistakes, ok := errors.AsType[config.Mistakes](err); ok {
		e.notef("%s%v\n", prefix, mistakes)
		return
	}
	said := map[string]bool{}
	for _, err := range flatten(err) {
		text := inOneLine(err)
		if cure := cureOf(err); cure != "" && !strings.Contains(text, cure) {
			text += "; " + cure
		}
		if !said[text] {
			said[text] = true
			e.notef("%s%s\n", prefix, text)
		}
	}
}

// flatten takes joined errors apart.
func flatten(err error) []error {
	if usage, ok := err.(*exitError); ok { //nolint:errorlint // not what it wraps
		err = usage.err
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || fmt.Sprint(err) != fmt.Sprint(errors.Join(joined.Unwrap()...)) {
		return []error{err}
	}
	var all []error
	for _, err := range joined.Unwrap() {
		all = append(all, flatten(err)...)
	}
	return all
}

// inOneLine leaves out stacks, which are in the log.
func inOneLine(err error) string {
	text := err.Error()
	if panicked, ok := errors.AsType[*projector.PanicError](err); ok {
		text = strings.Replace(text, panicked.Error(), fmt.Sprintf("panic: %v", panicked.Value), 1)
	}
	if errors.Is(err, projector.ErrHandlerStuck) {
		text, _, _ = strings.Cut(text, ", at\n")
	}
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "; ")
}

// cureOf says what somebody can do about an error, as far as that is known.
func cureOf(err error) string {
	var state interface{ SQLState() string }
	var lookup *net.DNSError
	switch {
	case errors.As(err, &state):
		return cureOfSQLState(state.SQLState())
	case errors.Is(err, checkpoint.ErrHeld):
		return "end that process first"
	case errors.Is(err, esclient.ErrNotAuthenticated):
		return "check user and password: tcp://user:password@host:1113"
	case errors.Is(err, esclient.ErrAccessDenied):
		return "use a user that may, or change the access list of the stream"
	case errors.Is(err, syscall.EADDRINUSE):
		return "another program listens there: end it, or set another address"
	case errors.Is(err, syscall.ENOSPC), strings.Contains(err.Error(), "disk is full"):
		return "make room on the disk"
	case errors.As(err, &lookup):
		return "is the name of the host right?"
	case errors.Is(err, esclient.ErrNotConnected) && strings.Contains(err.Error(), "handshake with"):
		return "is that the TCP port of an Event Store (1113, not its HTTP port)?"
	case errors.Is(err, syscall.ECONNREFUSED), strings.Contains(err.Error(), "actively refused"):
		return "is it running, and is the address right?"
	case errors.Is(err, fs.ErrPermission), strings.Contains(err.Error(), "readonly database"):
		return "give this user the right, or name another place"
	case strings.Contains(err.Error(), "file is not a database"):
		return "is the path right?"
	}
	return ""
}

func cureOfSQLState(code string) string {
	switch {
	case strings.HasPrefix(code, "28"):
		return "check user and password of the database, and its pg_hba.conf"
	case code == "3D000":
		return "create it with `createdb`, or name another"
	case code == "42501":
		return "grant it, or have an administrator run what `projector schema --sql` prints"
	case code == "53100":
		return "make room on the disk of the database"
	case code == "53300":
		return "raise max_connections, or lower pool_max_conns in the URL"
	}
	return ""
}
