package esnode

import "fmt"

// Command is the first byte of a package: what is asked or answered.
type Command byte

// The commands of the TCP protocol.
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

	ReadEvent                             Command = 0xB0
	ReadEventCompleted                    Command = 0xB1
	ReadStreamEventsForward               Command = 0xB2
	ReadStreamEventsForwardCompleted      Command = 0xB3
	ReadStreamEventsBackward              Command = 0xB4
	ReadStreamEventsBackwardCompleted     Command = 0xB5
	ReadAllEventsForward                  Command = 0xB6
	ReadAllEventsForwardCompleted         Command = 0xB7
	ReadAllEventsBackward                 Command = 0xB8
	ReadAllEventsBackwardCompleted        Command = 0xB9
	FilteredReadAllEventsForward          Command = 0xBA // version 20
	FilteredReadAllEventsForwardCompleted Command = 0xBB // version 20
	FilteredReadAllEventsBackward         Command = 0xBC // version 20

	FilteredReadAllEventsBackwardCompleted Command = 0xBE // version 20; 0xBD is unused

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
	ScavengeDatabase                          Command = 0xD0
	ScavengeDatabaseResponse                  Command = 0xD1
	FilteredSubscribeToStream                 Command = 0xD2 // version 20
	CheckpointReached                         Command = 0xD3 // version 20

	BadRequest       Command = 0xF0
	NotHandled       Command = 0xF1
	Authenticate     Command = 0xF2
	Authenticated    Command = 0xF3
	NotAuthenticated Command = 0xF4
	IdentifyClient   Command = 0xF5
	ClientIdentified Command = 0xF6
)

// String returns the byte in hexadecimal.
func (c Command) String() string { return fmt.Sprintf("0x%02X", byte(c)) }
