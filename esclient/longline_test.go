package esclient_test

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/photonpump/projector/esclient"
)

// longLine opens connections in memory on which every byte is half a round trip under way. How many follow one another is
// no matter: under synctest the time that passes counts the times that somebody waited for an answer.
type longLine struct {
	dial esclient.DialFunc
	trip time.Duration

	wg    sync.WaitGroup
	mu    sync.Mutex
	conns []net.Conn
	open  time.Time // when the last connection was opened
}

func (l *longLine) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	far, err := l.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	ours, near := net.Pipe()
	l.wg.Go(func() { l.carry(near, far) })
	l.wg.Go(func() { l.carry(far, near) })
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

// carry brings bytes from one end to the other, until either is closed.
func (l *longLine) carry(from, to net.Conn) {
	line := make(chan arrival, 1<<16)
	l.wg.Go(func() { // ends when line is closed
		defer func() { _ = to.Close() }()
		for a := range line {
			time.Sleep(time.Until(a.at)) // of the bubble
			_, _ = to.Write(a.bytes)
		}
	})
	defer close(line)
	for {
		b := make([]byte, 64<<10)
		n, err := from.Read(b)
		if n > 0 {
			line <- arrival{time.Now().Add(l.trip / 2), b[:n]}
		}
		if err != nil {
			return
		}
	}
}

// cut breaks all connections at both ends.
func (l *longLine) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.conns = nil
}

// trips is how many round trips fit into the time since the last connection was opened.
func (l *longLine) trips() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return float64(time.Since(l.open)) / float64(l.trip)
}
