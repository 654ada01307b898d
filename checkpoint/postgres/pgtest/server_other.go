//go:build !unix

package pgtest

import (
	"errors"
	"fmt"
	"os/exec"
)

type account struct{}

func unprivileged() (*account, error) {
	return nil, fmt.Errorf("cannot start PostgreSQL on this system: set %s to the URL of a server", Env)
}

func (*account) own(string) error { return nil }
func (*account) become(*exec.Cmd) {}

func supervised(program, _ string, args ...string) *exec.Cmd {
	return exec.Command(program, args...) //nolint:noctx // never called here
}

// The ways to shut PostgreSQL down.
const (
	Fast Shutdown = iota
	Immediate
)

func (*Server) signal(Shutdown) error { return errors.ErrUnsupported }
