package wire_test

import (
	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// message is what hand-written and generated messages have in common.
type message interface {
	Decode(p []byte) error
	Append(dst []byte) []byte
}

// generated makes a message of a generated one.
type generated struct{ proto.Message }

func (g generated) Decode(p []byte) error { return proto.Unmarshal(p, g.Message) }
func (g generated) Append(dst []byte) []byte {
	b, err := proto.MarshalOptions{}.MarshalAppend(dst, g.Message)
	if err != nil {
		panic(err) // cannot happen: nothing is required, and strings come from Unmarshal
	}
	return b
}

// newMessage returns an empty message for the payload of a command, nil where that is not protobuf.
func newMessage(cmd wire.Command) message {
	switch cmd {
	case wire.WriteEvents:
		return new(wire.WriteEventsBody)
	case wire.WriteEventsCompleted:
		return new(wire.WriteEventsCompletedBody)
	case wire.TransactionWrite:
		return new(wire.TransactionWriteBody)
	case wire.ReadEventCompleted:
		return new(wire.ReadEventCompletedBody)
	case wire.ReadStreamEventsForwardCompleted, wire.ReadStreamEventsBackwardCompleted:
		return new(wire.StreamPage)
	case wire.ReadAllEventsForwardCompleted, wire.ReadAllEventsBackwardCompleted:
		return new(wire.AllPage)
	case wire.FilteredReadAllEventsForwardCompleted, wire.FilteredReadAllEventsBackwardCompleted:
		return new(wire.FilteredPage)
	case wire.StreamEventAppeared:
		return new(wire.StreamEventAppearedBody)
	case wire.PersistentSubscriptionStreamEventAppeared:
		return new(wire.PersistentEventAppearedBody)
	}
	if m := newGenerated(cmd); m != nil {
		return generated{m}
	}
	return nil
}

func newGenerated(cmd wire.Command) proto.Message {
	switch cmd {
	case wire.DeleteStream:
		return new(wirepb.DeleteStream)
	case wire.DeleteStreamCompleted:
		return new(wirepb.DeleteStreamCompleted)
	case wire.TransactionStart:
		return new(wirepb.TransactionStart)
	case wire.TransactionStartCompleted:
		return new(wirepb.TransactionStartCompleted)
	case wire.TransactionWriteCompleted:
		return new(wirepb.TransactionWriteCompleted)
	case wire.TransactionCommit:
		return new(wirepb.TransactionCommit)
	case wire.TransactionCommitCompleted:
		return new(wirepb.TransactionCommitCompleted)
	case wire.ReadEvent:
		return new(wirepb.ReadEvent)
	case wire.ReadStreamEventsForward, wire.ReadStreamEventsBackward:
		return new(wirepb.ReadStreamEvents)
	case wire.ReadAllEventsForward, wire.ReadAllEventsBackward:
		return new(wirepb.ReadAllEvents)
	case wire.FilteredReadAllEventsForward, wire.FilteredReadAllEventsBackward:
		return new(wirepb.FilteredReadAllEvents)
	case wire.SubscribeToStream:
		return new(wirepb.SubscribeToStream)
	case wire.FilteredSubscribeToStream:
		return new(wirepb.FilteredSubscribeToStream)
	case wire.SubscriptionConfirmation:
		return new(wirepb.SubscriptionConfirmation)
	case wire.CheckpointReached:
		return new(wirepb.CheckpointReached)
	case wire.SubscriptionDropped:
		return new(wirepb.SubscriptionDropped)
	case wire.ConnectToPersistentSubscription:
		return new(wirepb.ConnectToPersistentSubscription)
	case wire.PersistentSubscriptionConfirmation:
		return new(wirepb.PersistentSubscriptionConfirmation)
	case wire.CreatePersistentSubscription, wire.UpdatePersistentSubscription:
		return new(wirepb.PersistentSubscriptionSettings)
	case wire.CreatePersistentSubscriptionCompleted:
		return new(wirepb.CreatePersistentSubscriptionCompleted)
	case wire.UpdatePersistentSubscriptionCompleted, wire.DeletePersistentSubscriptionCompleted:
		return new(wirepb.PersistentSubscriptionChanged)
	case wire.DeletePersistentSubscription:
		return new(wirepb.DeletePersistentSubscription)
	case wire.PersistentSubscriptionAckEvents:
		return new(wirepb.PersistentSubscriptionAckEvents)
	case wire.PersistentSubscriptionNakEvents:
		return new(wirepb.PersistentSubscriptionNakEvents)
	case wire.ScavengeDatabaseResponse:
		return new(wirepb.ScavengeDatabaseCompleted) // the superset; 5.0 and later use fewer fields
	case wire.IdentifyClient:
		return new(wirepb.IdentifyClient)
	case wire.NotHandled:
		return new(wirepb.NotHandled)
	}
	return nil
}
