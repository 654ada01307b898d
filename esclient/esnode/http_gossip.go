package esnode

import (
	"net"
	"net/http"
	"strconv"
	"time"
)

// gossipMember is a member as gossip tells of it, with the keys of 5.x and, in version 20, those of 20.x.
type gossipMember struct {
	InstanceID         string `json:"instanceId"`
	TimeStamp          string `json:"timeStamp"`
	State              string `json:"state"`
	IsAlive            bool   `json:"isAlive"`
	InternalTCPIP      string `json:"internalTcpIp"`
	InternalTCPPort    int    `json:"internalTcpPort"`
	InternalSecurePort int    `json:"internalSecureTcpPort"`
	ExternalTCPIP      string `json:"externalTcpIp"`
	ExternalTCPPort    int    `json:"externalTcpPort"`
	ExternalSecurePort int    `json:"externalSecureTcpPort"`
	InternalHTTPIP     string `json:"internalHttpIp"`
	InternalHTTPPort   int    `json:"internalHttpPort"`
	ExternalHTTPIP     string `json:"externalHttpIp"`
	ExternalHTTPPort   int    `json:"externalHttpPort"`
	HTTPEndPointIP     string `json:"httpEndPointIp,omitempty"`
	HTTPEndPointPort   int    `json:"httpEndPointPort,omitempty"`
	LastCommitPosition int64  `json:"lastCommitPosition"`
	WriterCheckpoint   int64  `json:"writerCheckpoint"`
	ChaserCheckpoint   int64  `json:"chaserCheckpoint"`
	EpochPosition      int64  `json:"epochPosition"`
	EpochNumber        int    `json:"epochNumber"`
	EpochID            string `json:"epochId"`
	NodePriority       int    `json:"nodePriority"`
	IsReadOnlyReplica  *bool  `json:"isReadOnlyReplica,omitempty"`
}

func (s *httpServer) getGossip(w http.ResponseWriter, _ *http.Request) {
	members := []gossipMember{}
	for _, m := range s.node.members {
		members = append(members, m.gossip())
	}
	ip, port := hostPort(s.listener)
	writeJSON(w, http.StatusOK, map[string]any{"members": members, "serverIp": ip, "serverPort": port})
}

func (m *member) gossip() gossipMember {
	n := m.node
	g := gossipMember{
		InstanceID: m.instance, TimeStamp: n.cfg.clock.Now().UTC().Format(time.RFC3339Nano), State: m.gossipState(), IsAlive: m.alive(),
		LastCommitPosition: n.log.LastCommit(), WriterCheckpoint: n.log.Head(), ChaserCheckpoint: n.log.Head(),
		EpochNumber: int(n.epoch.Load()), EpochID: n.epochID,
	}
	g.ExternalTCPIP, g.ExternalTCPPort = hostPort(m.tcp)
	g.InternalTCPIP, g.InternalTCPPort = g.ExternalTCPIP, g.ExternalTCPPort
	if m.tls != nil {
		_, g.ExternalSecurePort = hostPort(m.tls)
	}
	if m.http != nil && m.http.listener != nil {
		g.ExternalHTTPIP, g.ExternalHTTPPort = hostPort(m.http.listener)
		g.InternalHTTPIP, g.InternalHTTPPort = g.ExternalHTTPIP, g.ExternalHTTPPort
	}
	if n.cfg.version20 {
		g.HTTPEndPointIP, g.HTTPEndPointPort = g.ExternalHTTPIP, g.ExternalHTTPPort
		g.IsReadOnlyReplica = new(bool)
	}
	return g
}

// hostPort splits the address of a listener.
func hostPort(l net.Listener) (host string, port int) {
	if l == nil {
		return "127.0.0.1", 0
	}
	host, text, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return l.Addr().String(), 0
	}
	port, _ = strconv.Atoi(text)
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return host, port
}
