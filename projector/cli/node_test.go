package cli

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/esclient"
)

// runningNode is the command node while it runs.
type runningNode struct {
	t              *testing.T
	stdout, stderr watched
	interrupt      context.CancelFunc
	ended          chan int
}

func startCommandNode(t *testing.T, args ...string) *runningNode {
	t.Helper()
	n := &runningNode{t: t, ended: make(chan int, 1)}
	var ctx context.Context
	ctx, n.interrupt = context.WithCancel(t.Context())
	go func() { // ends with ctx
		n.ended <- Run(ctx, append([]string{"node", "--tcp", "127.0.0.1:0"}, args...), strings.NewReader(""), &n.stdout, &n.stderr)
	}()
	t.Cleanup(n.interrupt)
	n.stdout.until(t, "\n")
	return n
}

// url returns the address of this scheme that the node has said, or "".
func (n *runningNode) url(scheme string) string {
	return regexp.MustCompile(scheme + `://\S+`).FindString(n.stdout.String())
}

// stop ends the node in order.
func (n *runningNode) stop() {
	n.t.Helper()
	n.interrupt()
	if code := <-n.ended; code != ExitOK {
		n.t.Errorf("code %d: %s", code, n.stderr.String())
	}
}

// streams returns which streams have events, those of the system included.
func (n *runningNode) streams() []string {
	n.t.Helper()
	client, err := esclient.Dial(n.t.Context(), strings.Replace(n.url("tcp"), "tcp://", "tcp://admin:changeit@", 1))
	if err != nil {
		n.t.Fatal(err)
	}
	defer client.Close()
	names := []string{}
	for e, err := range client.AllEvents(n.t.Context(), esclient.Position{}, esclient.ReadOptions{KeepLinks: true}) {
		if err != nil {
			n.t.Fatal(err)
		}
		if !slices.Contains(names, e.Stream) && !strings.HasPrefix(e.Stream, "$") {
			names = append(names, e.Stream)
		}
	}
	return names
}

// With a folder of its own, the node is empty and takes nothing from the projector.yaml that happens to be here.
func TestNodeSeeds(t *testing.T) {
	f := newFolder(t)
	t.Chdir(f.dir)
	seeded := []string{"pony_stream", "other"}
	for name, test := range map[string]struct {
		args    []string
		streams []string
		http    bool
		dir     string // where the log is
	}{
		"folder of its own":           {args: []string{"--dir", "own"}, streams: []string{}, dir: "own"},
		"folder of its own and seed":  {args: []string{"--dir", "seeded", "--seed", "events.jsonl"}, streams: seeded, dir: "seeded"},
		"folder of its own, and file": {args: []string{"--dir", "both", "--config", "projector.yaml"}, streams: []string{}, http: true, dir: "both"},
		"folder of the file":          {streams: seeded, http: true, dir: "eventstore"},
		"memory":                      {args: []string{"--dir", "off", "--http", "127.0.0.1:0"}, streams: []string{}, http: true},
	} {
		n := startCommandNode(t, test.args...)
		if diff := cmp.Diff(test.streams, n.streams()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		n.stop()
		if got := n.url("http") != ""; got != test.http {
			t.Errorf("%s: serves HTTP: %v, want %v", name, got, test.http)
		}
		for _, dir := range []string{"own", "seeded", "both", "eventstore"} {
			_, err := os.Stat(dir)
			if got := err == nil; got != (dir == test.dir) {
				t.Errorf("%s: there is a folder %s: %v", name, dir, got)
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Error(err)
			}
		}
	}
}

// Where nothing is but the binary, all options work together, and the log has one line for a connection.
func TestNodePlain(t *testing.T) {
	t.Chdir(t.TempDir())
	n := startCommandNode(t, "--tls", "127.0.0.1:0", "--http", "127.0.0.1:0", "--dir", "log", "--user", "pinkie:pie:party,cake")
	n.stdout.until(t, "http://")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.url("http")+"/users/$current", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("pinkie", "pie")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if res.Body.Close(); err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), "cake") {
		t.Errorf("%s: %s, %v", res.Status, body, err)
	}
	http.DefaultClient.CloseIdleConnections()

	ping := append([]byte{18, 0, 0, 0, 3, 0}, make([]byte, 16)...)
	for _, dial := range []func() (net.Conn, error){
		func() (net.Conn, error) { return net.Dial("tcp", strings.TrimPrefix(n.url("tcp"), "tcp://")) },
		func() (net.Conn, error) {
			return tls.Dial("tcp", strings.TrimPrefix(n.url("tls"), "tls://"), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // made on the spot
		},
	} {
		nc, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		pong := make([]byte, len(ping))
		if _, err := nc.Write(ping); err != nil {
			t.Error(err)
		}
		if _, err := io.ReadFull(nc, pong); err != nil || pong[4] != 4 {
			t.Errorf("got %x, %v", pong, err)
		}
		if err := nc.Close(); err != nil {
			t.Error(err)
		}
	}
	n.stop()
	if log := n.stderr.String(); strings.Count(log, "\n") != 2 || strings.Count(log, "client connected") != 2 {
		t.Errorf("want one line for each of 2 connections:\n%s", log)
	}
}
