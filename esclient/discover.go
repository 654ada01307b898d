package esclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
)

// maxGossip bounds the answer of a node, in bytes.
const maxGossip = 1 << 20

// locate returns where the next connection goes: to the leader we were sent to, to the one host of the URL, or to a node
// of the cluster.
func (c *core) locate() (Endpoint, error) {
	c.mu.Lock()
	redirect := c.redirect
	c.redirect = Endpoint{} // once: a leader that is gone must not be asked for ever
	c.mu.Unlock()
	if redirect != (Endpoint{}) {
		return redirect, nil
	}
	if c.cfg.url.scheme != "discover" {
		return Endpoint{Address: c.cfg.url.hosts[0], TLS: c.cfg.url.tls}, nil
	}
	node, err := c.discover()
	if err != nil {
		return Endpoint{}, err
	}
	c.mu.Lock()
	c.node = node
	c.mu.Unlock()
	return node.endpoint(c.cfg.url.tls), nil
}

// discover asks node after node who they are, until one answer has a node to connect to.
func (c *core) discover() (Node, error) {
	var errs []error
	for round := 1; ; round++ {
		errs = errs[:0]
		for _, address := range c.candidates() {
			nodes, err := c.gossip(address)
			if err == nil {
				if node, ok := c.cfg.choose(nodes); ok {
					c.known = httpAddresses(nodes)
					return node, nil
				}
				err = fmt.Errorf("none of its %d nodes can be connected to", len(nodes))
			}
			if c.ctx.Err() != nil {
				return Node{}, context.Cause(c.ctx)
			}
			errs = append(errs, fmt.Errorf("ask %s: %w", address, err))
		}
		c.known = nil // they had their chance: the next round starts from the URL
		if c.cfg.discoverAttempts != Unlimited && round >= c.cfg.discoverAttempts {
			return Node{}, fmt.Errorf("%w: no node found at %v: %w", ErrNotConnected, c.cfg.url, errors.Join(errs...))
		}
		if err := pause(c.ctx, c.cfg.discoverDelay); err != nil {
			return Node{}, err
		}
	}
}

// candidates are the HTTP addresses to ask: the members of the last gossip, else the hosts of the URL, of which a name
// stands for all its A records.
func (c *core) candidates() []string {
	all := slices.Clone(c.known)
	if len(all) == 0 {
		for _, host := range c.cfg.url.hosts {
			all = append(all, c.resolve(host)...)
		}
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

func (c *core) resolve(host string) []string {
	name, port, err := net.SplitHostPort(host)
	if err != nil || c.cfg.url.tls { // certificates are for names
		return []string{host}
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.cfg.connectTimeout)
	defer cancel()
	ips, err := net.DefaultResolver.LookupHost(ctx, name)
	if err != nil {
		return []string{host} // asking it gives the better error
	}
	all := make([]string, len(ips))
	for i, ip := range ips {
		all[i] = net.JoinHostPort(ip, port)
	}
	return all
}

// gossip asks one node about its cluster.
func (c *core) gossip(address string) ([]Node, error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.cfg.gossipTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.scheme()+address+"/gossip?format=json", nil)
	if err != nil {
		return nil, err
	}
	res, err := c.cfg.httpClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxGossip))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("gossip: HTTP status %s", res.Status)
	}
	return parseGossip(body)
}

func (c *core) scheme() string {
	if c.cfg.url.tls {
		return "https://"
	}
	return "http://"
}

func httpAddresses(nodes []Node) (all []string) {
	for _, n := range nodes {
		if n.HTTP != "" && n.Alive {
			all = append(all, n.HTTP)
		}
	}
	return all
}
