package codec

import (
	"errors"
	"fmt"
	"reflect"
)

// ErrUnknownEvent means that a type of event, or a Go type, is not registered.
var ErrUnknownEvent = errors.New("event is not registered")

// Registration joins a type of event, a Go type and a codec.
type Registration struct {
	eventType string
	body      reflect.Type
	codec     Codec
}

// Register makes a registration for bodies of type B.
func Register[B any](eventType string, c Codec) Registration {
	return Registration{eventType, reflect.TypeFor[B](), c}
}

// Events encodes and decodes bodies of registered events. It does not change and is safe for concurrent use.
type Events struct {
	byName map[string]Registration
	byType map[reflect.Type]Registration
}

// NewEvents joins registrations. Every type of event and every Go type may occur once.
func NewEvents(registrations ...Registration) (*Events, error) {
	e := &Events{byName: map[string]Registration{}, byType: map[reflect.Type]Registration{}}
	var errs []error
	for _, r := range registrations {
		if _, twice := e.byName[r.eventType]; twice {
			errs = append(errs, fmt.Errorf("event type %q is registered twice", r.eventType))
		}
		if other, twice := e.byType[r.body]; twice {
			errs = append(errs, fmt.Errorf("type %v of Go is registered for %q and %q", r.body, other.eventType, r.eventType))
		}
		if r.codec == nil || r.eventType == "" {
			errs = append(errs, fmt.Errorf("registration of %v as %q: want a type of event and a codec", r.body, r.eventType))
		}
		e.byName[r.eventType], e.byType[r.body] = r, r
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return e, nil
}

// Encode returns the type of event that is registered for the Go type of body, and the data. isJSON is what the event store
// wants to know.
func (e *Events) Encode(body any) (eventType string, data []byte, isJSON bool, err error) {
	t := reflect.TypeOf(body)
	r, ok := e.byType[t]
	if !ok && t != nil && t.Kind() == reflect.Pointer {
		r, ok = e.byType[t.Elem()]
	}
	if !ok {
		return "", nil, false, fmt.Errorf("%w: Go type %T", ErrUnknownEvent, body)
	}
	data, err = r.codec.Encode(nil, body)
	if err != nil {
		return "", nil, false, fmt.Errorf("event %q: %w", r.eventType, err)
	}
	return r.eventType, data, r.codec.JSON(), nil
}

// Decode returns the body of an event as a value of the Go type that is registered for it.
func (e *Events) Decode(eventType string, data []byte) (any, error) {
	r, ok := e.byName[eventType]
	if !ok {
		return nil, fmt.Errorf("%w: type %q", ErrUnknownEvent, eventType)
	}
	v := reflect.New(r.body)
	if err := r.codec.Decode(data, v.Interface()); err != nil {
		return nil, fmt.Errorf("event %q: %w", eventType, err)
	}
	return v.Elem().Interface(), nil
}
