// Package emit appends events from handlers: an event because of an event.
//
//	projector.On("pony.born", func(ctx context.Context, e projector.Event[PonyBorn]) error {
//		_, err := emit.Append(ctx, client, "greetings", esclient.Any,
//			esclient.NewEvent{Type: "greeting.due", Body: Greeting{Name: e.Body.Name}})
//		return err
//	})
//
// # Not twice
//
// A handler of [projector.On] runs at least once. The n-th event that a handler emits for an event has the same id in every
// repetition, made of the name of the projection, the id of the event handled, and n; so the event store recognises it. A
// handler must therefore emit the same events in the same order whenever it handles an event, from one goroutine; or set
// [esclient.NewEvent] ID by [projector.Envelope.DeriveID] where it cannot.
//
// With an exact version or [esclient.NoStream], as for a stream of its own for each event, that is certain. With
// [esclient.Any] it holds as long as the server remembers the id: its memory is bounded and does not survive its restart.
//
// Handlers of [projector.OnTx] may emit as well, but the append is not part of their transaction: it is done even where the
// transaction is not, and is then recognised when the event is handled again.
//
// # What caused it
//
// Metadata get $causationId, the id of the event handled; $correlationId, which that event has, or else its id; and its W3C
// trace context, traceparent and tracestate.
package emit
