package projector

import (
	"github.com/photonpump/projector/projector/source"
)

// Event is what a handler gets: the decoded body, and everything else that is known of the event.
type Event[B any] struct {
	Body B
	Envelope
}

// Envelope is an event without its decoded body.
type Envelope struct {
	source.Event // ID, Type, Stream, Number, Position, Created, raw Data and Metadata, Link

	Projection string // that handles the event
	Epoch      int64  // of its owner's lease
}
