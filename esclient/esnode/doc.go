// Package esnode is an Event Store node inside a Go process: the embedded default of the projector binary and a test
// double for anything that talks to Event Store over TCP. Production is a real Event Store.
//
//	node, err := esnode.Start()
//	if err != nil {
//		return err
//	}
//	defer node.Close()
//	client, err := esclient.Dial(ctx, node.URL())
//
// A node behaves like a single server 5.0.11 towards its clients. It keeps its log in memory, or with [Dir] on disk,
// where an append is acknowledged only after fsync ([FsyncAlways], commits are grouped) or after the write alone
// ([FsyncNever]: survives a killed process, not a power cut).
//
// # Faults
//
// [Node.Intercept] sees every package in either direction and can discard, delay, replace, repeat, corrupt or cut it,
// which makes a test of a lost reply three lines long:
//
//	node.Intercept(esnode.WriteEventsCompleted, esnode.Once(esnode.Fault{Discard: true}))
package esnode
