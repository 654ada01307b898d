package projector

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/photonpump/projector/projector/source"
)

// WholeProjection is the ordering key of all events of a projection that has only one key: see [ParkProjection].
const WholeProjection = "\x00projection"

// howToOrder is what to do about an event whose ordering key cannot be computed.
const howToOrder = "give events a key that needs no body (order_by, OrderBy), have everything wait behind a parked event " +
	"(park: projection, ParkProjection), or pass such events over (decode_errors: skip, WithDecodeErrors)"

var errNotUpcast = errors.New("the body was not brought to the version that the tables know")

// Crosser is a [Keyer] that knows whether an event may change rows of several ordering keys.
type Crosser interface {
	// Crossing says why an event may change, or look at, rows of several keys; empty if it never does.
	Crossing() string
}

// crossing says why events have no ordering key of their own, unless [OrderBy] gives them one; empty if they have.
func (p *Projection) crossing() string {
	switch {
	case len(p.folders) == 0:
		return ""
	case len(p.effects)+len(p.txs) > 0:
		return "the projection has tables and handlers"
	case len(p.folders) > 1:
		return "the projection has several models that are not joined"
	}
	if _, ok := p.folders[0].(Keyer); !ok {
		return "the rows that events change are not known"
	}
	if c, ok := p.folders[0].(Crosser); ok {
		return c.Crossing()
	}
	return ""
}

// orderingKey returns the key of an event: that of the whole projection if it has only one, what [OrderBy] says, the row of
// the table, or the stream.
func (s *session) orderingKey(e *source.Event) (string, error) {
	return s.keyOf(e, s.broken[e.RecordID()] != nil)
}

// keyOf is orderingKey of an event that was upcast, or could not be.
func (t *task) keyOf(e *source.Event, broken bool) (string, error) {
	switch {
	case t.whole:
		return WholeProjection, nil
	case t.cfg.orderBy != nil:
		return guardKey(t.cfg.orderBy, e)
	case len(t.p.folders) == 0:
		return e.Stream, nil
	case broken:
		return "", errNotUpcast
	}
	return t.p.folders[0].(Keyer).OrderingKey(e)
}

// notParkable says that an event which has failed cannot be parked, as its key cannot be computed.
func notParkable(err, failed error) error {
	if strings.HasSuffix(err.Error(), failed.Error()) {
		return fmt.Errorf("%w: nor is its ordering key known; %s", errNotParkable, howToOrder)
	}
	return fmt.Errorf("%w: its ordering key is not known: %w; %s", errNotParkable, err, howToOrder)
}

// guardKey makes a panic an error.
func guardKey(fn func(*source.Event) (string, error), e *source.Event) (key string, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("OrderBy: %w", &PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	return fn(e)
}

// keyError is the failure of an event whose ordering key cannot be computed. What was wrong with it keeps its class, so that
// the policy for it holds.
func keyError(index int, err error) error {
	var event *EventError
	if errors.As(err, &event) {
		return &EventError{Index: index, Class: event.Class, Err: event.Err}
	}
	return &EventError{Index: index, Class: ClassDecode, Err: fmt.Errorf("ordering key: %w", err)}
}
