package esclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/esclient/internal/wire"
)

// Option changes one setting of [Dial].
type Option interface{ apply(*config) }

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

// Unlimited as a number of retries or attempts means for ever.
const Unlimited = -1

// Defaults of the settings.
const (
	DefaultConnectTimeout    = 5 * time.Second
	DefaultHandshakeTimeout  = 2 * time.Second
	DefaultOperationTimeout  = 7 * time.Second
	DefaultRetries           = 10
	DefaultHeartbeatInterval = 750 * time.Millisecond
	DefaultHeartbeatTimeout  = 1500 * time.Millisecond
	DefaultInFlight          = 5000
	DefaultDiscoverAttempts  = 10
	DefaultDiscoverDelay     = 500 * time.Millisecond
	DefaultGossipTimeout     = time.Second
	DefaultMinReconnect      = 100 * time.Millisecond
	DefaultMaxReconnect      = 5 * time.Second
)

// DialFunc opens a connection, as [net.Dialer.DialContext] does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Backoff says how long to wait between attempts to connect. After a connection that has answered something the first
// attempt is made at once; from then on the delay doubles from Min to Max, less a random part of up to one half.
type Backoff struct {
	Min, Max time.Duration
	Attempts int // in a row before the client gives up and closes; Unlimited by default
}

// Credentials of a user: login and password, or a token (JWT, from server 20.6 on).
type Credentials struct {
	Login    string
	Password string
	Token    string
}

// String says who, and hides the secret.
func (c Credentials) String() string {
	if c.Token != "" {
		return "<token>"
	}
	return c.Login
}

// Format keeps the secret out of every way of printing.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

func (c Credentials) auth() wire.Auth {
	return wire.Auth{Login: c.Login, Password: c.Password, Token: c.Token}
}

// Call has settings of single operations, for [Client.With]. The zero value of a field means that of the client.
type Call struct {
	Credentials Credentials   // in place of those of the connection
	Timeout     time.Duration // see [WithOperationTimeout]
	Retries     int           // see [WithRetries]; NoRetries for none
	AnyNode     bool          // let a node answer that is not the leader: reads may be stale, writes are forwarded
}

// NoRetries is the value of [Call.Retries] for none.
const NoRetries = -2

type config struct {
	url        target
	name       string
	creds      Credentials
	log        *slog.Logger
	codec      codec.Codec
	dial       DialFunc
	tls        *tls.Config
	tlsCert    string // of the URL, until its key is known
	lazy       bool
	preference Preference
	selector   Selector
	observer   func(ConnEvent)
	hooks      Hooks
	httpClient *http.Client
	httpURL    string
	ownHTTP    bool // httpClient was made by us

	connectTimeout   time.Duration
	handshakeTimeout time.Duration
	interval         time.Duration
	timeout          time.Duration
	opTimeout        time.Duration
	retries          int
	inFlight         int
	reconnect        Backoff
	discoverAttempts int
	discoverDelay    time.Duration
	gossipTimeout    time.Duration
	anyNode          bool
	ambiguous        bool
	maxFrame         int
}

func defaults() config {
	return config{
		log:              slog.New(slog.DiscardHandler),
		codec:            codec.JSON(),
		dial:             (&net.Dialer{}).DialContext,
		connectTimeout:   DefaultConnectTimeout,
		handshakeTimeout: DefaultHandshakeTimeout,
		interval:         DefaultHeartbeatInterval,
		timeout:          DefaultHeartbeatTimeout,
		opTimeout:        DefaultOperationTimeout,
		retries:          DefaultRetries,
		inFlight:         DefaultInFlight,
		reconnect:        Backoff{Min: DefaultMinReconnect, Max: DefaultMaxReconnect, Attempts: Unlimited},
		discoverAttempts: DefaultDiscoverAttempts,
		discoverDelay:    DefaultDiscoverDelay,
		gossipTimeout:    DefaultGossipTimeout,
		ambiguous:        true,
		maxFrame:         wire.DefaultMaxFrame,
	}
}

// validate reports all mistakes, joined under [ErrInvalidOption].
func (c *config) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("%w: "+format, append([]any{ErrInvalidOption}, args...)...))
		}
	}
	err := c.creds.auth().Validate()
	check(err == nil, "%v", err)
	check(c.tlsCert == "" || (c.tls != nil && len(c.tls.Certificates) > 0), "tls-cert without tls-key")
	check(c.connectTimeout > 0, "connect-timeout is %v, want it positive", c.connectTimeout)
	check(c.handshakeTimeout > 0, "handshake-timeout is %v, want it positive", c.handshakeTimeout)
	check(c.opTimeout > 0, "operation-timeout is %v, want it positive", c.opTimeout)
	check(c.interval > 0 && c.timeout > 0, "heartbeat interval %v and timeout %v must be positive", c.interval, c.timeout)
	check(c.retries >= Unlimited, "retries is %d, want -1 (for ever), 0 or more", c.retries)
	check(c.inFlight > 0, "in-flight is %d, want 1 or more", c.inFlight)
	check(c.reconnect.Min > 0 && c.reconnect.Max >= c.reconnect.Min,
		"reconnect delay from %v to %v: want 0 < min <= max", c.reconnect.Min, c.reconnect.Max)
	check(c.reconnect.Attempts == Unlimited || c.reconnect.Attempts > 0,
		"reconnect attempts is %d, want -1 (for ever), 1 or more", c.reconnect.Attempts)
	check(c.discoverAttempts == Unlimited || c.discoverAttempts > 0,
		"discover-attempts is %d, want -1 (for ever), 1 or more", c.discoverAttempts)
	check(c.gossipTimeout > 0, "gossip-timeout is %v, want it positive", c.gossipTimeout)
	check(c.discoverDelay > 0, "discover-delay is %v, want it positive", c.discoverDelay)
	check(c.maxFrame >= minMaxFrame && c.maxFrame <= wire.DefaultMaxFrame,
		"max-frame is %d bytes, want %d to %d", c.maxFrame, minMaxFrame, wire.DefaultMaxFrame)
	check(c.preference <= PreferRandom, "node preference %d does not exist", c.preference)
	check(c.log != nil && c.codec != nil && c.dial != nil, "logger, codec and dialer must not be nil")
	return errors.Join(errs...)
}

