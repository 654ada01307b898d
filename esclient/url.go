package esclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Default ports.
const (
	DefaultTCPPort  = "1113"
	DefaultHTTPPort = "2113"
)

// target is what a URL names.
type target struct {
	scheme string   // tcp, tls or discover
	hosts  []string // host:port, all of them HTTP for discover
	tls    bool
}

func (t target) String() string { return t.scheme + "://" + strings.Join(t.hosts, ",") }

// parseURL fills in what a URL says. Errors are [ErrInvalidOption] and do not show the password.
func (c *config) parseURL(raw string) error {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || !slices.Contains([]string{"tcp", "tls", "discover"}, scheme) {
		return fmt.Errorf("%w: URL %q: want tcp://host:1113, tls://host:1113 or discover://host:2113", ErrInvalidOption, redact(raw))
	}
	rest, query, _ := strings.Cut(rest, "?")
	user, hosts, hasUser := cutLast(rest, "@")
	if !hasUser {
		hosts = rest
	}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%w: URL %s://%s: "+format, append([]any{ErrInvalidOption, scheme, hosts}, args...)...)
	}
	if hasUser {
		login, password, _ := strings.Cut(user, ":")
		var err error
		if c.creds.Login, err = url.PathUnescape(login); err != nil {
			return fail("login: %v", err)
		}
		if c.creds.Password, err = url.PathUnescape(password); err != nil {
			return fail("password: not well escaped") // the error would show it
		}
	}
	port := DefaultTCPPort
	if scheme == "discover" {
		port = DefaultHTTPPort
	}
	c.url = target{scheme: scheme, tls: scheme == "tls"}
	for host := range strings.SplitSeq(strings.TrimSuffix(hosts, "/"), ",") {
		address, err := withPort(host, port)
		if err != nil {
			return fail("%v", err)
		}
		c.url.hosts = append(c.url.hosts, address)
	}
	if scheme != "discover" && len(c.url.hosts) > 1 {
		return fail("%d hosts; only discover:// takes several", len(c.url.hosts))
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return fail("query: %v", err)
	}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if err := c.set(key, values.Get(key)); err != nil {
			errs = append(errs, fail("%v", err))
		}
	}
	return errors.Join(errs...)
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// withPort completes an address. IPv6 addresses stand in brackets.
func withPort(host, port string) (string, error) {
	if host == "" {
		return "", errors.New("no host")
	}
	if h, p, err := net.SplitHostPort(host); err == nil {
		if n, err := strconv.Atoi(p); h == "" || err != nil || n < 1 || n > 65535 {
			return "", fmt.Errorf("%q is no host:port", host)
		}
		return host, nil
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.Contains(bare, ":") && !strings.HasPrefix(host, "[") || strings.ContainsAny(bare, "/ @") {
		return "", fmt.Errorf("%q is no host:port", host)
	}
	return net.JoinHostPort(bare, port), nil
}

// redact hides the credentials of a URL that may be of any form.
func redact(raw string) string {
	before, after, found := cutLast(raw, "@")
	if !found {
		return raw
	}
	if scheme, _, ok := strings.Cut(before, "://"); ok {
		return scheme + "://***@" + after
	}
	return "***@" + after
}

// urlKeys are the settings that a URL can make, in the order of the documentation.
func urlKeys() []string {
	return []string{
		"name", "prefer", "any-node", "lazy", "connect-timeout", "handshake-timeout", "operation-timeout", "retries",
		"retry-ambiguous", "in-flight", "heartbeat-interval", "heartbeat-timeout", "reconnect-min", "reconnect-max",
		"reconnect-attempts", "discover-attempts", "discover-delay", "gossip-timeout", "max-frame", "http",
		"tls", "tls-ca", "tls-cert", "tls-key", "tls-server-name", "tls-verify",
	}
}

func (c *config) set(key, value string) error {
	switch key {
	case "name":
		c.name = value
		return nil
	case "http":
		c.httpURL = value
		return nil
	case "prefer":
		return c.preference.UnmarshalText([]byte(value))
	case "tls-ca", "tls-cert", "tls-key", "tls-server-name", "tls-verify":
		return c.setTLS(key, value)
	}
	if dst, ok := c.urlSwitches()[key]; ok {
		return parse(dst, key, value, strconv.ParseBool)
	}
	if dst, ok := c.urlNumbers()[key]; ok {
		return parse(dst, key, value, strconv.Atoi)
	}
	if dst, ok := c.urlDurations()[key]; ok {
		return parse(dst, key, value, time.ParseDuration)
	}
	return unknownKey(key)
}

func (c *config) urlSwitches() map[string]*bool {
	return map[string]*bool{"any-node": &c.anyNode, "lazy": &c.lazy, "retry-ambiguous": &c.ambiguous, "tls": &c.url.tls}
}

func (c *config) urlNumbers() map[string]*int {
	return map[string]*int{
		"retries": &c.retries, "in-flight": &c.inFlight, "max-frame": &c.maxFrame,
		"reconnect-attempts": &c.reconnect.Attempts, "discover-attempts": &c.discoverAttempts,
	}
}

func (c *config) urlDurations() map[string]*time.Duration {
	return map[string]*time.Duration{
		"connect-timeout": &c.connectTimeout, "handshake-timeout": &c.handshakeTimeout, "operation-timeout": &c.opTimeout,
		"heartbeat-interval": &c.interval, "heartbeat-timeout": &c.timeout,
		"reconnect-min": &c.reconnect.Min, "reconnect-max": &c.reconnect.Max,
		"discover-delay": &c.discoverDelay, "gossip-timeout": &c.gossipTimeout,
	}
}

func parse[T any](dst *T, key, value string, from func(string) (T, error)) error {
	v, err := from(value)
	if err != nil {
		return fmt.Errorf("%s=%q is no %T", key, value, *dst)
	}
	*dst = v
	return nil
}

// setTLS changes a copy of the TLS config. Keys are set in alphabetical order, so tls-cert comes before tls-key.
func (c *config) setTLS(key, value string) error {
	t := &tls.Config{}
	if c.tls != nil {
		t = c.tls.Clone()
	}
	c.tls = t
	switch key {
	case "tls-ca":
		pem, err := os.ReadFile(value)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%s: %s holds no PEM certificate", key, value)
		}
	case "tls-cert":
		c.tlsCert = value
	case "tls-key":
		if c.tlsCert == "" {
			return fmt.Errorf("%s without tls-cert", key)
		}
		cert, err := tls.LoadX509KeyPair(c.tlsCert, value)
		if err != nil {
			return fmt.Errorf("tls-cert and tls-key: %w", err)
		}
		t.Certificates = []tls.Certificate{cert}
	case "tls-server-name":
		t.ServerName = value
	case "tls-verify":
		verify := true
		if err := parse(&verify, key, value, strconv.ParseBool); err != nil {
			return err
		}
		t.InsecureSkipVerify = !verify
	}
	return nil
}

func unknownKey(key string) error {
	best, distance := "", 3
	for _, known := range urlKeys() {
		if d := editDistance(key, known); d < distance {
			best, distance = known, d
		}
	}
	if best != "" {
		return fmt.Errorf("unknown setting %q, did you mean %q?", key, best)
	}
	return fmt.Errorf("unknown setting %q, want one of %s", key, strings.Join(urlKeys(), ", "))
}

// editDistance counts the insertions, deletions and replacements between two words.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// programName is the name of the connection where none was given.
func programName() string { return strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") }
