package esclient

import (
	"context"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/internal/wire"
)

// Client is a connection to Event Store, or a view of one made by [Client.With]. It is safe for concurrent use.
type Client struct {
	core *core
	call Call
}

// Dial connects to a node, tcp://[user:password@]host[:1113] or tls://…, or to a cluster,
// discover://[user:password@]host[:2113][,host…], where the hosts are HTTP addresses of nodes, or DNS names of which each
// address is a node. Settings may follow as a query, such as ?name=importer&operation-timeout=3s; options win over them.
//
// Dial waits for the first connection, and fails if that cannot be made, or if the server does not know the user. The
// context is for Dial only; [Client.Close] ends the client.
func Dial(ctx context.Context, url string, opts ...Option) (*Client, error) {
	cfg := defaults()
	if err := cfg.parseURL(url); err != nil {
		return nil, err
	}
	for _, o := range opts {
		o.apply(&cfg)
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.complete()
	core := newCore(cfg)
	core.wg.Go(core.run)       // ends with core.ctx
	core.wg.Go(core.sweepLoop) // ends with core.ctx
	c := &Client{core: core, call: Call{Timeout: cfg.opTimeout, Retries: cfg.retries, AnyNode: cfg.anyNode}}
	if cfg.lazy {
		return c, nil
	}
	var err error
	select {
	case err = <-core.ready:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		core.shutdown(err)
		core.wg.Wait()
		return nil, &opError{op: "dial", input: cfg.url.String(), err: err}
	}
	return c, nil
}

// complete fills in what has no constant default.
func (c *config) complete() {
	if c.name == "" {
		c.name = programName()
	}
	if c.httpClient == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = c.tls
		transport.MaxIdleConnsPerHost = 1
		c.httpClient = &http.Client{Transport: transport}
		c.ownHTTP = true
	}
}

// Close ends the client: pending operations fail with [ErrClosed], subscriptions end, and no goroutine is left when it
// returns. It is idempotent.
func (c *Client) Close() error {
	c.core.shutdown(ErrClosed)
	c.core.wg.Wait()
	if c.core.cfg.ownHTTP {
		c.core.cfg.httpClient.CloseIdleConnections()
	}
	return nil
}

// With returns a view of the client whose operations have these settings. They share the connection; closing one closes
// all.
func (c *Client) With(call Call) *Client {
	v := *c
	if call.Credentials != (Credentials{}) {
		v.call.Credentials = call.Credentials
	}
	if call.Timeout > 0 {
		v.call.Timeout = call.Timeout
	}
	switch {
	case call.Retries == NoRetries:
		v.call.Retries = 0
	case call.Retries != 0:
		v.call.Retries = call.Retries
	}
	v.call.AnyNode = v.call.AnyNode || call.AnyNode
	return &v
}

// Ping asks the server for an answer and says how long that took.
func (c *Client) Ping(ctx context.Context) (time.Duration, error) {
	h := handlerFunc{wire.Pong, func(*wire.Package, *wire.Reader) verdict { return done(nil) }}
	began := time.Now()
	err := c.do(ctx, c.newOp("ping", "", wire.Ping, h, nil))
	return time.Since(began), err
}

// Stats returns the counters of the client.
func (c *Client) Stats() Stats {
	c.core.mu.Lock()
	inFlight := len(c.core.pending)
	c.core.mu.Unlock()
	return Stats{
		InFlight:      inFlight,
		Operations:    c.core.operations.Load(),
		Retries:       c.core.retried.Load(),
		BytesSent:     c.core.sentBytes.Load(),
		BytesReceived: c.core.received.Load(),
		Connections:   c.core.connections.Load(),
	}
}

func (c *Client) requireLeader() bool { return !c.call.AnyNode }

// appendProto appends an encoded message. It cannot fail: our messages have no required fields, and their strings are
// checked before.
func appendProto(dst []byte, m proto.Message) []byte {
	b, err := proto.MarshalOptions{}.MarshalAppend(dst, m)
	if err != nil {
		panic(err)
	}
	return b
}
