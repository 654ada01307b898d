package projector

import (
	"time"

	"github.com/photonpump/projector/checkpoint"
)

// State is what a projection is doing.
type State string

// The states of a projection.
const (
	StateStarting   State = "starting"    // tables, identity of the log, subscription
	StateStandby    State = "standby"     // another process owns it; this one waits for the lease
	StateCatchingUp State = "catching-up" // working through what was there before
	StateLive       State = "live"        // everything there was is done
	StateRetrying   State = "retrying"    // an event failed and is tried again
	StatePaused     State = "paused"      // database, network or target are not there; waits for them
	StateStopped    State = "stopped"     // for the reason given; done, if there is none
	StateRebuilding State = "rebuilding"  // building its tables anew
)

// States returns all states, in the order of their declaration.
func States() []State {
	return []State{
		StateStarting, StateStandby, StateCatchingUp, StateLive, StateRetrying, StatePaused, StateStopped, StateRebuilding,
	}
}

// Status is what a projection is doing in this process. See [checkpoint.Status] for what the database knows.
type Status struct {
	Name   string
	Source string

	State  State
	Reason string    // of the state; may be empty
	Since  time.Time // when the state began

	Shards     int // into how many the projection is divided, see [Shards]; 1 = it is not
	ShardsHere int // of them owned by this process, if there are several: what follows is said of these

	Epoch    int64               // of the lease, the highest of several; 0 = not held by this process
	Resumed  checkpoint.Position // where this process took over
	Position checkpoint.Position // last committed, by the rearmost of several shards
	Head     checkpoint.Position // of the source, as last seen
	Handled  int64               // events handled and committed by this process
	Ignored  int64               // events no part wants, passed over and committed by this process
	Skipped  int64               // failed events passed over because the policy or a command says so
	Gaps     int64               // numbers missing in the stream: gone before they were read

	Parked     int64 // events parked now, if this process owns the projection
	ParkedKeys int   // their ordering keys

	Dropped int64 // parked events that this process has dropped on command; among Skipped
	Expired int64 // parked events that were not to be kept any longer; among Skipped

	LagEvents  int64         // events between Position and Head; -1 = not known
	Lag        time.Duration // age of the oldest event not yet committed; 0 = none is waiting, -1 = not known
	LastCommit time.Time     // zero = none yet
	Restarts   int64         // subscriptions replaced because they delivered nothing although the log went on
	Stalled    bool          // replacing them has not helped: the process had better be restarted
	LastError  error         // last failure, nil after the next commit
}

// LagSeconds returns Lag in seconds, -1 where it is not known.
func (s *Status) LagSeconds() float64 {
	if s.Lag < 0 {
		return -1
	}
	return s.Lag.Seconds()
}
