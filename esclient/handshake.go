package esclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// clientVersion is the version of the protocol: 1 has event numbers of 64 bits. Others break the connection.
const clientVersion = 1

// Correlation ids of the handshake. Those of operations start where these end.
const (
	authenticateID = 1
	identifyID     = 2
	firstOpID      = 16
)

// open makes a connection to a node and introduces itself.
func (c *core) open(e Endpoint) (*conn, error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.cfg.connectTimeout)
	defer cancel()
	raw, err := c.cfg.dial(ctx, "tcp", e.Address)
	if err != nil {
		return nil, fmt.Errorf("%w: connect to %v: %w", ErrNotConnected, e, err)
	}
	if e.TLS {
		secure := tls.Client(raw, c.tlsConfig(e))
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, fmt.Errorf("%w: TLS with %v: %w%s", ErrNotConnected, e, err, tlsHint(err))
		}
		raw = secure
	}
	cn := &conn{
		core: c, net: raw, endpoint: e, born: time.Now(),
		log:  c.log.With(logConn, c.connections.Load()+1, logAddress, e.String()),
		wake: make(chan struct{}, 1), dead: make(chan struct{}),
	}
	cn.reader = wire.NewReader(cn, c.cfg.maxFrame, &c.pool)
	if err := c.handshake(cn); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("%w: handshake with %v: %w", ErrNotConnected, e, err)
	}
	return cn, nil
}

func (c *core) tlsConfig(e Endpoint) *tls.Config {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.cfg.tls != nil {
		t = c.cfg.tls.Clone()
	}
	if t.ServerName == "" && !t.InsecureSkipVerify {
		t.ServerName, _, _ = net.SplitHostPort(e.Address)
	}
	return t
}

func tlsHint(err error) string {
	var record tls.RecordHeaderError
	if errors.As(err, &record) {
		return "; this port does not speak TLS, use tcp:// instead of tls://"
	}
	return ""
}

// handshake authenticates and identifies in one go. Nothing else uses the connection yet, so it reads and writes itself;
// it answers heartbeats meanwhile.
func (c *core) handshake(cn *conn) error {
	stop := context.AfterFunc(c.ctx, func() { _ = cn.net.Close() })
	defer stop()
	if err := cn.net.SetDeadline(time.Now().Add(c.cfg.handshakeTimeout)); err != nil {
		return err
	}
	if _, err := cn.net.Write(c.introduction()); err != nil {
		return handshakeError(err)
	}
	authenticated := c.cfg.creds == Credentials{}
	identified := false
	for !authenticated || !identified {
		p, err := cn.reader.Next()
		if err != nil {
			return handshakeError(err)
		}
		switch p.Command {
		case wire.HeartbeatRequest:
			answer := wire.Package{Command: wire.HeartbeatResponse, Correlation: p.Correlation}
			if _, err := cn.net.Write(wire.AppendPackage(nil, &answer)); err != nil {
				return handshakeError(err)
			}
		case wire.ClientIdentified:
			identified = true
		case wire.Authenticated:
			authenticated = true
		case wire.NotAuthenticated:
			authenticated = true
			if err := c.authFailed(cn, string(p.Payload)); err != nil {
				return err
			}
		case wire.NotHandled:
			return fmt.Errorf("%w: not ready", ErrNotHandled)
		case wire.BadRequest:
			return &ServerError{Command: p.Command.String(), Message: string(p.Payload)}
		case wire.HeartbeatResponse:
		default:
			return protocolError(p.Command, errors.New("not an answer to the handshake"))
		}
	}
	return cn.net.SetDeadline(time.Time{})
}

func handshakeError(err error) error {
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		return ErrTimeout
	}
	return err
}

// authFailed ends the first attempt to connect, so that a wrong password is known at once. Later the connection goes on,
// as operations may have credentials of their own, and the others say so themselves.
func (c *core) authFailed(cn *conn, text string) error {
	err := &ServerError{Command: wire.NotAuthenticated.String(), Message: text, is: ErrNotAuthenticated}
	cn.log.Error("authentication failed", logErr, err, logLogin, c.cfg.creds.String())
	c.notify(ConnEvent{State: AuthFailed, Address: cn.endpoint.String(), Err: err})
	if c.connections.Load() == 0 && !c.cfg.lazy {
		return fmt.Errorf("user %q: %w", c.cfg.creds, err)
	}
	return nil
}

func (c *core) introduction() []byte {
	var b []byte
	if c.cfg.creds != (Credentials{}) {
		b = wire.AppendPackage(b, &wire.Package{
			Command: wire.Authenticate, Correlation: handshakeID(authenticateID), Auth: c.cfg.creds.auth(),
		})
	}
	b, start := wire.BeginFrame(b, wire.IdentifyClient, 0, handshakeID(identifyID), wire.Auth{})
	b = appendProto(b, &wirepb.IdentifyClient{Version: proto.Int32(clientVersion), ConnectionName: proto.String(c.cfg.name)})
	return wire.EndFrame(b, start)
}

func handshakeID(n byte) wire.CorrelationID { return wire.CorrelationID{15: n} }

// probe asks the peer for a sign of life.
func (cn *conn) probe() {
	cn.core.mu.Lock()
	id := cn.core.nextID()
	cn.core.mu.Unlock()
	cn.core.control(cn, wire.HeartbeatRequest, id, nil)
}
