package esclient

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// maxHTTPBody bounds an answer over HTTP, in bytes.
const maxHTTPBody = 16 << 20

// GroupInfo is what the server says about a group.
type GroupInfo struct {
	Stream           string          `json:"eventStreamId"`
	Group            string          `json:"groupName"`
	Status           string          `json:"status"` // NotReady, Behind, OutstandingPageRequest, ReplayingParkedMessages, Live, with commas
	AveragePerSecond float64         `json:"averageItemsPerSecond"`
	Processed        int64           `json:"totalItemsProcessed"`
	LastProcessed    int64           `json:"lastProcessedEventNumber"`
	LastKnown        int64           `json:"lastKnownEventNumber"`
	InFlight         int64           `json:"totalInFlightMessages"`
	Outstanding      int64           `json:"outstandingMessagesCount"`
	Parked           *int64          `json:"parkedMessageCount"` // nil before 21.2
	ReadBuffered     int64           `json:"readBufferCount"`
	LiveBuffered     int64           `json:"liveBufferCount"`
	RetryBuffered    int64           `json:"retryBufferCount"`
	Consumers        []GroupConsumer `json:"connections"`
	Config           GroupInfoConfig `json:"config"`
}

// GroupConsumer is a consumer of a group.
type GroupConsumer struct {
	From             string  `json:"from"`
	User             string  `json:"username"`
	AveragePerSecond float64 `json:"averageItemsPerSecond"`
	Processed        int64   `json:"totalItemsProcessed"`
	AvailableSlots   int64   `json:"availableSlots"`
	InFlight         int64   `json:"inFlightMessages"`
}

// GroupInfoConfig are the settings of a group as the HTTP interface names them. Times are milliseconds.
type GroupInfoConfig struct {
	ResolveLinks    bool     `json:"resolveLinktos"`
	StartFrom       int64    `json:"startFrom"`
	MessageTimeout  int64    `json:"messageTimeoutMilliseconds"`
	Statistics      bool     `json:"extraStatistics"`
	MaxRetries      int      `json:"maxRetryCount"`
	LiveBuffer      int      `json:"liveBufferSize"`
	Buffer          int      `json:"bufferSize"`
	ReadBatch       int      `json:"readBatchSize"`
	CheckpointAfter int64    `json:"checkPointAfterMilliseconds"`
	CheckpointMin   int      `json:"minCheckPointCount"`
	CheckpointMax   int      `json:"maxCheckPointCount"`
	MaxConsumers    int      `json:"maxSubscriberCount"`
	Strategy        Strategy `json:"namedConsumerStrategy"`
}

// GroupInfo asks the HTTP interface about a group, see [WithHTTP]. Errors: [ErrNotFound], [ErrNotAuthenticated].
func (c *Client) GroupInfo(ctx context.Context, stream, group string) (GroupInfo, error) {
	var info GroupInfo
	err := c.http(ctx, "group info", http.MethodGet, stream, group, "/info", &info)
	return info, err
}

// ReplayParked makes the server deliver the parked events of a group again. Errors: [ErrNotFound], [ErrNotAuthenticated].
func (c *Client) ReplayParked(ctx context.Context, stream, group string) error {
	return c.http(ctx, "replay parked", http.MethodPost, stream, group, "/replayParked", nil)
}

func (c *Client) http(ctx context.Context, op, method, stream, group, what string, into any) error {
	fail := func(err error) error {
		return &opError{op: op, input: groupName(stream, group), sent: true, err: err}
	}
	if err := checkGroup(op, stream, group); err != nil {
		return err
	}
	base, err := c.core.httpBase()
	if err != nil {
		return fail(err)
	}
	target := base + "/subscriptions/" + url.PathEscape(stream) + "/" + url.PathEscape(group) + what
	ctx, cancel := context.WithTimeout(ctx, c.call.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return fail(err)
	}
	req.Header.Set("Accept", "application/json")
	c.authorize(req)
	res, err := c.core.cfg.httpClient.Do(req)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxHTTPBody))
	if err != nil {
		return fail(err)
	}
	if err := statusError(res.StatusCode, body); err != nil {
		return fail(err)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fail(fmt.Errorf("answer of %s: %w", target, err))
	}
	return nil
}

func (c *Client) authorize(req *http.Request) {
	cr := c.call.Credentials
	if cr == (Credentials{}) {
		cr = c.core.cfg.creds
	}
	switch {
	case cr.Token != "":
		req.Header.Set("Authorization", "Bearer "+cr.Token)
	case cr.Login != "":
		req.SetBasicAuth(cr.Login, cr.Password)
	}
}

func statusError(status int, body []byte) error {
	e := &ServerError{Command: fmt.Sprintf("HTTP %d %s", status, http.StatusText(status)), Message: firstLine(body)}
	switch status {
	case http.StatusOK, http.StatusCreated:
		return nil
	case http.StatusNotFound:
		e.is = ErrNotFound
	case http.StatusUnauthorized:
		e.is = ErrNotAuthenticated
	case http.StatusForbidden:
		e.is = ErrAccessDenied
	case http.StatusServiceUnavailable:
		e.is = ErrNotHandled
	}
	return e
}

func firstLine(body []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	return line[:min(len(line), 200)]
}

// httpBase returns where the HTTP interface is: as set, that of the node of the last gossip, or the usual port of the
// host that the connection is to.
func (c *core) httpBase() (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.cfg.httpURL != "":
		return strings.TrimSuffix(c.cfg.httpURL, "/"), nil
	case c.node.HTTP != "":
		return c.scheme() + c.node.HTTP, nil
	case c.conn == nil:
		return "", ErrNotConnected
	}
	host, _, err := net.SplitHostPort(c.conn.endpoint.Address)
	if err != nil {
		return "", err
	}
	return c.scheme() + net.JoinHostPort(host, DefaultHTTPPort), nil
}
