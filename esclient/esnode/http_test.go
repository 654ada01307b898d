package esnode

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/photonpump/projector/esclient/internal/wire/wiretest"
)

// web is an HTTP client of a node.
type web struct {
	t    *testing.T
	base string
	http http.Client
}

func newWeb(t *testing.T, n *Node) *web {
	w := &web{t: t, base: n.HTTPURL()}
	t.Cleanup(w.http.CloseIdleConnections)
	return w
}

// do sends a request; who is "login:password" or "", header is "Name: value" lines.
func (w *web) do(method, path, who, body string, header ...string) (status int, answer string, h http.Header) {
	w.t.Helper()
	req, err := http.NewRequest(method, w.base+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if login, password, ok := strings.Cut(who, ":"); ok {
		req.SetBasicAuth(login, password)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	res, err := w.http.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header
}

func (w *web) want(status int, method, path, who, body string, header ...string) string {
	w.t.Helper()
	got, answer, _ := w.do(method, path, who, body, header...)
	if got != status {
		w.t.Errorf("%s %s as %q: want status %d, got %d %s", method, path, who, status, got, answer)
	}
	return answer
}

// like compares an answer with a recorded one.
func (w *web) like(recorded, answer string, differs ...string) {
	w.t.Helper()
	var want, got any
	if err := json.Unmarshal(wiretest.HTTP(w.t, recorded), &want); err != nil {
		w.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		w.t.Errorf("%s: %v in %s", recorded, err, answer)
		return
	}
	for _, problem := range diffJSON("", want, got) {
		if !slices.ContainsFunc(differs, func(d string) bool { return strings.Contains(problem, d) }) {
			w.t.Errorf("%s: %s", recorded, problem)
		}
	}
}

const adminUser = "admin:changeit"

// What the recorder asked a real server is asked here, and answered alike.
func TestHTTPLikeRecorded(t *testing.T) {
	t.Parallel()
	n := startNode(t, HTTP("127.0.0.1:0"))
	w := newWeb(t, n)
	ports := []string{"Port", "Position", "Checkpoint", "Ip", "serverIp"}
	w.like("http-gossip", w.want(200, "GET", "/gossip", "", ""), ports...)
	w.like("http-gossip-format-json", w.want(200, "GET", "/gossip?format=json", "", ""), ports...)
	w.like("http-info", w.want(200, "GET", "/info", "", ""))
	w.like("http-ping", w.want(200, "GET", "/ping", "", ""))
	w.want(404, "GET", "/health/live", "", "")
	w.want(404, "GET", "/no-such-thing", adminUser, "")
	w.want(401, "GET", "/users/", "admin:wrong", "")
	if stats := w.want(200, "GET", "/stats", "", ""); !strings.Contains(stats, `"mainQueue"`) {
		t.Errorf("stats: %s", stats)
	}
	if stats := w.want(200, "GET", "/stats?group=false", "", ""); !strings.Contains(stats, `"es-queue-MainQueue-length"`) {
		t.Errorf("flat stats: %s", stats)
	}
	w.want(200, "GET", "/stats/es/queue", "", "")
	w.want(404, "GET", "/stats/es/nothing", "", "")
}

func TestHTTPUsersLikeRecorded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := startNode(t, HTTP("127.0.0.1:0"), Dir(dir))
	w := newWeb(t, n)
	w.want(201, "POST", "/users/", adminUser, `{"loginName":"u140","fullName":"Capture User","groups":[],"password":"cap-pass"}`)
	const body = `{"loginName":"u140b","fullName":"B","groups":["g"],"password":"p"}`
	w.want(401, "POST", "/users/", "", body)
	w.want(401, "POST", "/users/", "u140:cap-pass", body)
	w.like("http-users", w.want(200, "GET", "/users/", adminUser, ""))
	w.like("http-user-create", w.want(201, "POST", "/users/", adminUser, body))
	w.like("http-user-create-again", w.want(201, "POST", "/users/", adminUser, body))
	w.like("http-user-create-conflict", w.want(409, "POST", "/users/", adminUser, strings.Replace(body, `"B"`, `"C"`, 1)))
	w.like("http-user", w.want(200, "GET", "/users/u140", adminUser, ""))
	w.like("http-user-missing", w.want(404, "GET", "/users/nobody", adminUser, ""))
	w.like("http-user-current", w.want(200, "GET", "/users/$current", "u140:cap-pass", ""))
	w.like("http-user-update", w.want(200, "PUT", "/users/u140b", adminUser, `{"fullName":"B2","groups":["h"]}`))
	w.like("http-user-disable", w.want(200, "POST", "/users/u140b/command/disable", adminUser, ""))
	w.want(401, "GET", "/users/$current", "u140b:p", "")
	w.like("http-user-enable", w.want(200, "POST", "/users/u140b/command/enable", adminUser, ""))
	w.want(200, "GET", "/users/$current", "u140b:p", "")
	w.like("http-user-reset-password", w.want(200, "POST", "/users/u140b/command/reset-password", adminUser, `{"newPassword":"q"}`))
	w.want(401, "POST", "/users/u140b/command/change-password", "u140b:q", `{"currentPassword":"wrong","newPassword":"r"}`)
	w.like("http-user-change-password", w.want(200, "POST", "/users/u140b/command/change-password", "u140b:q", `{"currentPassword":"q","newPassword":"r"}`))
	w.want(401, "POST", "/users/admin/command/reset-password", "u140b:r", `{"newPassword":"mine"}`)
	w.want(200, "POST", "/users/ops/command/reset-password", adminUser, `{"newPassword":"new"}`)
	w.want(201, "POST", "/users/", adminUser, `{"loginName":"brief","fullName":"x","groups":[],"password":"p"}`)
	w.like("http-user-delete", w.want(200, "DELETE", "/users/brief", adminUser, ""), "u140b")
	w.want(404, "DELETE", "/users/brief", adminUser, "")

	// All of that survives a restart.
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = startNode(t, HTTP("127.0.0.1:0"), Dir(dir))
	w = newWeb(t, n)
	for who, status := range map[string]int{"u140b:r": 200, "u140b:q": 401, "u140:cap-pass": 200, "ops:new": 200, "ops:changeit": 401, "brief:p": 401, adminUser: 200} {
		w.want(status, "GET", "/users/$current", who, "")
	}
	if got := w.want(200, "GET", "/users/u140b", adminUser, ""); !strings.Contains(got, "B2") || !strings.Contains(got, `"h"`) {
		t.Errorf("got %s", got)
	}
}

func TestHTTPSubscriptionsLikeRecorded(t *testing.T) {
	t.Parallel()
	n := startNode(t, HTTP("127.0.0.1:0"))
	w, c := newWeb(t, n), dialRaw(t, n)
	c.append("s140", "0", "1", "2", "3", "4")
	for _, g := range []string{"g", "h"} {
		c.createGroup("s140", g, 10, roundRobin)
	}
	c.send(ConnectToPersistentSubscription, msg(1, "g", 2, "s140", 3, 10))
	c.want(PersistentSubscriptionConfirmation)
	id := [16]byte{0xc0, 15: c.last}
	for i := range 5 {
		f := c.want(PersistentSubscriptionStreamEventAppeared)
		if i < 2 {
			c.sendAs(PersistentSubscriptionAckEvents, id, msg(1, "s140::g", 2, pushedID(t, f)))
		}
	}
	c.ask(Ping, nil, Pong) // the acks came before
	w.like("http-subscriptions", w.want(200, "GET", "/subscriptions", adminUser, ""))
	w.like("http-subscriptions-stream", w.want(200, "GET", "/subscriptions/s140", adminUser, ""))
	w.like("http-subscription-info", w.want(200, "GET", "/subscriptions/s140/g/info", adminUser, ""))
	w.like("http-subscriptions-stream-missing", w.want(404, "GET", "/subscriptions/s140-none", adminUser, ""))
	w.want(404, "GET", "/subscriptions/s140/none/info", adminUser, "")
	w.want(401, "GET", "/subscriptions", "", "")
	w.want(401, "GET", "/subscriptions/s140/g/info", "", "")
	w.want(401, "PUT", "/subscriptions/s140/anon", "", "{}")
	w.like("http-subscription-put", w.want(201, "PUT", "/subscriptions/s140/via-http", adminUser, "{}"))
	w.like("http-subscription-put-again", w.want(409, "PUT", "/subscriptions/s140/via-http", adminUser, "{}"))
	awaitGroup(n.psubs.find("s140", "via-http"))
	w.like("http-subscription-put-info", w.want(200, "GET", "/subscriptions/s140/via-http/info", adminUser, ""))
	w.like("http-subscription-post", w.want(200, "POST", "/subscriptions/s140/via-http", adminUser, "{}"))
	w.like("http-subscription-post-missing", w.want(404, "POST", "/subscriptions/s140/none", adminUser, "{}"))
	w.like("http-subscription-delete", w.want(200, "DELETE", "/subscriptions/s140/via-http", adminUser, ""))
	w.like("http-subscription-delete-missing", w.want(404, "DELETE", "/subscriptions/s140/via-http", adminUser, ""))
	w.like("http-replay-parked", w.want(200, "POST", "/subscriptions/s140/g/replayParked", adminUser, ""))
}

// awaitGroup returns once a group has done what it was woken for: it takes the next wake-up only after that.
func awaitGroup(g *group) {
	g.wake <- struct{}{}
	g.wake <- struct{}{}
}

func TestHTTPStreams(t *testing.T) {
	t.Parallel()
	n := startNode(t, HTTP("127.0.0.1:0"), SystemProjections(true))
	w, c := newWeb(t, n), dialRaw(t, n)
	const events = `[{"eventId":"fbf4a1a1-b4a3-4dfe-a01f-ec52c34e16e4","eventType":"pony.born","data":{"name":"Applejack"},"metadata":{"by":"test"}}]`
	status, _, h := w.do("POST", "/streams/pony-1", "", events, "Content-Type: "+mimeEvents, headerExpected+": -1")
	if status != 201 || !strings.HasSuffix(h.Get("Location"), "/streams/pony-1/0") {
		t.Errorf("append: %d %v", status, h)
	}
	w.want(201, "POST", "/streams/pony-1", "", events, "Content-Type: "+mimeEvents, headerExpected+": -1") // the same again
	w.want(201, "POST", "/streams/pony-1", "", `{"n":1}`, "Content-Type: application/json", headerType+": pony.jumped")
	w.want(201, "POST", "/streams/pony-1", "", "\x00\x01", "Content-Type: application/octet-stream", headerType+": raw")
	if status, _, h := w.do("POST", "/streams/pony-1", "", events, "Content-Type: "+mimeEvents, headerExpected+": 7"); status != 400 || h.Get(headerCurrent) != "2" {
		t.Errorf("wrong version: %d %v", status, h)
	}
	w.want(400, "POST", "/streams/pony-1", "", "{", "Content-Type: "+mimeEvents)
	w.want(400, "POST", "/streams/pony-1", "", "{}", "Content-Type: application/json")
	w.want(401, "POST", "/streams/$pony", "", events, "Content-Type: "+mimeEvents)
	if got := c.bodiesOf("pony-1"); !slices.Equal(got, []string{`{"name":"Applejack"}`, `{"n":1}`, "\x00\x01"}) {
		t.Errorf("over TCP: %q", got)
	}
	if got := w.want(200, "GET", "/streams/pony-1/0", "", ""); got != `{"name":"Applejack"}` {
		t.Errorf("got %s", got)
	}
	var event struct {
		Content struct {
			EventID     string `json:"eventId"`
			EventNumber int64  `json:"eventNumber"`
			Data        map[string]string
		}
	}
	if err := json.Unmarshal([]byte(w.want(200, "GET", "/streams/$ce-pony/0", adminUser, "", "Accept: "+mimeEvent)), &event); err != nil {
		t.Fatal(err)
	}
	if event.Content.EventID != "fbf4a1a1-b4a3-4dfe-a01f-ec52c34e16e4" || event.Content.Data["name"] != "Applejack" {
		t.Errorf("got %+v", event)
	}
	var feed struct {
		HeadOfStream bool `json:"headOfStream"`
		Entries      []struct {
			EventNumber int64 `json:"eventNumber"`
			EventType   string
			Data        string
		}
	}
	if err := json.Unmarshal([]byte(w.want(200, "GET", "/streams/pony-1?embed=body", "", "", "Accept: application/json")), &feed); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(feed); got != fmt.Sprint(struct {
		H bool
		E []any
	}{true, []any{struct {
		N    int64
		T, D string
	}{2, "raw", "\x00\x01"}, struct {
		N    int64
		T, D string
	}{1, "pony.jumped", `{"n":1}`}, struct {
		N    int64
		T, D string
	}{0, "pony.born", `{"name":"Applejack"}`}}}) {
		t.Errorf("got %s", got)
	}
	w.want(200, "GET", "/streams/pony-1/1/forward/2", "", "")
	w.want(200, "GET", "/streams/pony-1/head/backward/2", "", "")
	w.want(400, "GET", "/streams/pony-1/1/sideways/2", "", "")
	w.want(404, "GET", "/streams/pony-9", "", "")
	w.want(404, "GET", "/streams/pony-1/9", "", "")
	w.want(401, "GET", "/streams/$all", "", "")
	w.want(200, "GET", "/streams/$all/head/backward/5", adminUser, "")
	w.want(201, "POST", "/streams/pony-1/metadata", adminUser, `{"$maxCount":1}`, "Content-Type: application/json", headerType+": $metadata")
	if got := c.bodiesOf("pony-1"); len(got) != 1 {
		t.Errorf("$maxCount: %q", got)
	}
	if got := w.want(200, "GET", "/streams/pony-1/metadata", adminUser, ""); got != `{"$maxCount":1}` {
		t.Errorf("metadata: %s", got)
	}
	w.want(204, "DELETE", "/streams/pony-1", "", "")
	w.want(404, "GET", "/streams/pony-1", "", "")
	w.want(204, "DELETE", "/streams/pony-1", "", "", headerHard+": true")
	w.want(410, "GET", "/streams/pony-1", "", "")
	w.want(410, "POST", "/streams/pony-1", "", events, "Content-Type: "+mimeEvents)
}

func TestHTTPProjections(t *testing.T) {
	t.Parallel()
	w := newWeb(t, startNode(t, HTTP("127.0.0.1:0"), SystemProjections(true)))
	var list struct{ Projections []systemProjection }
	if err := json.Unmarshal([]byte(w.want(200, "GET", "/projections/any", adminUser, "")), &list); err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, p := range list.Projections {
		names = append(names, p.Name+" "+p.Status)
	}
	if want := []string{"$streams Running", "$stream_by_category Stopped", "$by_category Running", "$by_event_type Running"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	w.want(200, "GET", "/projection/$by_category", adminUser, "")
	w.want(404, "GET", "/projection/mine", adminUser, "")
	w.want(404, "GET", "/projections/unheard-of", adminUser, "")
}

func TestHTTPShutdown(t *testing.T) {
	t.Parallel()
	n := startNode(t, HTTP("127.0.0.1:0"))
	w, c := newWeb(t, n), dialRaw(t, n)
	c.ask(Ping, nil, Pong)
	w.want(401, "POST", "/admin/shutdown", "", "")
	w.want(200, "POST", "/admin/shutdown", adminUser, "")
	<-n.Done()
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

func TestVersion20(t *testing.T) {
	t.Parallel()
	n := startNode(t, HTTP("127.0.0.1:0"), Version20())
	w := newWeb(t, n)
	if got := w.want(200, "GET", "/info", "", ""); !strings.Contains(got, `"esVersion": "20.10`) || !strings.Contains(got, `"state": "leader"`) {
		t.Errorf("info: %s", got)
	}
	if got := w.want(200, "GET", "/gossip", "", ""); !strings.Contains(got, `"httpEndPointPort"`) || !strings.Contains(got, `"Leader"`) {
		t.Errorf("gossip: %s", got)
	}
	w.want(204, "GET", "/health/live", "", "")
}
