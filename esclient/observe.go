package esclient

import (
	"fmt"
	"time"
)

// ConnState is what has become of the connection.
type ConnState uint8

// The states an observer is told.
const (
	Connected    ConnState = iota // ready for operations
	Disconnected                  // lost; Err says why
	Reconnecting                  // the next attempt follows after Delay
	Closed                        // for good; Err says why
	AuthFailed                    // the server does not know the user; operations will say so as well
)

func (s ConnState) String() string {
	names := [...]string{"connected", "disconnected", "reconnecting", "closed", "auth failed"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("ConnState(%d)", uint8(s))
}

// ConnEvent tells an observer that the state of the connection has changed.
type ConnEvent struct {
	State   ConnState
	Address string // of the node, where there is one
	Err     error
	Attempt int           // Reconnecting: of those in a row
	Delay   time.Duration // Reconnecting: before the attempt
}

// Hooks are told what happens, for metrics. Calls come from several goroutines at once and must not block.
type Hooks interface {
	// Operation is called when an operation has ended: how long it took, retries included, and its error or nil.
	Operation(name string, took time.Duration, retries int, err error)
}

// Stats are counters of a client since [Dial].
type Stats struct {
	InFlight      int   // operations and subscriptions that have not ended
	Operations    int64 // ended
	Retries       int64
	BytesSent     int64
	BytesReceived int64
	Connections   int64 // made so far; all but the first are reconnects
}
