package wire

import "fmt"

// Command says what a package is.
type Command uint8

// The commands that clients and servers exchange.
const (
	HeartbeatRequest  Command = 0x01
	HeartbeatResponse Command = 0x02
	Ping              Command = 0x03
	Pong              Command = 0x04

	WriteEvents                Command = 0x82
	WriteEventsCompleted       Command = 0x83
	TransactionStart           Command = 0x84
	TransactionStartCompleted  Command = 0x85
	TransactionWrite           Command = 0x86
	TransactionWriteCompleted  Command = 0x87
	TransactionCommit          Command = 0x88
	TransactionCommitCompleted Command = 0x89
	DeleteStream               Command = 0x8A
	DeleteStreamCompleted      Command = 0x8B

	ReadEvent                              Command = 0xB0
	ReadEventCompleted                     Command = 0xB1
	ReadStreamEventsForward                Command = 0xB2
	ReadStreamEventsForwardCompleted       Command = 0xB3
	ReadStreamEventsBackward               Command = 0xB4
	ReadStreamEventsBackwardCompleted      Command = 0xB5
	ReadAllEventsForward                   Command = 0xB6
	ReadAllEventsForwardCompleted          Command = 0xB7
	ReadAllEventsBackward                  Command = 0xB8
	ReadAllEventsBackwardCompleted         Command = 0xB9
	FilteredReadAllEventsForward           Command = 0xBA // from 20.6 on, as the other filtered commands
	FilteredReadAllEventsForwardCompleted  Command = 0xBB
	FilteredReadAllEventsBackward          Command = 0xBC
	FilteredReadAllEventsBackwardCompleted Command = 0xBE // 0xBD is unused

	SubscribeToStream                         Command = 0xC0
	SubscriptionConfirmation                  Command = 0xC1
	StreamEventAppeared                       Command = 0xC2
	UnsubscribeFromStream                     Command = 0xC3
	SubscriptionDropped                       Command = 0xC4
	ConnectToPersistentSubscription           Command = 0xC5
	PersistentSubscriptionConfirmation        Command = 0xC6
	PersistentSubscriptionStreamEventAppeared Command = 0xC7
	CreatePersistentSubscription              Command = 0xC8
	CreatePersistentSubscriptionCompleted     Command = 0xC9
	DeletePersistentSubscription              Command = 0xCA
	DeletePersistentSubscriptionCompleted     Command = 0xCB
	PersistentSubscriptionAckEvents           Command = 0xCC
	PersistentSubscriptionNakEvents           Command = 0xCD
	UpdatePersistentSubscription              Command = 0xCE
	UpdatePersistentSubscriptionCompleted     Command = 0xCF

	ScavengeDatabase          Command = 0xD0
	ScavengeDatabaseResponse  Command = 0xD1
	FilteredSubscribeToStream Command = 0xD2
	CheckpointReached         Command = 0xD3

	BadRequest       Command = 0xF0
	NotHandled       Command = 0xF1
	Authenticate     Command = 0xF2
	Authenticated    Command = 0xF3
	NotAuthenticated Command = 0xF4
	IdentifyClient   Command = 0xF5
	ClientIdentified Command = 0xF6
)

// Known reports whether c is one of the commands above.
func (c Command) Known() bool { return c.name() != "" }

// String returns the name of c, or its byte in hex.
func (c Command) String() string {
	if name := c.name(); name != "" {
		return name
	}
	return fmt.Sprintf("command 0x%02X", uint8(c))
}

