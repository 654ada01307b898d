package esclient_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/internal/wire"
)

// TestGarbage sends answers that make no sense. Each must fail the operation with a typed error, or let it be tried
// again, replace the connection, and leave the client working.
func TestGarbage(t *testing.T) {
	t.Parallel()
	length := func(n int32) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }
	tests := []struct {
		name  string
		send  func(s *session, pkg wire.Package)
		fails error  // of the operation; nil = it is sent again and succeeds
		cause string // why the connection was replaced; empty = it was not
	}{
		{"absurd length", func(s *session, _ wire.Package) { s.send(length(-1)) }, nil, "invalid frame: length -1"},
		{"huge length", func(s *session, _ wire.Package) { s.send(length(1 << 30)) }, nil, "invalid frame: length 1073741824"},
		{"http", func(s *session, _ wire.Package) { s.send([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }, nil, "HTTP port"},
		{"short package", func(s *session, _ wire.Package) { s.send(append(length(2), 1, 0)) }, nil, "malformed package"},
		{"unknown command", func(s *session, _ wire.Package) {
			s.send(wire.AppendPackage(nil, &wire.Package{Command: 0x77, Correlation: wire.CorrelationID{1}}))
		}, nil, "unknown command"},
		{"unknown command as an answer", func(s *session, p wire.Package) { s.reply(p, 0x77, nil) }, esclient.ErrProtocol, "command 0x77"},
		{"wrong command as an answer", func(s *session, p wire.Package) { s.reply(p, wire.ReadEventCompleted, nil) }, esclient.ErrProtocol, "not an answer"},
		{"broken body", func(s *session, p wire.Package) { s.reply(p, wire.WriteEventsCompleted, []byte{0x0a, 0xff}) }, esclient.ErrProtocol, "invalid message"},
		{"bad request for the connection", func(s *session, _ wire.Package) {
			s.send(wire.AppendPackage(nil, &wire.Package{Command: wire.BadRequest, Payload: []byte("too much")}))
		}, nil, "too much"},
		{"cut in the middle of a frame", func(s *session, p wire.Package) {
			s.send(append(length(100), 1, 2, 3))
			s.close()
		}, nil, "EOF"},
		{"absent fields", func(s *session, p wire.Package) { s.reply(p, wire.WriteEventsCompleted, nil) }, nil, ""},
		{"late answer", func(s *session, p wire.Package) {
			s.reply(wire.Package{Correlation: wire.CorrelationID{8, 8}}, wire.WriteEventsCompleted, nil)
			s.wrote(p, 0)
		}, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				var mu sync.Mutex
				var causes []string
				var wg sync.WaitGroup
				wg.Go(func() {
					s := p.next()
					tt.send(s, s.expect(wire.WriteEvents))
					if tt.cause != "" {
						s.drain()
						s = p.next()
					}
					for {
						pkg, ok := s.read()
						if !ok {
							s.close()
							return
						}
						s.wrote(pkg, 0)
					}
				})
				c := dialPeer(t, p, esclient.WithObserver(func(e esclient.ConnEvent) {
					mu.Lock()
					defer mu.Unlock()
					if e.State == esclient.Disconnected {
						causes = append(causes, e.Err.Error())
					}
				}))
				_, err := c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"})
				if !errors.Is(err, tt.fails) {
					t.Errorf("got %v, want %v", err, tt.fails)
				}
				if tt.fails != nil && !errors.Is(err, esclient.ErrUnknownOutcome) {
					t.Errorf("%v: an append that got garbage for an answer has no known outcome", err)
				}
				if _, err := c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"}); err != nil {
					t.Errorf("afterwards: %v", err)
				}
				_ = c.Close()
				wg.Wait()
				got := strings.Join(causes, "; ")
				if len(causes) > 1 || !strings.Contains(got, tt.cause) || tt.cause == "" && got != "" {
					t.Errorf("connection replaced because of %q, want %q", got, tt.cause)
				}
			})
		})
	}
}
