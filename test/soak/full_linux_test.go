package soak

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/photonpump/projector/projector"
)

// TestSoakPostgresFull lets no file of the server grow beyond a size that is not a multiple of that of a page: the server
// writes half a page, and says what it says when the disk is full.
func TestSoakPostgresFull(t *testing.T) {
	t.Parallel()
	const limit = 16<<20 + 4096 // files of the write-ahead log have 16 MiB
	rounds := size(t, 1, 10)
	server := startServer(t)
	d := newPostgres(t, server.URL)
	ballast := d.name("ballast")
	d.exec(t, "CREATE TABLE "+ballast+" (b bytea)", "ALTER TABLE "+ballast+" ALTER b SET STORAGE EXTERNAL") // not compressed
	w := work{database: d, events: 600 * rounds, pause: 10 * time.Millisecond, least: rounds}
	var full atomic.Int64
	heavy := make([]byte, 100_000)
	w.before = func(ctx context.Context, tx tx, _ projector.Event[jumped]) error {
		err := tx.exec(ctx, "INSERT INTO "+ballast+" VALUES ($1)", heavy)
		if isState(err, "53100") {
			full.Add(1)
		} else if err != nil && strings.Contains(err.Error(), "extend file") {
			t.Errorf("the server says %v", err)
		}
		return err
	}
	w.run(t, "times the disk was full", func(ctx context.Context) error {
		if err := d.limitFiles(ctx, strconv.Itoa(limit)); err != nil {
			return err
		}
		for before := full.Load(); full.Load() < before+3; {
			if err := wait(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		if err := d.limitFiles(ctx, "unlimited"); err != nil {
			return err
		}
		conn, err := connect(ctx, d.URL)
		if err != nil {
			return err
		}
		defer conn.Close(ctx) //nolint:errcheck // the statement was answered
		_, err = conn.Exec(ctx, "TRUNCATE "+ballast)
		return err
	})
	t.Logf("the server said %d times that the disk is full", full.Load())
}

// limitFiles limits the files of all processes of a server, which those to come inherit. It does that as their user: even
// root may not where it is confined.
func (d database) limitFiles(ctx context.Context, limit string) error {
	conn, err := connect(ctx, d.URL)
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing was written
	rows, err := conn.Query(ctx, `SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 1)::int UNION ALL SELECT pid FROM pg_stat_activity`)
	if err != nil {
		return err
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return err
	}
	for _, pid := range pids {
		info, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
		if err != nil {
			continue // it has ended
		}
		owner := info.Sys().(*syscall.Stat_t)
		cmd := exec.CommandContext(ctx, "prlimit", fmt.Sprintf("--pid=%d", pid), "--fsize="+limit+":")
		if os.Getuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}}
		}
		if out, err := cmd.CombinedOutput(); err != nil && !strings.Contains(string(out), "No such process") {
			return fmt.Errorf("prlimit: %w: %s", err, out)
		}
	}
	return nil
}