// name is a switch and not a map, so that the package has no state.
func (c Command) name() string {
	switch c {
	case HeartbeatRequest:
		return "HeartbeatRequest"
	case HeartbeatResponse:
		return "HeartbeatResponse"
	case Ping:
		return "Ping"
	case Pong:
		return "Pong"
	case WriteEvents:
		return "WriteEvents"
	case WriteEventsCompleted:
		return "WriteEventsCompleted"
	case TransactionStart:
		return "TransactionStart"
	case TransactionStartCompleted:
		return "TransactionStartCompleted"
	case TransactionWrite:
		return "TransactionWrite"
	case TransactionWriteCompleted:
		return "TransactionWriteCompleted"
	case TransactionCommit:
		return "TransactionCommit"
	case TransactionCommitCompleted:
		return "TransactionCommitCompleted"
	case DeleteStream:
		return "DeleteStream"
	case DeleteStreamCompleted:
		return "DeleteStreamCompleted"
	case ReadEvent:
		return "ReadEvent"
	case ReadEventCompleted:
		return "ReadEventCompleted"
	case ReadStreamEventsForward:
		return "ReadStreamEventsForward"
	case ReadStreamEventsForwardCompleted:
		return "ReadStreamEventsForwardCompleted"
	case ReadStreamEventsBackward:
		return "ReadStreamEventsBackward"
	case ReadStreamEventsBackwardCompleted:
		return "ReadStreamEventsBackwardCompleted"
	case ReadAllEventsForward:
		return "ReadAllEventsForward"
	case ReadAllEventsForwardCompleted:
		return "ReadAllEventsForwardCompleted"
	case ReadAllEventsBackward:
		return "ReadAllEventsBackward"
	case ReadAllEventsBackwardCompleted:
		return "ReadAllEventsBackwardCompleted"
	case FilteredReadAllEventsForward:
		return "FilteredReadAllEventsForward"
	case FilteredReadAllEventsForwardCompleted:
		return "FilteredReadAllEventsForwardCompleted"
	case FilteredReadAllEventsBackward:
		return "FilteredReadAllEventsBackward"
	case FilteredReadAllEventsBackwardCompleted:
		return "FilteredReadAllEventsBackwardCompleted"
	case SubscribeToStream:
		return "SubscribeToStream"
	case SubscriptionConfirmation:
		return "SubscriptionConfirmation"
	case StreamEventAppeared:
		return "StreamEventAppeared"
	case UnsubscribeFromStream:
		return "UnsubscribeFromStream"
	case SubscriptionDropped:
		return "SubscriptionDropped"
	case ConnectToPersistentSubscription:
		return "ConnectToPersistentSubscription"
	case PersistentSubscriptionConfirmation:
		return "PersistentSubscriptionConfirmation"
	case PersistentSubscriptionStreamEventAppeared:
		return "PersistentSubscriptionStreamEventAppeared"
	case CreatePersistentSubscription:
		return "CreatePersistentSubscription"
	case CreatePersistentSubscriptionCompleted:
		return "CreatePersistentSubscriptionCompleted"
	case DeletePersistentSubscription:
		return "DeletePersistentSubscription"
	case DeletePersistentSubscriptionCompleted:
		return "DeletePersistentSubscriptionCompleted"
	case PersistentSubscriptionAckEvents:
		return "PersistentSubscriptionAckEvents"
	case PersistentSubscriptionNakEvents:
		return "PersistentSubscriptionNakEvents"
	case UpdatePersistentSubscription:
		return "UpdatePersistentSubscription"
	case UpdatePersistentSubscriptionCompleted:
		return "UpdatePersistentSubscriptionCompleted"
	case ScavengeDatabase:
		return "ScavengeDatabase"
	case ScavengeDatabaseResponse:
		return "ScavengeDatabaseResponse"
	case FilteredSubscribeToStream:
		return "FilteredSubscribeToStream"
	case CheckpointReached:
		return "CheckpointReached"
	case BadRequest:
		return "BadRequest"
	case NotHandled:
		return "NotHandled"
	case Authenticate:
		return "Authenticate"
	case Authenticated:
		return "Authenticated"
	case NotAuthenticated:
		return "NotAuthenticated"
	case IdentifyClient:
		return "IdentifyClient"
	case ClientIdentified:
		return "ClientIdentified"
	}
	return ""
}
