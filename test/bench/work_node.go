//go:build unix

package main

import (
	"context"
	"fmt"
	"os"

	"github.com/photonpump/projector/esclient/esnode"
)

// startNode starts a node like the embedded one of the binary, which writes links.
func startNode(opts ...esnode.Option) (*esnode.Node, error) {
	return esnode.Start(append(opts, esnode.SystemProjections(true))...)
}

// node serves from memory until it is told to end.
func node(ctx context.Context, j *job) (measurement, error) { return serveNode(ctx, j) }

// nodeSync serves from a log on disk with group-commit fsync.
func nodeSync(ctx context.Context, j *job) (measurement, error) { return onDisk(ctx, j) }

// nodeDisk serves from a log on disk, and leaves it to the system when that is written.
func nodeDisk(ctx context.Context, j *job) (measurement, error) {
	return onDisk(ctx, j, esnode.Fsync(esnode.FsyncNever))
}

func onDisk(ctx context.Context, j *job, opts ...esnode.Option) (measurement, error) {
	if j.dir != "" {
		return serveNode(ctx, j, append(opts, esnode.Dir(j.dir))...)
	}
	dir, err := os.MkdirTemp("", "projector-bench-node")
	if err != nil {
		return measurement{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	return serveNode(ctx, j, append(opts, esnode.Dir(dir))...)
}

func serveNode(ctx context.Context, j *job, opts ...esnode.Option) (measurement, error) {
	n, err := startNode(append(opts, esnode.Listen(j.addr))...)
	if err != nil {
		return measurement{}, err
	}
	fmt.Println("serving")
	<-ctx.Done()
	return measurement{}, n.Close()
}
