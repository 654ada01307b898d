package esnode

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

// load is so many connections with subscriptions, spread over streams that events are appended to.
type load struct{ connections, subscriptions, streams, events int }

// TestLoad is a tenth of what TestSoakLoad does.
func TestLoad(t *testing.T) {
	t.Parallel()
	load{connections: 20, subscriptions: 1000, streams: 100, events: 5000}.run(t)
}

// TestSoakLoad is a thousand streams with ten subscribers each, and a million deliveries.
func TestSoakLoad(t *testing.T) {
	if os.Getenv("PROJECTOR_SOAK") == "" {
		t.Skip("a soak test: set PROJECTOR_SOAK=1")
	}
	load{connections: 200, subscriptions: 10_000, streams: 1000, events: 100_000}.run(t)
}

func (l load) run(t *testing.T) {
	n := startNode(t)
	perConn := l.subscriptions / l.connections
	perSub := l.events / l.streams
	var readers sync.WaitGroup
	for i := range l.connections {
		c := dialRaw(t, n)
		for j := range perConn {
			stream := fmt.Sprintf("load-%d", (i*perConn+j)%l.streams)
			var id [16]byte
			id[0] = 0xc0
			binary.BigEndian.PutUint32(id[12:], uint32(j))
			c.sendAs(SubscribeToStream, id, msg(1, stream, 2, 0))
			c.want(SubscriptionConfirmation)
		}
		readers.Go(func() { readOrdered(t, c, perConn, perSub) })
	}
	began := time.Now()
	var writers sync.WaitGroup
	const parallel = 4
	for w := range parallel {
		c := dialRaw(t, n)
		writers.Go(func() {
			for e := range perSub {
				for s := w; s < l.streams; s += parallel {
					c.append(fmt.Sprintf("load-%d", s), fmt.Sprint(e))
				}
			}
		})
	}
	writers.Wait()
	readers.Wait()
	deliveries := perSub * l.subscriptions
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	t.Logf("%d deliveries of %d events in %s, heap %d MiB", deliveries, l.events, time.Since(began).Round(time.Millisecond), mem.HeapInuse>>20)
}

// readOrdered wants so many events for each subscription, numbered from 0 without a gap.
func readOrdered(t *testing.T, c *rawClient, subs, perSub int) {
	next := make([]int, subs)
	for range subs * perSub {
		f, err := c.nextWithin(time.Minute)
		if err != nil {
			t.Errorf("subscriber: %v", err)
			return
		}
		fields, err := parseFields(f.payload)
		if err != nil || f.cmd != StreamEventAppeared {
			t.Errorf("got %s, %v", f.cmd, err)
			return
		}
		sub := binary.BigEndian.Uint32(f.id[12:])
		if body := string(eventField(t, fields[1][0].bytes, 7)); body != fmt.Sprint(next[sub]) {
			t.Errorf("subscription %d: got event %s, want %d", sub, body, next[sub])
			return
		}
		next[sub]++
	}
}