const minMaxFrame = 64 << 10

// WithCredentials sets who the client is, in place of what the URL says.
func WithCredentials(cr Credentials) Option { return optionFunc(func(c *config) { c.creds = cr }) }

// WithName sets the name that the server shows for the connection. The default is the name of the program.
func WithName(name string) Option { return optionFunc(func(c *config) { c.name = name }) }

// WithLogger logs the life of the connection. The default is no log.
func WithLogger(l *slog.Logger) Option { return optionFunc(func(c *config) { c.log = l }) }

// WithCodec sets how values of events become bytes. The default is [codec.JSON].
func WithCodec(cd codec.Codec) Option { return optionFunc(func(c *config) { c.codec = cd }) }

// WithDialer sets what opens TCP connections. The default is a [net.Dialer].
func WithDialer(dial DialFunc) Option { return optionFunc(func(c *config) { c.dial = dial }) }

// WithTLS sets how tls:// connections, and HTTPS to discovered nodes, are made: own CA, client certificate, server name.
// Without it the system's CAs and the host of the URL are used. Verification is on unless the config turns it off.
func WithTLS(t *tls.Config) Option { return optionFunc(func(c *config) { c.tls = t }) }

// WithLazyDial makes [Dial] return at once. The connection is made in the background and made for as long as
// [WithReconnect] allows; operations wait for it.
func WithLazyDial() Option { return optionFunc(func(c *config) { c.lazy = true }) }

// WithConnectTimeout bounds one attempt to open a connection, TLS included.
func WithConnectTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) { c.connectTimeout = d })
}

// WithHandshakeTimeout bounds how long a new connection may take to answer who it is and who we are.
func WithHandshakeTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) { c.handshakeTimeout = d })
}

// WithHeartbeat sets after what silence the server is asked for a sign of life, and how long it may take to give one.
func WithHeartbeat(interval, timeout time.Duration) Option {
	return optionFunc(func(c *config) { c.interval, c.timeout = interval, timeout })
}

// WithOperationTimeout sets how long an operation waits for an answer, or for a connection, before it is tried again.
func WithOperationTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) { c.opTimeout = d })
}

// WithRetries sets how often an operation is tried again after a time-out, a lost connection or a server that could not
// handle it; [Unlimited] is for ever, or as long as its context allows.
func WithRetries(n int) Option { return optionFunc(func(c *config) { c.retries = n }) }

// WithInFlight limits the operations that wait for an answer or for the connection. Callers wait when it is reached.
func WithInFlight(n int) Option { return optionFunc(func(c *config) { c.inFlight = n }) }

// WithReconnect sets how a lost connection is replaced.
func WithReconnect(b Backoff) Option { return optionFunc(func(c *config) { c.reconnect = b }) }

// WithDiscovery sets, for discover:// URLs, how many rounds over all known nodes are made before an attempt to connect
// counts as failed, the pause between two rounds, and how long one node may take to answer.
func WithDiscovery(attempts int, delay, gossipTimeout time.Duration) Option {
	return optionFunc(func(c *config) {
		c.discoverAttempts, c.discoverDelay, c.gossipTimeout = attempts, delay, gossipTimeout
	})
}

// WithPreference sets which node of a cluster to connect to. The default is the leader.
func WithPreference(p Preference) Option { return optionFunc(func(c *config) { c.preference = p }) }

// WithSelector lets a function choose the node of a cluster, in place of a preference.
func WithSelector(s Selector) Option { return optionFunc(func(c *config) { c.selector = s }) }

// WithAnyNode lets nodes answer that are not the leader: reads may be stale, and writes are forwarded. See also
// [Call.AnyNode].
func WithAnyNode() Option { return optionFunc(func(c *config) { c.anyNode = true }) }

// WithRetryAmbiguous says whether an append with [Any] or [StreamExists] is sent again after its answer was lost. On by
// default: as long as the server runs it recognises the event ids and writes nothing twice. Its memory of ids does not
// survive its restart, nor is it without end, so where a duplicate is worse than an error, turn it off; such an append
// then fails with [ErrUnknownOutcome]. Appends with an exact version, or [NoStream], are always safe to send again.
func WithRetryAmbiguous(on bool) Option { return optionFunc(func(c *config) { c.ambiguous = on }) }

// WithMaxFrame sets the longest package accepted, in bytes. The default, and the most, is 64 MiB.
func WithMaxFrame(n int) Option { return optionFunc(func(c *config) { c.maxFrame = n }) }

// WithObserver calls fn when the state of the connection changes, one call at a time. It must not block.
func WithObserver(fn func(ConnEvent)) Option { return optionFunc(func(c *config) { c.observer = fn }) }

// WithHooks tells h what happens, for metrics.
func WithHooks(h Hooks) Option { return optionFunc(func(c *config) { c.hooks = h }) }

// WithHTTP sets where the HTTP interface is, http://host:2113, for what TCP cannot do, and the client to use. Without a
// URL it is that of the discovered node, or port 2113 of the TCP host; without a client one is made.
func WithHTTP(url string, client *http.Client) Option {
	return optionFunc(func(c *config) { c.httpURL, c.httpClient = url, client })
}
