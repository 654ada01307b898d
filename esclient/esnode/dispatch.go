package esnode

import (
	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// handler answers requests of one command. It is called under the lock of the connection, and must not wait.
type handler func(c *conn, r *request)

// command says how requests of a command are treated.
type command struct {
	handle handler
	open   bool // credentials are not looked at
	zeroID bool // may come under the zero correlation id
	since  int  // 20: unknown to older servers
}

// commands is what clients may ask.
func commands() map[Command]command {
	return map[Command]command{
		HeartbeatRequest:  {handle: handleHeartbeat, open: true, zeroID: true},
		HeartbeatResponse: {handle: handleNothing, open: true, zeroID: true},
		BadRequest:        {handle: handleBadRequest, open: true, zeroID: true},
		IdentifyClient:    {handle: handleIdentify, open: true, zeroID: true},
		Authenticate:      {handle: handleAuthenticate, open: true, zeroID: true},
		Ping:              {handle: handlePing, zeroID: true},

		WriteEvents:       {handle: handleAppend},
		DeleteStream:      {handle: handleDelete},
		TransactionStart:  {handle: handleTransactionStart},
		TransactionWrite:  {handle: handleTransactionWrite},
		TransactionCommit: {handle: handleTransactionCommit},
		ScavengeDatabase:  {handle: handleScavenge},

		ReadEvent:                {handle: handleReadEvent},
		ReadStreamEventsForward:  {handle: handleReadStreamForward},
		ReadStreamEventsBackward: {handle: handleReadStreamBackward},
		ReadAllEventsForward:     {handle: handleReadAllForward},
		ReadAllEventsBackward:    {handle: handleReadAllBackward},

		SubscribeToStream:     {handle: handleSubscribe},
		UnsubscribeFromStream: {handle: handleUnsubscribe},

		FilteredReadAllEventsForward:  {handle: handleReadFilteredForward, since: 20},
		FilteredReadAllEventsBackward: {handle: handleReadFilteredBackward, since: 20},
		FilteredSubscribeToStream:     {handle: handleSubscribeFiltered, since: 20},

		ConnectToPersistentSubscription: {handle: handleConnectGroup},
		CreatePersistentSubscription:    {handle: handleCreateGroup},
		UpdatePersistentSubscription:    {handle: handleUpdateGroup},
		DeletePersistentSubscription:    {handle: handleDeleteGroup},
		PersistentSubscriptionAckEvents: {handle: handleAck},
		PersistentSubscriptionNakEvents: {handle: handleNak},
	}
}

// dispatch answers one request. It reports whether the connection goes on.
func (c *conn) dispatch(r *request) bool {
	cmd, known := c.node.commands[Command(r.Command)]
	switch {
	case r.Flags&wire.FlagAuth != 0 && r.Auth.Password == "" && r.Auth.Token == "" && len(r.Payload) == 0:
		c.refuse(wire.CorrelationID{}, "the auth block is cut short") // the parser of the server wants a byte behind the length of the password
		return false
	case r.Flags&wire.FlagTrustedWrite != 0:
		c.refuse(r.Correlation, "Trusted writes aren't accepted over the external TCP interface")
		return false
	case !known || cmd.since == 20 && !c.node.cfg.version20:
		c.send(BadRequest, r.Correlation, text("Could not unwrap network package for command "+r.Command.String()+"."))
		return true
	case (c.version < 0 || c.version > 1) && !cmd.open:
		c.badRequest(r, "Index was outside the bounds of the array.")
		return true
	case !cmd.zeroID && r.Correlation == wire.CorrelationID{}:
		c.badRequest(r, "the correlation id must not be zero")
		return true
	}
	if !cmd.open && c.node.stopping.Load() {
		c.send(NotHandled, r.Correlation, message{&wirepb.NotHandled{Reason: wirepb.NotHandled_REASON_NOT_READY.Enum()}})
		return true
	}
	if !cmd.open && !c.authenticate(r) {
		return true
	}
	c.node.requests.Add(1)
	cmd.handle(c, r)
	return true
}
