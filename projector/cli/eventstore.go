package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector/config"
)

const (
	takeoverEvery = 250 * time.Millisecond // between attempts to run the embedded node that another process ran
	hostWait      = 5 * time.Second        // for the process that has the log open to answer
)

// eventStore is a connection, and the embedded node if this process runs it.
type eventStore struct {
	client *esclient.Client
	about  string // for people

	mu     sync.Mutex
	node   *esnode.Node
	end    context.CancelFunc
	helper sync.WaitGroup
}

// openEventStore connects to the event store of the configuration, and seeds it if it is embedded in this process.
func (e *env) openEventStore(ctx context.Context, cfg *config.Config) (*eventStore, error) {
	s, err := e.connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := e.seed(ctx, s, cfg.EventStore.Embedded.Seed); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// connect connects to the event store of the configuration. The embedded one is started in this process, unless another
// one has its log open already: then that is used, and replaced when it ends.
func (e *env) connect(ctx context.Context, cfg *config.Config) (*eventStore, error) {
	if !cfg.EventStore.IsEmbedded() {
		address := cfg.EventStore.URL.Reveal()
		var connected atomic.Bool // until then, what fails is returned
		client, err := esclient.Dial(ctx, address, esclient.WithLogger(slog.New(after{e.logger().Handler(), &connected})))
		connected.Store(true)
		if errors.Is(err, esclient.ErrInvalidArgument) || errors.Is(err, esclient.ErrInvalidOption) {
			return nil, usage(fmt.Errorf("event store: %w", err))
		}
		if err != nil {
			return nil, &connectError{redact(address), err}
		}
		return &eventStore{client: client, about: redact(address), end: func() {}}, nil
	}
	return e.embedded(ctx, cfg, cfg)
}

// embedded opens the log of the embedded event store in this process, as alone says, or uses the process that has it open.
// One that is ending or starting is given time.
func (e *env) embedded(ctx context.Context, cfg, alone *config.Config) (*eventStore, error) {
	for begin := time.Now(); ; {
		node, err := e.startNode(alone)
		locked, isLocked := errors.AsType[*esnode.LockedError](err)
		if !isLocked {
			return e.useNode(ctx, node, err, cfg.EventStore.Embedded.Dir)
		}
		s, err := e.joinHost(ctx, cfg, locked)
		if err == nil || time.Since(begin) > hostWait {
			return s, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(takeoverEvery):
		}
	}
}

// useNode connects to a node that was started here.
func (e *env) useNode(ctx context.Context, node *esnode.Node, err error, dir string) (*eventStore, error) {
	if err != nil {
		return nil, fmt.Errorf("embedded event store: %w", err)
	}
	about := "embedded, in memory"
	if dir != "" {
		about = fmt.Sprintf("embedded, at %v, log in %s", node.Addr(), dir)
	}
	s := &eventStore{node: node, about: about, end: func() {}}
	if s.client, err = esclient.Dial(ctx, node.URL(), esclient.WithLogger(e.logger()), esclient.WithHTTP(node.HTTPURL(), nil)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// connectError says that the event store cannot be reached.
type connectError struct {
	address string // without the password
	err     error
}

func (e *connectError) Error() string {
	err := e.err
	if dial, ok := errors.AsType[*net.OpError](err); ok && !strings.HasPrefix(e.address, "discover:") {
		err = dial
	} else if inner := errors.Unwrap(err); inner != nil {
		err = inner // without "dial", which is what this is about
	}
	return fmt.Sprintf("event store %s: %v", e.address, err)
}

func (e *connectError) Unwrap() error { return e.err }

// startNode starts the embedded node of the configuration, which feeds categories.
func (e *env) startNode(cfg *config.Config, more ...esnode.Option) (*esnode.Node, error) {
	c := cfg.EventStore.Embedded
	opts := []esnode.Option{esnode.Dir(c.Dir), esnode.Listen(c.TCP), esnode.Logger(e.logger()), esnode.SystemProjections(true)}
	if c.HTTP != "" {
		opts = append(opts, esnode.HTTP(c.HTTP))
	}
	if c.Fsync == config.FsyncNever {
		opts = append(opts, esnode.Fsync(esnode.FsyncNever))
	}
	node, err := esnode.Start(append(opts, more...)...)
	if err != nil {
		return nil, err
	}
	if torn := node.TornTail(); torn != nil {
		e.notef("embedded event store: %v\n", torn)
	}
	return node, nil
}

// joinHost connects to the embedded node of another process.
func (e *env) joinHost(ctx context.Context, cfg *config.Config, locked *esnode.LockedError) (*eventStore, error) {
	host := cfg.EventStore.Embedded.TCP
	if u, err := url.Parse(locked.URL); err == nil && u.Host != "" {
		host = u.Host
	}
	address := "tcp://admin:changeit@" + host // as esnode.Node.URL
	wait, cancel := context.WithTimeout(ctx, hostWait)
	defer cancel()
	web := ""
	if http := cfg.EventStore.Embedded.HTTP; http != "" {
		web = "http://" + http
	}
	client, err := esclient.Dial(wait, address, esclient.WithLogger(e.logger()), esclient.WithHTTP(web, nil))
	if err != nil {
		return nil, fmt.Errorf("%w, but it does not answer: %w", locked, err)
	}
	s := &eventStore{client: client, about: "embedded in another process, at " + host}
	background, end := context.WithCancel(context.WithoutCancel(ctx))
	s.end = end
	s.helper.Go(func() { s.succeed(background, e, cfg) }) // ends with Close or success
	return s, nil
}

// succeed starts the node here as soon as the process that runs it has ended. The client finds it at the same address.
func (s *eventStore) succeed(ctx context.Context, e *env, cfg *config.Config) {
	ticker := time.NewTicker(takeoverEvery)
	defer ticker.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		node, err := e.startNode(cfg)
		if errors.Is(err, esnode.ErrLocked) {
			continue
		}
		if err != nil {
			if said != err.Error() {
				said = err.Error()
				e.logger().Error("cannot run the embedded event store, whose process has ended", "err", err)
			}
			continue
		}
		e.logger().Info("running the embedded event store, whose process has ended", "addr", node.Addr().String())
		s.mu.Lock()
		s.node = node
		s.mu.Unlock()
		return
	}
}

// clientOrNil is nil where there is no event store: projections can then be looked at, but not run.
func (s *eventStore) clientOrNil() *esclient.Client {
	if s == nil {
		return nil
	}
	return s.client
}

// isHere reports whether the embedded node runs in this process.
func (s *eventStore) isHere() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.node != nil
}

// Close ends the connection, and the node if it is ours.
func (s *eventStore) Close() error {
	var err error
	s.end()
	s.helper.Wait()
	if s.client != nil {
		err = s.client.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.node != nil {
		err = errors.Join(err, s.node.Close())
	}
	return err
}
