package projector

import (
	"time"

	"github.com/photonpump/projector/checkpoint"
)

// Hook observes a [Runner], for metrics and the like. It implements any of [StateHook], [CommitHook], [HandlerHook]
// and [FailureHook].
// Hooks are called from the goroutines that do the work: they must be quick, safe for concurrent use, and not block.
type Hook any

// StateHook is told when the state of a projection changes.
type StateHook interface {
	OnState(projection string, state State, reason string)
}

// CommitHook is told of every commit.
type CommitHook interface {
	OnCommit(projection string, c Commit)
}

// Commit describes one commit.
type Commit struct {
	Position checkpoint.Position
	Handled  int
	Ignored  int
	Skipped  int
	Parked   int           // put aside
	Rows     int           // written or deleted
	Took     time.Duration // of the transaction
}

// HandlerHook is told of every call of a handler. Calls for one projection come from several goroutines.
type HandlerHook interface {
	OnHandler(projection string, c Call)
}

// Call describes one call of a handler.
type Call struct {
	EventType string // for which the handler is registered; empty for [OnAny]
	Tx        bool   // the handler is one of [OnTx]
	Took      time.Duration
	Err       error // that it returned, or its panic; nil = none
}

// FailureHook is told of every failed attempt.
type FailureHook interface {
	OnFailure(projection string, class Class, err error)
}

type hooks []Hook

// handlerHooks are those that are told of calls of handlers.
func (hs hooks) handlerHooks() []HandlerHook {
	var found []HandlerHook
	for _, h := range hs {
		if h, ok := h.(HandlerHook); ok {
			found = append(found, h)
		}
	}
	return found
}

func (hs hooks) state(projection string, s State, reason string) {
	for _, h := range hs {
		if h, ok := h.(StateHook); ok {
			h.OnState(projection, s, reason)
		}
	}
}

func (hs hooks) commit(projection string, c Commit) {
	for _, h := range hs {
		if h, ok := h.(CommitHook); ok {
			h.OnCommit(projection, c)
		}
	}
}

func (hs hooks) failure(projection string, class Class, err error) {
	for _, h := range hs {
		if h, ok := h.(FailureHook); ok {
			h.OnFailure(projection, class, err)
		}
	}
}
