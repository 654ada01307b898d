//go:build unix

package main

import (
	"context"
	"net"
	"sync"
	"time"
)

// line opens connections on which every byte is half a round trip under way, in both directions, however many follow one
// another: the time until an answer comes counts how often somebody waited for one.
type line struct {
	trip time.Duration

	mu    sync.Mutex
	conns []net.Conn
	open  time.Time // when the last connection was opened
}

func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	far, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	near, ours := net.Pipe()
	go l.carry(near, far) // both end when either end is closed
	go l.carry(far, near)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, near, far)
	l.open = time.Now()
	return ours, nil
}

type arrival struct {
	at    time.Time
	bytes []byte
}

// carry brings bytes from one end to the other.
func (l *line) carry(from, to net.Conn) {
	under := make(chan arrival, 1<<12)
	go func() { // ends when under is closed
		defer func() { _ = to.Close() }()
		for a := range under {
			time.Sleep(time.Until(a.at))
			_, _ = to.Write(a.bytes)
		}
	}()
	defer close(under)
	for {
		b := make([]byte, 64<<10)
		n, err := from.Read(b)
		if n > 0 {
			under <- arrival{time.Now().Add(l.trip / 2), b[:n]}
		}
		if err != nil {
			return
		}
	}
}

// cut breaks all connections.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.conns = nil
}

// trips is how many round trips fit into the time since the last connection was opened.
func (l *line) trips() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return float64(time.Since(l.open)) / float64(l.trip)
}
