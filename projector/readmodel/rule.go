package readmodel

import (
	"github.com/photonpump/projector/projector"
)

// oneRule is made by [On].
type oneRule[B any, K comparable, R any] struct {
	typed[B, K]
	key  func(projector.Event[B]) K
	fold func(*Row[R], projector.Event[B]) error
}

func (r *oneRule[B, K, R]) bind(in decoder) step {
	return &oneStep[B, K, R]{oneRule: r, in: in.(*decoded[B]), buffer: newKeyBuffer(&r.typed)}
}

type oneStep[B any, K comparable, R any] struct {
	*oneRule[B, K, R]
	in     *decoded[B]
	buffer *keyBuffer[K]
}

func (s *oneStep[B, K, R]) keys(to wants) error {
	if err := s.buffer.set(s.key(s.in.events[len(s.in.events)-1])); err != nil {
		return err
	}
	return to.change(s.buffer.bytes, s.buffer.make, 0, false)
}

func (s *oneStep[B, K, R]) apply(slot, _ int, to *row, _ [][]any) error {
	state := to.state.(*typedState[R])
	if err := s.fold(&state.Row, s.in.events[slot]); err != nil {
		return err
	}
	return state.after(to.key)
}

func (s *oneStep[B, K, R]) reset() {}

// insertRule is made by [Insert].
type insertRule[B any, K comparable, R any] struct {
	typed[B, K]
	key func(projector.Event[B]) K
	row func(projector.Event[B]) (R, error)
}

func (r *insertRule[B, K, R]) bind(in decoder) step {
	return &insertStep[B, K, R]{insertRule: r, in: in.(*decoded[B]), buffer: newKeyBuffer(&r.typed)}
}

type insertStep[B any, K comparable, R any] struct {
	*insertRule[B, K, R]
	in     *decoded[B]
	buffer *keyBuffer[K]
}

func (s *insertStep[B, K, R]) keys(to wants) error {
	if err := s.buffer.set(s.key(s.in.events[len(s.in.events)-1])); err != nil {
		return err
	}
	return to.change(s.buffer.bytes, s.buffer.make, 0, true)
}

func (s *insertStep[B, K, R]) apply(slot, _ int, to *row, _ [][]any) error {
	state := to.state.(*typedState[R])
	value, err := s.row(s.in.events[slot])
	if err != nil {
		return err
	}
	state.Value = value
	return state.after(to.key)
}

func (s *insertStep[B, K, R]) reset() {}

// eachRule is made by [OnEach].
type eachRule[B, T any, K comparable, R any] struct {
	typed[B, K]
	items func(projector.Event[B]) []T
	key   func(projector.Event[B], T) K
	fold  func(*Row[R], projector.Event[B], T) error
}

func (r *eachRule[B, T, K, R]) bind(in decoder) step {
	return &eachStep[B, T, K, R]{eachRule: r, in: in.(*decoded[B]), buffer: newKeyBuffer(&r.typed)}
}

type eachStep[B, T any, K comparable, R any] struct {
	*eachRule[B, T, K, R]
	in     *decoded[B]
	buffer *keyBuffer[K]
	held   []T // items of all events of the batch
}

func (s *eachStep[B, T, K, R]) keys(to wants) error {
	e := s.in.events[len(s.in.events)-1]
	first := len(s.held)
	s.held = append(s.held, s.items(e)...)
	for i := first; i < len(s.held); i++ {
		if err := s.buffer.set(s.key(e, s.held[i])); err != nil {
			return err
		}
		if err := to.change(s.buffer.bytes, s.buffer.make, i, false); err != nil {
			return err
		}
	}
	return nil
}

func (s *eachStep[B, T, K, R]) apply(slot, item int, to *row, _ [][]any) error {
	state := to.state.(*typedState[R])
	if err := s.fold(&state.Row, s.in.events[slot], s.held[item]); err != nil {
		return err
	}
	return state.after(to.key)
}

func (s *eachStep[B, T, K, R]) reset() {
	clear(s.held)
	s.held = s.held[:0]
}
