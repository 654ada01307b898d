package eventstore

import (
	"context"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector/source"
)

// subscription is a catch-up subscription of the client in the words of the framework.
type subscription struct {
	source   source.Source
	sub      *esclient.Subscription
	convert  func(dst *source.Event, e *esclient.Event)
	position func(b *esclient.Batch) checkpoint.Position
	wants    func(e *esclient.Event) bool // nil = everything
	witness  witness
	held     *esclient.Batch // has come, and is to be delivered once the log is known to be the same; nil = none
}

// Next implements [source.Subscription].
func (s *subscription) Next(ctx context.Context) (source.Batch, error) {
	if s.held == nil {
		in, err := s.sub.Next(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return source.Batch{}, err
			}
			return source.Batch{}, translate(s.source, err)
		}
		s.held = &in
	}
	if err := s.witness.check(ctx); err != nil {
		return source.Batch{}, err
	}
	in := s.held
	s.held = nil
	out := source.Batch{Position: s.position(in), Live: in.Live}
	wanted := s.count(in.Events)
	if wanted == 0 {
		return out, nil
	}
	out.Events = make([]source.Event, 0, wanted)
	for i := range in.Events {
		if s.wants == nil || s.wants(&in.Events[i]) {
			out.Events = out.Events[:len(out.Events)+1]
			s.convert(&out.Events[len(out.Events)-1], &in.Events[i])
		}
	}
	s.witness.saw(out.Events)
	return out, nil
}

func (s *subscription) count(events []esclient.Event) int {
	if s.wants == nil {
		return len(events)
	}
	n := 0
	for i := range events {
		if s.wants(&events[i]) {
			n++
		}
	}
	return n
}

// Close implements [source.Subscription].
func (s *subscription) Close() error {
	s.sub.Stop()
	return nil
}
