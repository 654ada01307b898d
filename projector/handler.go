package projector

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/projector/source"
)

// Handler is a function registered for one event type, made by [On] or [OnTx].
type Handler struct {
	eventType string                      // empty = any
	codec     codec.Codec                 // nil = the projection's
	match     func(eventType string) bool // of those for any; nil = all
	call      func(ctx context.Context, tx checkpoint.Tx, c codec.Codec, e *source.Event, d *delivery) error
	accepts   func(tx checkpoint.Tx) error // nil for handlers outside the transaction
	err       error                        // a mistake made at registration
}

// On makes a handler for side effects: mails, calls, messages. It runs before the commit of its batch, so after a crash
// it may run again for the events of that batch: at least once, in order.
//
//	projector.On("pony.jumped", func(ctx context.Context, e projector.Event[PonyJumped]) error { … })
//
// The body is decoded as JSON unless an option says otherwise; for a body of type []byte it is the raw data itself, which must
// not be changed.
func On[B any](eventType string, fn func(ctx context.Context, e Event[B]) error, opts ...HandlerOption) *Handler {
	h := newHandler[B](eventType, fn == nil, opts)
	h.call = func(ctx context.Context, _ checkpoint.Tx, c codec.Codec, e *source.Event, d *delivery) error {
		body, err := decode[B](c, e.Data)
		if err != nil {
			return err
		}
		return fn(ctx, Event[B]{body, d.envelope(e)})
	}
	return h
}

// OnTx makes a handler that writes through the database transaction that also moves the position: its writes count
// exactly once, whatever crashes. Tx is the transaction type of the store, pgx.Tx or *sql.Tx, or [checkpoint.SQLTx] where
// either will do; this is checked when the projection starts. The handler must neither commit nor roll back.
func OnTx[Tx, B any](eventType string, fn func(ctx context.Context, tx Tx, e Event[B]) error, opts ...HandlerOption) *Handler {
	h := newHandler[B](eventType, fn == nil, opts)
	h.accepts = func(tx checkpoint.Tx) error {
		if _, ok := txOf[Tx](tx); !ok {
			return fmt.Errorf("handler of %q wants a transaction of type %v, the store gives %T",
				eventType, reflect.TypeFor[Tx](), tx.Native())
		}
		return nil
	}
	h.call = func(ctx context.Context, tx checkpoint.Tx, c codec.Codec, e *source.Event, d *delivery) error {
		body, err := decode[B](c, e.Data)
		if err != nil {
			return err
		}
		native, _ := txOf[Tx](tx)
		return fn(ctx, native, Event[B]{body, d.envelope(e)})
	}
	return h
}

// OnTxTypes makes a handler like [OnTx] for events of all types that match accepts, unless the projection has an OnTx for
// exactly that type. A projection has one at most. match must give the same answer each time.
func OnTxTypes[Tx, B any](match func(eventType string) bool, fn func(ctx context.Context, tx Tx, e Event[B]) error, opts ...HandlerOption) *Handler {
	h := OnTx("any", fn, opts...)
	h.eventType, h.match = "", match
	return h
}

// txOf returns the transaction as a handler wants it.
func txOf[Tx any](tx checkpoint.Tx) (Tx, bool) {
	if _, either := any((*Tx)(nil)).(*checkpoint.SQLTx); either {
		t, ok := tx.(Tx)
		return t, ok
	}
	t, ok := tx.Native().(Tx)
	return t, ok
}

// OnAny makes a handler like [On] for events of every type for which the projection has no On of its own.
func OnAny[B any](fn func(ctx context.Context, e Event[B]) error, opts ...HandlerOption) *Handler {
	h := On("any", fn, opts...)
	h.eventType = ""
	return h
}

func newHandler[B any](eventType string, isNil bool, opts []HandlerOption) *Handler {
	h := &Handler{eventType: eventType}
	switch {
	case eventType == "":
		h.err = errors.New("a handler has no event type")
	case isNil:
		h.err = fmt.Errorf("handler of %q is nil", eventType)
	}
	if reflect.TypeFor[B]() == reflect.TypeFor[[]byte]() {
		h.codec = codec.Raw()
	}
	for _, o := range opts {
		o.applyHandler(h)
	}
	return h
}

// Handles reports whether eventType is the handler's.
func (h *Handler) Handles(eventType string) bool {
	if h.eventType == "" {
		return h.match == nil || h.match(eventType)
	}
	return h.eventType == eventType
}

func (h *Handler) String() string {
	switch {
	case h.match != nil:
		return "OnTxTypes"
	case h.eventType == "":
		return "OnAny"
	case h.accepts != nil:
		return fmt.Sprintf("OnTx(%q)", h.eventType)
	}
	return fmt.Sprintf("On(%q)", h.eventType)
}

func decode[B any](c codec.Codec, data []byte) (body B, err error) {
	if bytes, ok := any(&body).(*[]byte); ok && c == codec.Raw() {
		*bytes = slices.Clip(data)
		return body, nil
	}
	decoded := new(B)
	if err := c.Decode(data, decoded); err != nil {
		return body, &decodeError{codec: c.Name(), body: reflect.TypeFor[B](), err: err}
	}
	return *decoded, nil
}

// decodeError says that a body is not what a handler wants.
type decodeError struct {
	codec string
	body  reflect.Type
	err   error
}

func (e *decodeError) Error() string {
	return fmt.Sprintf("decode body with codec %q into %v: %v", e.codec, e.body, e.err)
}

func (e *decodeError) Unwrap() error { return e.err }

// describe names an event in errors and logs.
func describe(e *source.Event) string {
	s := fmt.Sprintf("event %d@%s", e.Number, e.Stream)
	if e.Type != "" {
		s += " (" + e.Type + ")"
	}
	return s
}
