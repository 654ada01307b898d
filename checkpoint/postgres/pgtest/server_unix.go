//go:build unix

package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// supervised runs a program under a shell that ends it, and removes the directory, when its standard input is closed:
// by Stop, or by the system when this process is gone, even if it was killed. It has a process group of its own, so
// that an interrupt at the terminal reaches the tests first. If the program ends by itself, so does the shell, unless the
// directory has a file "again": then it starts the program again.
func supervised(program, dir string, args ...string) *exec.Cmd {
	const script = `dir=$1; shift
exec 3<&0
(cat <&3 >/dev/null; kill -INT $$) &
watch=$!
trap 'over=1; kill -INT $pid 2>/dev/null' INT
while :; do
	"$@" </dev/null 3<&- &
	pid=$!
	[ -z "$over" ] || kill -INT $pid 2>/dev/null
	wait $pid; wait $pid 2>/dev/null
	[ -z "$over" ] && rm "$dir/again" 2>/dev/null || break
done
kill $watch 2>/dev/null
cd /; rm -rf "$dir"`
	cmd := exec.Command("sh", append([]string{"-c", script, "sh", dir, program}, args...)...) //nolint:noctx // it ends with its input
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// The ways to shut PostgreSQL down.
const (
	Fast      Shutdown = Shutdown(syscall.SIGINT)  // ends the sessions
	Immediate Shutdown = Shutdown(syscall.SIGQUIT) // like a crash of the server: nothing is written any more
)

func (s *Server) signal(mode Shutdown) error {
	pid, err := s.postmaster()
	if err != nil {
		return err
	}
	return syscall.Kill(pid, syscall.Signal(mode))
}

// account is the user that runs the server, nil for the current one.
type account struct{ uid, gid uint32 }

// unprivileged returns the account to use where the current user is root, whom the server refuses.
func unprivileged() (*account, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if errUID == nil && errGID == nil {
			return &account{uint32(uid), uint32(gid)}, nil
		}
	}
	return nil, fmt.Errorf("PostgreSQL does not run as root, and there is no user postgres or nobody: set %s to the URL of a server", Env)
}

func (a *account) own(dir string) error {
	if a == nil {
		return nil
	}
	return os.Chown(dir, int(a.uid), int(a.gid))
}

func (a *account) become(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	if a != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
}
