package esnode

import (
	"sync/atomic"
	"time"
)

// Package is one frame of the protocol without its length: what a client asked, or what the node is about to send.
type Package struct {
	Command     Command
	Correlation [16]byte // as on the wire
	Login       string   // of the auth block; requests only
	Password    string   // of the auth block; requests only
	Payload     []byte   // read only, and valid only during the call of an [Interceptor]
	Conn        int64    // number of the connection, 1 is the first one of the node
	FromClient  bool     // false: the node is about to send it
}

// Fault is what an [Interceptor] wants done with a package. The zero Fault changes nothing. Several fields may be set;
// they apply in the order in which they stand here.
type Fault struct {
	// Delay holds the package back for so long (of the node's clock), and lets later ones overtake it.
	Delay time.Duration

	// Discard throws the package away: a request is not handled, a reply or push is not sent.
	Discard bool

	// Answer is sent in the place of the package. A request that is answered like this is not handled. A zero
	// Correlation is replaced by that of the package.
	Answer *Package

	// Corrupt may change the frame that is sent, its length prefix included, and returns what to send. It has no effect
	// on a request without Answer.
	Corrupt func(frame []byte) []byte

	// Repeat sends the frame so many times more.
	Repeat int

	// Cut closes the connection: when a request arrives, before it is handled; when the node sends, after the first
	// CutAfter bytes of the frame.
	Cut      bool
	CutAfter int

	// Stall sends nothing more on this connection, not even heartbeats, and leaves it open.
	Stall bool
}

// Interceptor decides what happens to a package. It is called by the goroutine that received or sends it, must not block,
// and may be called by several goroutines at once.
type Interceptor func(Package) Fault

// Always returns an interceptor that treats every package alike.
func Always(f Fault) Interceptor { return func(Package) Fault { return f } }

// Once returns an interceptor that treats the first package it sees like this and passes the others.
func Once(f Fault) Interceptor { return Times(1, f) }

// Times returns an interceptor that treats the first n packages like this and passes the others.
func Times(n int, f Fault) Interceptor {
	var seen atomic.Int64
	return func(Package) Fault {
		if seen.Add(1) <= int64(n) {
			return f
		}
		return Fault{}
	}
}
