//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/photonpump/projector/esclient/esnode"
)

// fsync says how many events a second a disk takes when each fsync is for as many as are in flight.
func fsync(_ context.Context, j *job) (_ measurement, err error) {
	f, err := os.CreateTemp("", "projector-bench-fsync")
	if err != nil {
		return measurement{}, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	block := make([]byte, 400*j.inflight) // what as many events take in the log
	m := startMeter()
	for range j.n / j.inflight {
		if _, err := f.Write(block); err != nil {
			return measurement{}, err
		}
		if err := f.Sync(); err != nil {
			return measurement{}, err
		}
	}
	return m.stop(j.n), nil
}

// fill writes a log of so many events, unless it is there.
func fill(ctx context.Context, j *job) (measurement, error) {
	if _, err := os.Stat(j.dir); err == nil {
		return measurement{}, nil
	}
	node, err := startNode(esnode.Dir(j.dir), esnode.Fsync(esnode.FsyncNever))
	if err != nil {
		return measurement{}, err
	}
	j.addr = node.Addr().String()
	m, err := appendFrom(ctx, j)
	return m, errors.Join(err, node.Close())
}

// openLog opens a log of so many events.
func openLog(_ context.Context, j *job) (measurement, error) {
	m := startMeter()
	node, err := startNode(esnode.Dir(j.dir), esnode.Fsync(esnode.FsyncNever))
	if err != nil {
		return measurement{}, err
	}
	return m.stop(j.n), node.Close()
}

// scanLog reads the files of a log once.
func scanLog(_ context.Context, j *job) (measurement, error) {
	m := startMeter()
	err := filepath.WalkDir(j.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path) //nolint:gosec // a file that we made
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, bufio.NewReaderSize(f, 1<<20))
		return errors.Join(err, f.Close())
	})
	return m.stop(j.n), err
}
