package pgtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/gofrs/flock"
)

// findPrograms returns the directory of initdb and postgres, and installs them where it can.
func findPrograms(ctx context.Context) (string, error) {
	if dir, ok := installedPrograms(); ok {
		return dir, nil
	}
	if !mayInstall() {
		return "", fmt.Errorf("found no PostgreSQL server: install one, or set %s to the URL of a server whose user may create databases", Env)
	}
	if err := install(ctx, "postgresql", func() bool { _, ok := installedPrograms(); return ok }); err != nil {
		return "", fmt.Errorf("%w: install PostgreSQL, or set %s to the URL of a server whose user may create databases", err, Env)
	}
	if dir, ok := installedPrograms(); ok {
		return dir, nil
	}
	return "", fmt.Errorf("apt-get has installed PostgreSQL, but initdb is nowhere: set %s to the URL of a server", Env)
}

// installedPrograms prefers what is in PATH, then the latest version.
func installedPrograms() (dir string, ok bool) {
	if path, err := exec.LookPath("initdb"); err == nil && isServer(filepath.Dir(path)) {
		return filepath.Dir(path), true
	}
	var found []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		dirs, _ := filepath.Glob(pattern) // fails only for a bad pattern
		found = append(found, slices.DeleteFunc(dirs, func(d string) bool { return !isServer(d) })...)
	}
	if len(found) == 0 {
		return "", false
	}
	return slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }), true
}

func isServer(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.IsDir() {
			return false
		}
	}
	return true
}

// version returns the first number in a path, 0 if there is none.
func version(path string) int {
	digits := ""
	for _, r := range path {
		if r >= '0' && r <= '9' {
			digits += string(r)
		} else if digits != "" {
			break
		}
	}
	n, _ := strconv.Atoi(digits) // empty is 0
	return n
}

// mayInstall reports whether this is root on Debian.
func mayInstall() bool {
	_, err := os.Stat("/etc/debian_version")
	return err == nil && os.Getuid() == 0
}

// install installs a Debian package unless it is there. Several packages' tests may want that at once.
func install(ctx context.Context, name string, there func() bool) error {
	lock := flock.New(filepath.Join(os.TempDir(), "projector-apt.lock"))
	if err := lock.Lock(); err != nil {
		return err
	}
	defer lock.Unlock() //nolint:errcheck // the system unlocks it at the end of the process
	if there() {
		return nil
	}
	fmt.Fprintf(os.Stderr, "pgtest: installing the package %s\n", name)
	for _, args := range [][]string{
		{"update", "-q"},
		{"install", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", name},
	} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", args[0], err, out)
		}
	}
	return nil
}
