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
	other  map[string]bodyDecoder // of bodies that are not JSON
}

func newDecoders(other map[string]bodyDecoder) *decoders {
	return &decoders{byType: map[string]*readmodel.Decoder[env]{}, uses: map[string]*uses{}, other: other}
}

func (d *decoders) of(eventType string) (*readmodel.Decoder[env], *uses) {
	if d.byType[eventType] == nil {
		u := &uses{other: d.other}
		d.uses[eventType] = u
		d.byType[eventType] = &readmodel.Decoder[env]{Decode: u.decode}
	}
	return d.byType[eventType], d.uses[eventType]
}

// uses says what of an event the rules of its type look at.
type uses struct {
	body, metadata *wanted
	other          map[string]bodyDecoder
}

func (u *uses) add(p *program) {
	for _, path := range p.paths {
		into := &u.body
		if path.root == "metadata" {
			into = &u.metadata
		}
		if *into == nil {
			*into = &wanted{}
		}
		(*into).add(path.steps)
	}
}

// decode makes ready what the rules look at.
func (u *uses) decode(e *source.Event, into *env) (err error) {
	into.event = e
	if u.body != nil {
		if decode := u.other[e.Type]; decode != nil {
			into.body, err = decode(e.Data)
		} else {
			into.json = true
			into.body, err = scan(e.Data, u.body)
		}
		if err != nil {
			return fmt.Errorf("body: %w", err)
		}
	}
	if u.metadata != nil {
		into.metadata = map[string]any(nil)
		if len(e.Metadata) > 0 {
			if into.metadata, err = scan(e.Metadata, u.metadata); err != nil {
				return fmt.Errorf("metadata: %w", err)
			}
		}
	}
	return nil
}
