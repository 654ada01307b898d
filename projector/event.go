package projector

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

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
	Replay     bool   // at or before the floor, see [EffectsAfter]
}

// IdempotencyKey is the same whenever and wherever this projection handles this event, so that the target of a side effect
// can recognise a repetition.
func (e *Envelope) IdempotencyKey() string { return e.DeriveID("").String() }

// FencingToken grows whenever another process takes the projection over. A target that remembers the greatest token it has
// seen can refuse a smaller one: it comes from an owner that does not know yet that it is not one any more.
func (e *Envelope) FencingToken() int64 { return e.Epoch }

// DeriveID returns an id for an event that the handler emits, the same in every repetition: appending it again is then
// recognised by the event store. The purpose tells several events apart that are emitted for one.
func (e *Envelope) DeriveID(purpose string) uuid.UUID {
	id := e.RecordID()
	return uuid.NewSHA1(id, []byte(e.Projection+"\x00"+purpose))
}

// relations are the members of metadata that Event Store defines, and those of W3C trace context.
type relations struct {
	CorrelationID string `json:"$correlationId,omitempty"`
	CausationID   string `json:"$causationId,omitempty"`
	TraceParent   string `json:"traceparent,omitempty"`
	TraceState    string `json:"tracestate,omitempty"`
}

func (e *Envelope) relations() relations {
	var r relations
	if len(e.Metadata) > 0 {
		_ = json.Unmarshal(e.Metadata, &r) // metadata may be anything; what is not there is not there
	}
	return r
}

// CorrelationID is $correlationId of the metadata; empty if there is none.
func (e *Envelope) CorrelationID() string { return e.relations().CorrelationID }

// CausationID is $causationId of the metadata; empty if there is none.
func (e *Envelope) CausationID() string { return e.relations().CausationID }

// FollowUp returns metadata for an event that is emitted because of this one: caused by it, in the same correlation and
// trace. Without a correlation this event begins one.
func (e *Envelope) FollowUp() []byte {
	r := e.relations()
	r.CausationID = e.ID.String()
	if r.CorrelationID == "" {
		r.CorrelationID = r.CausationID
	}
	data, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings always can
	}
	return data
}

type callKey struct{}

// EmittedIDs returns the ids of the next n events that the handler emits whose context this is, see package emit. They are the
// same whenever the handler handles the event, in the order in which it asks for them. It must ask from one goroutine. ok is
// false if ctx is not that of a handler.
func EmittedIDs(ctx context.Context, n int) (ids []uuid.UUID, ok bool) {
	call, ok := ctx.Value(callKey{}).(*callContext)
	if !ok {
		return nil, false
	}
	e := call.envelope()
	for range n {
		ids = append(ids, e.DeriveID(fmt.Sprintf("%v emits %d", call.handler, call.emitted)))
		call.emitted++
	}
	return ids, true
}

// FromContext returns the event that is being handled, in the context of a handler.
func FromContext(ctx context.Context) (*Envelope, bool) {
	call, ok := ctx.Value(callKey{}).(*callContext)
	if !ok {
		return nil, false
	}
	return new(call.envelope()), true
}

// TraceContext returns the W3C trace context in the metadata of the event that is being handled, in the context of a
// handler. Both are empty if there is none.
func TraceContext(ctx context.Context) (traceparent, tracestate string) {
	e, ok := FromContext(ctx)
	if !ok {
		return "", ""
	}
	r := e.relations()
	return r.TraceParent, r.TraceState
}
