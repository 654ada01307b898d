package esnode

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Option changes one setting of [Start].
type Option interface{ apply(*config) }

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

// FsyncPolicy says when an append to a log on disk is acknowledged.
type FsyncPolicy int

const (
	// FsyncAlways acknowledges an append after fsync. Appends that arrive meanwhile share the next fsync, for which those that
	// are about to come are waited for, for half as long as one takes at most. The default.
	FsyncAlways FsyncPolicy = iota
	// FsyncNever acknowledges an append once the operating system has it: it survives a killed process, but not a power
	// cut or a crashed machine.
	FsyncNever
)

// Account is a user of the node.
type Account struct {
	Login    string
	Password string
	FullName string
	Groups   []string // $admins may do everything; $ops may manage persistent subscriptions
}

// ClientSocket limits what the node keeps for a client that does not read.
type ClientSocket struct {
	MaxQueued  int // packages; the server's limit is 50,000
	MaxPending int // bytes; the server's limit is 10 MiB
}

type config struct {
	dir         string
	fsync       FsyncPolicy
	listen      string
	listener    net.Listener
	tlsListen   string
	tlsConfig   *tls.Config
	httpListen  string
	http        bool
	log         *slog.Logger
	users       []Account
	interval    time.Duration
	timeout     time.Duration
	clock       TimeSource
	socket      ClientSocket
	projections bool
	version20   bool
	errs        []error
}

func defaults() config {
	return config{
		listen:   "127.0.0.1:0",
		log:      slog.New(slog.DiscardHandler),
		interval: 2 * time.Second,
		timeout:  time.Second,
		clock:    systemTime{},
		socket:   ClientSocket{MaxQueued: 50_000, MaxPending: 10 << 20},
		users: []Account{
			{Login: "admin", Password: "changeit", FullName: "Event Store Administrator", Groups: []string{"$admins"}},
			{Login: "ops", Password: "changeit", FullName: "Event Store Operations", Groups: []string{"$ops"}},
		},
	}
}

func (c *config) invalid(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf("%w: "+format, append([]any{ErrInvalidOption}, args...)...))
}

func (c *config) validate() error {
	if c.interval < 0 || c.timeout < 0 || (c.interval > 0 && c.timeout == 0) {
		c.invalid("Heartbeat: interval %s and timeout %s must be positive, or the interval 0 for none", c.interval, c.timeout)
	}
	if c.socket.MaxQueued <= 0 || c.socket.MaxPending <= 0 {
		c.invalid("Socket: MaxQueued %d and MaxPending %d must be positive", c.socket.MaxQueued, c.socket.MaxPending)
	}
	for _, u := range c.users {
		if u.Login == "" || len(u.Login) > 127 || len(u.Password) > 127 {
			c.invalid("User: login %q must have 1 to 127 bytes and its password at most 127", u.Login)
		}
	}
	return errors.Join(c.errs...)
}

// Dir keeps the log in this folder, which is made if it is missing. Without it the log is in memory and ends with the
// node.
func Dir(path string) Option { return optionFunc(func(c *config) { c.dir = path }) }

// Fsync says when an append to a log on disk is acknowledged. The default is [FsyncAlways]. It has no effect without
// [Dir].
func Fsync(p FsyncPolicy) Option { return optionFunc(func(c *config) { c.fsync = p }) }

// Listen serves the TCP protocol on this address, such as "127.0.0.1:1113". The default is a free port of the loopback
// address.
func Listen(addr string) Option { return optionFunc(func(c *config) { c.listen = addr }) }

// Listener serves the TCP protocol on l, which may be anything that accepts connections, in place of an address. The node
// closes it.
func Listener(l net.Listener) Option { return optionFunc(func(c *config) { c.listener = l }) }

// HTTP serves the HTTP interface on this address, such as "127.0.0.1:2113" or "127.0.0.1:0". Off by default.
func HTTP(addr string) Option {
	return optionFunc(func(c *config) { c.http, c.httpListen = true, addr })
}

// TLS serves the TCP protocol over TLS on this address beside the plain one. A nil cfg makes a self-signed certificate
// for localhost on the spot, see [Node.Certificate].
func TLS(addr string, cfg *tls.Config) Option {
	return optionFunc(func(c *config) { c.tlsListen, c.tlsConfig = addr, cfg })
}

// Logger receives a line for every connection and every problem. Connections that end in order are a matter of level
// debug. The default discards all.
func Logger(l *slog.Logger) Option {
	return optionFunc(func(c *config) {
		if l == nil {
			c.invalid("Logger: nil")
			return
		}
		c.log = l
	})
}

// User adds an account beside admin and ops (whose password is changeit), or replaces one of the same name. An account
// that was changed through HTTP keeps that change in the log, and the log wins over the option.
func User(login, password string, groups ...string) Option {
	return optionFunc(func(c *config) {
		for i := range c.users {
			if c.users[i].Login == login {
				c.users[i].Password, c.users[i].Groups = password, groups
				return
			}
		}
		c.users = append(c.users, Account{Login: login, Password: password, FullName: login, Groups: groups})
	})
}

// Heartbeat probes a client that was silent for the interval, and closes the connection when it stays silent for the
// timeout. The defaults are those of the server, 2 s and 1 s. Interval 0 never probes.
func Heartbeat(interval, timeout time.Duration) Option {
	return optionFunc(func(c *config) { c.interval, c.timeout = interval, timeout })
}

// Socket limits what the node keeps for a client that does not read, before it closes the connection. The defaults are
// those of the server.
func Socket(s ClientSocket) Option { return optionFunc(func(c *config) { c.socket = s }) }

// Clock gives the node another time than that of the machine, see [NewManualClock].
func Clock(t TimeSource) Option {
	return optionFunc(func(c *config) {
		if t == nil {
			c.invalid("Clock: nil")
			return
		}
		c.clock = t
	})
}

// SystemProjections says whether the node writes the links of the system projections ($streams, $ce-…, $et-…) together
// with each append. Off by default, as on a server; without them $all holds nothing but what clients wrote. Events that
// were appended while it was off get no links later.
func SystemProjections(on bool) Option { return optionFunc(func(c *config) { c.projections = on }) }

// Version20 makes the node answer like a server 20.10: the filtered commands exist, and gossip has its keys and states.
// The default is 5.0.11.
func Version20() Option { return optionFunc(func(c *config) { c.version20 = true }) }
