package esclient

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	tests := []struct {
		url, target, login, password string
	}{
		{"tcp://127.0.0.1:1113", "tcp://127.0.0.1:1113", "", ""},
		{"tcp://admin:changeit@node", "tcp://node:1113", "admin", "changeit"},
		{"tcp://admin:p%40ss%3A%2Fw@node:2000/", "tcp://node:2000", "admin", "p@ss:/w"},
		{"tcp://a:b@c@node", "tcp://node:1113", "a", "b@c"},
		{"tls://[::1]", "tls://[::1]:1113", "", ""},
		{"tls://[::1]:99", "tls://[::1]:99", "", ""},
		{"discover://cluster.dns", "discover://cluster.dns:2113", "", ""},
		{"discover://u:p@a,b:1,c", "discover://a:2113,b:1,c:2113", "u", "p"},
	}
	for _, tt := range tests {
		c := defaults()
		if err := c.parseURL(tt.url); err != nil {
			t.Errorf("%s: %v", tt.url, err)
			continue
		}
		if c.url.String() != tt.target || c.creds.Login != tt.login || c.creds.Password != tt.password {
			t.Errorf("%s: got %s, %q, %q", tt.url, c.url, c.creds.Login, c.creds.Password)
		}
	}
}

func TestParseURLSettings(t *testing.T) {
	t.Parallel()
	c := defaults()
	err := c.parseURL("tcp://n?name=x&prefer=follower&any-node=true&lazy=true&connect-timeout=1s&handshake-timeout=2s" +
		"&operation-timeout=3s&retries=-1&retry-ambiguous=false&in-flight=7&heartbeat-interval=4s&heartbeat-timeout=5s" +
		"&reconnect-min=6ms&reconnect-max=7ms&reconnect-attempts=8&discover-attempts=9&discover-delay=10ms&gossip-timeout=11ms" +
		"&max-frame=100000&http=http://h:1&tls=true&tls-server-name=s&tls-verify=false")
	if err != nil {
		t.Fatal(err)
	}
	ok := c.name == "x" && c.preference == PreferFollower && c.anyNode && c.lazy && c.connectTimeout == time.Second &&
		c.handshakeTimeout == 2*time.Second && c.opTimeout == 3*time.Second && c.retries == -1 && !c.ambiguous && c.inFlight == 7 &&
		c.interval == 4*time.Second && c.timeout == 5*time.Second && c.reconnect == Backoff{6 * time.Millisecond, 7 * time.Millisecond, 8} &&
		c.discoverAttempts == 9 && c.discoverDelay == 10*time.Millisecond && c.gossipTimeout == 11*time.Millisecond &&
		c.maxFrame == 100000 && c.httpURL == "http://h:1" && c.url.tls && c.tls.ServerName == "s" && c.tls.InsecureSkipVerify
	if !ok {
		t.Errorf("got %+v", c)
	}
	if err := c.validate(); err != nil {
		t.Error(err)
	}
	for _, key := range urlKeys() {
		if err := c.set(key, ""); err != nil && strings.Contains(err.Error(), "unknown setting") {
			t.Errorf("%s is listed and unknown", key)
		}
	}
}

func TestParseURLErrors(t *testing.T) {
	t.Parallel()
	tests := []struct{ url, says string }{
		{"node:1113", "want tcp://host:1113"},
		{"http://a:secret@node", "want tcp://host:1113"},
		{"tcp://", "no host"},
		{"tcp://a,b", "only discover:// takes several"},
		{"tcp://node:0", "no host:port"},
		{"tcp://node:99999", "no host:port"},
		{"tcp://u:secret@::1:99", "no host:port"},
		{"tcp://u:sec%ret@node", "not well escaped"},
		{"tcp://u:secret@node?retrys=3", `unknown setting "retrys", did you mean "retries"?`},
		{"tcp://u:secret@node?zzzzzzz=3", "want one of name, prefer"},
		{"tcp://u:secret@node?retries=many", `retries="many" is no int`},
		{"tcp://u:secret@node?prefer=best", "follower"},
		{"tcp://u:secret@node?tls-ca=/does/not/exist", "no such file"},
		{"tcp://u:secret@node?tls-key=x", "without tls-cert"},
	}
	for _, tt := range tests {
		c := defaults()
		err := c.parseURL(tt.url)
		if !errors.Is(err, ErrInvalidOption) {
			t.Errorf("%s: got %v", tt.url, err)
			continue
		}
		if !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want it to say %q", tt.url, err, tt.says)
		}
		if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "sec%ret") {
			t.Errorf("%s: the error shows the password: %v", tt.url, err)
		}
	}
}

func TestValidateJoins(t *testing.T) {
	t.Parallel()
	_, err := Dial(t.Context(), "tcp://n", WithRetries(-2), WithInFlight(0), WithOperationTimeout(-1), WithMaxFrame(1),
		WithReconnect(Backoff{}), WithHeartbeat(0, 0), WithLogger(nil), WithCredentials(Credentials{Login: strings.Repeat("x", 200)}))
	if !errors.Is(err, ErrInvalidOption) {
		t.Fatal(err)
	}
	for _, says := range []string{"retries", "in-flight", "operation-timeout", "max-frame", "reconnect", "heartbeat", "logger", "login of 200 bytes"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
}

func TestCredentialsHideSecrets(t *testing.T) {
	t.Parallel()
	for _, c := range []Credentials{{Login: "admin", Password: "secret"}, {Token: "secret"}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if got := strings.TrimSpace(sprintf(verb, c)); strings.Contains(got, "secret") {
				t.Errorf("%s: %s", verb, got)
			}
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"tcp://admin:changeit@127.0.0.1:1113", "discover://a,b:1?retries=3", "tls://[::1]?name=%20", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, url string) {
		if strings.Contains(url, "tls-ca") || strings.Contains(url, "tls-cert") {
			return // would read files
		}
		c := defaults()
		_ = c.parseURL(url)
	})
}

func FuzzGossip(f *testing.F) {
	f.Add([]byte(`{"members":[{"state":"Master","isAlive":true,"externalTcpIp":"10.0.0.1","externalTcpPort":1113}]}`))
	f.Fuzz(func(_ *testing.T, body []byte) {
		nodes, err := parseGossip(body)
		if err != nil {
			return
		}
		c := defaults()
		c.choose(nodes)
	})
}
