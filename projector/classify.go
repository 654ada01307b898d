package projector

import (
	"errors"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// classifyHandler returns the class of an error that a handler returned.
func classifyHandler(store checkpoint.Store, err error) Class {
	var event *EventError
	var decode *decodeError
	switch {
	case errors.As(err, &event):
		return event.Class
	case errors.As(err, &decode):
		return ClassDecode
	}
	if o := outcomeOf(err); o != nil {
		return o.class()
	}
	switch store.Classify(err) {
	case checkpoint.ClassUnavailable:
		return ClassInfrastructure
	case checkpoint.ClassConfiguration:
		return ClassConfiguration
	}
	return ClassHandler
}

// classifySystem returns the class of an error that a store or source returned by itself. What is not known is taken for
// an outage: waiting loses nothing.
func classifySystem(store checkpoint.Store, err error) Class {
	var event *EventError
	var stopped *StoppedError
	switch {
	case errors.As(err, &stopped):
		return stopped.Class
	case errors.As(err, &event):
		return event.Class
	case errors.Is(err, ErrOtherLog), errors.Is(err, source.ErrRefused), errors.Is(err, source.ErrStreamDeleted),
		errors.Is(err, errWrongTx):
		return ClassConfiguration
	}
	if store.Classify(err) == checkpoint.ClassConfiguration {
		return ClassConfiguration
	}
	return ClassInfrastructure
}

// class of an outcome.
func (o *Outcome) class() Class {
	switch o.kind {
	case outcomeUnavailable:
		return ClassInfrastructure
	case outcomeStop:
		return ClassConfiguration
	}
	return ClassHandler
}
