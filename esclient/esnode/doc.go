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
// A node behaves like a single server 5.0.11 towards its clients, over TCP, TLS ([TLS]) and HTTP ([HTTP]), or with
// [Version20] like one of 20.10. [StartCluster] looks like a cluster of such servers.
//
// # Storage
//
// The log is in memory, or with [Dir] on disk, where an append is acknowledged only after fsync ([FsyncAlways]; appends
// that arrive meanwhile share the next one) or after the write alone ([FsyncNever]: survives a killed process, not a power
// cut). Every record has a checksum. What an interrupted write left at the end is cut off, kept in a file, and reported
// ([Node.TornTail]); damage anywhere else is an error of [Start], or of the read that finds it, and never served. The
// index is in memory, 8 bytes for an event; bodies are read from the file.
//
// The log is quiet: nothing is written that a client did not cause. So a fresh log is empty, where that of a server holds
// its statistics and accounts. The accounts admin and ops exist nevertheless.
//
// # Faults
//
// [Node.Intercept] sees every package in either direction and can discard, delay, replace, repeat, corrupt or cut it,
// which makes a test of a lost reply one line long:
//
//	node.Intercept(esnode.WriteEventsCompleted, esnode.Once(esnode.Fault{Discard: true}))
//
// Time-outs follow the clock of the machine, a [ManualClock], or under testing/synctest the time of the bubble; for the
// last, give the node a [Listener] in memory.
//
// # What it does not do
//
//   - Scavenge: the request is answered, and nothing is removed. Truncated and expired events stay in $all.
//   - Projections in JavaScript. Of the system projections it has $by_category, $by_event_type and $streams
//     ([SystemProjections]), as links written together with each append, for streams of users only.
//   - Reading a persistent subscription over HTTP, feeds in XML, and long polling.
//   - Tokens ([Version20]) and the stricter authorization of 20.x: access is that of 5.0.11.
//   - Statistics beyond a few figures in /stats, and histograms of persistent subscriptions.
//   - Regular expressions of filters are those of Go, prefixes are compared byte by byte.
//   - A log larger than 512 GiB, names of streams longer than 8,000 bytes, and replies larger than 48 MiB: such a page
//     ends early and says where to go on.
//   - In a cluster: a follower is never behind, and nothing is lost in an election.
package esnode
