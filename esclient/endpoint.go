package esclient

import (
	"net"
	"strconv"

	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// Endpoint is where a node takes TCP connections.
type Endpoint struct {
	Address string // host:port
	TLS     bool
}

func (e Endpoint) String() string {
	if e.TLS {
		return "tls://" + e.Address
	}
	return "tcp://" + e.Address
}

// leaderEndpoint returns where the leader is: over TLS if we want that and it has it, else plain. A leader that has only
// what we did not ask for is taken as it is.
func leaderEndpoint(info *wirepb.LeaderInfo, wantTLS bool) Endpoint {
	plain := endpoint(info.GetExternalTcpAddress(), int(info.GetExternalTcpPort()), false)
	secure := endpoint(info.GetExternalSecureTcpAddress(), int(info.GetExternalSecureTcpPort()), true)
	if wantTLS {
		return secure // never send a password in the clear because some node says so
	}
	if plain == (Endpoint{}) {
		return secure
	}
	return plain
}

// endpoint returns the zero Endpoint unless there is an address.
func endpoint(host string, port int, tls bool) Endpoint {
	if host == "" || port <= 0 {
		return Endpoint{}
	}
	return Endpoint{Address: net.JoinHostPort(host, strconv.Itoa(port)), TLS: tls}
}
