package esnode

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
)

// urlFile is where a node with a log on disk says how it can be reached.
const urlFile = "url"

// Node is a running Event Store node. Its methods may be called by several goroutines at once.
type Node struct {
	cfg       config
	log       *eventlog.Log
	commands  map[Command]command
	users     *users
	tlsConfig *tls.Config
	began     time.Time
	epochID   string
	hub       hub
	psubs     psubs
	hooks     hooks
	conns     conns
	buffers   buffers
	members   []*member

	leading  atomic.Int32 // index of the member that leads
	epoch    atomic.Int32
	requests atomic.Int64
	stopping atomic.Bool // asked for over HTTP; nothing is handled any more
	scavenge scavenge

	timers  timers
	work    sync.WaitGroup
	ctx     context.Context // ends when Close begins
	cancel  context.CancelFunc
	closing sync.Once
	closed  error
}

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
	return start(cfg, 1)
}

// start starts a node with some members, of which the first is the leader.
func start(cfg config, members int) (_ *Node, err error) {
	n := &Node{cfg: cfg, commands: commands(), began: cfg.clock.Now(), epochID: uuid.NewString(), tlsConfig: cfg.tlsConfig}
	if cfg.tlsListen != "" && n.tlsConfig == nil {
		if n.tlsConfig, err = selfSigned(); err != nil {
			return nil, fmt.Errorf("start node: %w", err)
		}
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.conns.live = map[*conn]struct{}{}
	n.hub.init(n)
	n.log, err = eventlog.Open(eventlog.Options{
		Dir: cfg.dir, Sync: cfg.fsync == FsyncAlways, SystemLinks: cfg.projections, Now: cfg.clock.Now, OnCommit: n.hub.publish,
	})
	if err != nil {
		return nil, openError(err, cfg.dir)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	if n.users, err = newUsers(n, cfg.users); err != nil {
		return nil, fmt.Errorf("start node: %w", err)
	}
	if err := n.psubs.start(n); err != nil {
		return nil, fmt.Errorf("start node: %w", err)
	}
	for i := range members {
		m := &member{node: n, index: i}
		n.members = append(n.members, m)
		if err := m.listen(); err != nil {
			return nil, fmt.Errorf("start node: %w", err)
		}
	}
	if err := n.publishURL(); err != nil {
		return nil, fmt.Errorf("start node: %w", err)
	}
	if t := n.TornTail(); t != nil {
		cfg.log.Warn("the end of the log was cut off", "position", t.Position, "bytes", t.Bytes, "reason", t.Reason, "saved_as", t.SavedAs)
	}
	for _, m := range n.members {
		m.serve()
	}
	return n, nil
}

// openError is what a caller of Start sees of an error of the log.
func openError(err error, dir string) error {
	var corrupt *eventlog.CorruptError
	switch {
	case errors.Is(err, eventlog.ErrLocked):
		url, _ := os.ReadFile(filepath.Join(dir, urlFile))
		return &LockedError{Dir: dir, URL: strings.TrimSpace(string(url))}
	case errors.As(err, &corrupt):
		return &CorruptError{Path: corrupt.Path, Position: corrupt.Position, Reason: corrupt.Reason}
	}
	return err
}

// publishURL tells other processes that want the same log where it is served.
func (n *Node) publishURL() error {
	if n.cfg.dir == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(n.cfg.dir, urlFile), []byte("tcp://"+n.Addr().String()+"\n"), 0o644)
}

func (n *Node) leader() *member { return n.members[n.leading.Load()] }

// URL returns how a client reaches the node as admin over plain TCP: tcp://admin:changeit@127.0.0.1:1113.
func (n *Node) URL() string { return "tcp://admin:changeit@" + n.Addr().String() }

// Addr returns the address of the plain TCP listener.
func (n *Node) Addr() net.Addr { return n.members[0].tcp.Addr() }

// HTTPURL returns the address of the HTTP interface, http://127.0.0.1:2113, or "" if it is off.
func (n *Node) HTTPURL() string { return n.members[0].httpURL() }

// TLSURL returns how a client reaches the node as admin over TLS: tls://admin:changeit@127.0.0.1:1115, or "" if it is
// off.
func (n *Node) TLSURL() string {
	if n.members[0].tls == nil {
		return ""
	}
	return "tls://admin:changeit@" + n.members[0].tls.Addr().String()
}

// TornTail returns what was cut off the log when it was opened, or nil.
func (n *Node) TornTail() *TornTail {
	t := n.log.TornTail()
	if t == nil {
		return nil
	}
	return &TornTail{Position: t.Position, Bytes: t.Bytes, SavedAs: t.SavedAs, Reason: t.Reason}
}

// Intercept calls fn with every package of this command, requests before they are handled, replies and pushes before
// they are sent, until remove is called. Interceptors of one command are asked in the order in which they were added; the
// first that returns a Fault other than the zero one decides.
func (n *Node) Intercept(c Command, fn Interceptor) (remove func()) { return n.hooks.add(c, fn) }

// DropConnections closes every connection without a word, as a cut network does. Clients may connect again.
func (n *Node) DropConnections() {
	for _, c := range n.conns.all() {
		c.drop()
	}
}

// Done is closed when the node begins to close, be it by [Node.Close] or because a client asked for it over HTTP.
func (n *Node) Done() <-chan struct{} { return n.ctx.Done() }

// Close stops listening, says goodbye to subscribers, ends every connection, makes the log safe on disk, and returns when
// no goroutine of the node is left. It may be called more than once.
func (n *Node) Close() error {
	n.cancel()
	n.closing.Do(func() { n.closed = n.shutDown() })
	return n.closed
}

// shutdownGrace is how long a node that was asked to stop over HTTP still says that it is not ready, and how long a node
// that closes waits for clients to close their side.
const shutdownGrace = 100 * time.Millisecond

// stopSoon says goodbye to subscribers and closes the node a little later.
func (n *Node) stopSoon() {
	if n.stopping.Swap(true) {
		return
	}
	n.hub.dropAll()
	n.psubs.stop()
	n.after(shutdownGrace, func() {
		go func() { // ends with the node, whose Close any other caller waits for
			if err := n.Close(); err != nil {
				n.cfg.log.Error("close failed", "err", err)
			}
		}()
	})
}

func (n *Node) shutDown() error {
	n.stopping.Store(true)
	for _, m := range n.members {
		m.stop()
	}
	n.hub.dropAll()
	n.psubs.stop()
	for _, c := range n.conns.seal() {
		c.closing.Store(true)
		c.out.end()
	}
	n.conns.wait(flushTime)
	n.timers.stop()
	n.work.Wait()
	var err error
	if n.cfg.dir != "" { // before the lock is given up: afterwards the file may be that of another process
		if err = os.Remove(filepath.Join(n.cfg.dir, urlFile)); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	return errors.Join(err, n.log.Close())
}

func (n *Node) writeFailed(err error) { n.cfg.log.Error("write failed", "err", err) }

func (n *Node) readFailed(err error) {
	if errors.Is(err, eventlog.ErrPosition) {
		n.cfg.log.Debug("read failed", "err", err)
		return
	}
	n.cfg.log.Error("read failed", "err", err)
}
