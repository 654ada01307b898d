package esclient

import (
	"encoding/json"
	"fmt"
	"net"
	"strconv"
)

// NodeState is what a node of a cluster is, in the words of servers from 20.6 on; older words are translated.
type NodeState string

// The states of nodes that serve clients.
const (
	StateLeader          NodeState = "Leader"          // Master up to 5.x
	StateFollower        NodeState = "Follower"        // Slave up to 5.x
	StateReadOnlyReplica NodeState = "ReadOnlyReplica" // from 20.6 on
	StateClone           NodeState = "Clone"           // a surplus follower
)

// Node is a member of a cluster as gossip describes it.
type Node struct {
	ID       string
	State    NodeState
	Alive    bool
	TCP      Endpoint // plain; zero = none
	TLS      Endpoint // zero = none
	HTTP     string   // host:port
	ReadOnly bool
}

// member is a node in the JSON of gossip, of all versions: up to 5.x with external…, from 20.6 on with httpEndPoint….
type member struct {
	InstanceID            string `json:"instanceId"`
	State                 string `json:"state"`
	IsAlive               bool   `json:"isAlive"`
	ExternalTCPIP         string `json:"externalTcpIp"`
	ExternalTCPPort       int    `json:"externalTcpPort"`
	ExternalSecureTCPPort int    `json:"externalSecureTcpPort"`
	ExternalHTTPIP        string `json:"externalHttpIp"`
	ExternalHTTPPort      int    `json:"externalHttpPort"`
	HTTPEndPointIP        string `json:"httpEndPointIp"`
	HTTPEndPointPort      int    `json:"httpEndPointPort"`
	IsReadOnlyReplica     bool   `json:"isReadOnlyReplica"`
}

// parseGossip reads what a node says about its cluster.
func parseGossip(body []byte) ([]Node, error) {
	var g struct{ Members []member }
	if err := json.Unmarshal(body, &g); err != nil {
		return nil, fmt.Errorf("gossip: %w", err)
	}
	nodes := make([]Node, 0, len(g.Members))
	for _, m := range g.Members {
		nodes = append(nodes, m.node())
	}
	return nodes, nil
}

func (m member) node() Node {
	n := Node{
		ID: m.InstanceID, State: translate(m.State), Alive: m.IsAlive, ReadOnly: m.IsReadOnlyReplica,
		TCP: endpoint(m.ExternalTCPIP, m.ExternalTCPPort, false),
		TLS: endpoint(m.ExternalTCPIP, m.ExternalSecureTCPPort, true),
	}
	host, port := m.HTTPEndPointIP, m.HTTPEndPointPort
	if host == "" {
		host, port = m.ExternalHTTPIP, m.ExternalHTTPPort
	}
	if host != "" && port > 0 {
		n.HTTP = net.JoinHostPort(host, strconv.Itoa(port))
	}
	return n
}

func translate(state string) NodeState {
	switch state {
	case "Master":
		return StateLeader
	case "Slave":
		return StateFollower
	}
	return NodeState(state)
}
