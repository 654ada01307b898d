package config

import (
	"fmt"

	"github.com/photonpump/projector/projector/readmodel"
	"github.com/photonpump/projector/projector/source"
)

// decoders makes one decoder for each event type of a projection, so that all its tables share it.
type decoders struct {
	byType map[string]*readmodel.Decoder[env]
	uses   map[string]*uses
}

func newDecoders() *decoders {
	return &decoders{byType: map[string]*readmodel.Decoder[env]{}, uses: map[string]*uses{}}
}

func (d *decoders) of(eventType string) (*readmodel.Decoder[env], *uses) {
	if d.byType[eventType] == nil {
		u := &uses{}
		d.uses[eventType] = u
		d.byType[eventType] = &readmodel.Decoder[env]{Decode: u.decode}
	}
	return d.byType[eventType], d.uses[eventType]
}

// uses says what of an event the rules of its type look at.
type uses struct{ body, metadata bool }

func (u *uses) add(p *program) {
	u.body = u.body || p.uses("body")
	u.metadata = u.metadata || p.uses("metadata")
}

// decode makes ready what the rules look at.
func (u *uses) decode(e *source.Event, into *env) (err error) {
	into.event = e
	if u.body {
		if into.body, err = decodeJSON(e.Data); err != nil {
			return fmt.Errorf("body: %w", err)
		}
	}
	if u.metadata {
		into.metadata = map[string]any{}
		if len(e.Metadata) > 0 {
			if into.metadata, err = decodeJSON(e.Metadata); err != nil {
				return fmt.Errorf("metadata: %w", err)
			}
		}
	}
	return nil
}
