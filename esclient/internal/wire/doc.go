// Package wire is the TCP protocol of Event Store as bytes: frames, commands and message bodies, in both directions,
// so that client and server share one implementation. It does no I/O of its own and starts no goroutines.
//
// Messages on the event path (writes, pages, pushes) are written by hand: they decode without reflection and without an
// allocation per field, and alias the frame they were decoded from. All others are generated, in package wirepb.
//
// Decoders take every field as optional, since servers from 22.6 on leave out zeros. Encoders write what older servers
// call required even when it is zero, and optional fields only where they are set.
package wire
