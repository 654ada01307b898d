package esnode

import (
	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

func handleNothing(*conn, *request) {}

func handleHeartbeat(c *conn, r *request) { c.send(HeartbeatResponse, r.Correlation, nil) }

// handleBadRequest takes note of a client that could not read what the node sent.
func handleBadRequest(c *conn, r *request) {
	c.log.Warn("client says bad request", "text", string(r.Payload))
}

func handlePing(c *conn, r *request) { c.send(Pong, r.Correlation, raw(r.Payload)) }

// handleIdentify takes the version of the protocol: 0 means event numbers of 32 bits, 1 of 64. Any other is accepted like
// by the server, which then cannot serve the connection. A payload that does not decode gets no answer.
func handleIdentify(c *conn, r *request) {
	var m wirepb.IdentifyClient
	if proto.Unmarshal(r.Payload, &m) != nil {
		return
	}
	c.version, c.name = m.GetVersion(), m.GetConnectionName()
	c.log.Info("client identified", "name", c.name, "version", c.version)
	c.send(ClientIdentified, r.Correlation, nil)
}
