package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/eventstore"
)

// The passwords that are looked for. They have characters that a URL escapes.
const (
	storeSecret    = "open+sesame=1&x"
	databaseSecret = "swordfish!~2$y"
)

// leaks reports which form of a secret a text has.
func leaks(text string) string {
	for _, secret := range []string{storeSecret, databaseSecret} {
		for _, form := range []string{
			secret, url.QueryEscape(secret), url.PathEscape(secret), url.UserPassword("u", secret).String()[2:],
			base64.StdEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(secret)), secret[:6],
		} {
			if strings.Contains(text, form) {
				return form
			}
		}
	}
	return ""
}

// output is what a command prints, while it runs.
type output struct {
	mu     sync.Mutex
	buffer bytes.Buffer
	grown  chan struct{}
}

func newOutput() *output { return &output{grown: make(chan struct{}, 1)} }

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.grown <- struct{}{}:
	default:
	}
	return o.buffer.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.String()
}

// secretFile is a configuration in which the URLs are given in one of the ways there are.
func secretFile(t *testing.T, way, number, store, database string) (f *folder, args []string) {
	t.Helper()
	f = &folder{t: t, dir: t.TempDir()}
	f.write("events.jsonl", threePonies)
	f.write("store", store+"\n")
	f.write("database", database+"\n")
	given := map[string][2]string{
		"inline":   {store, database},
		"variable": {"${PROJECTOR_TEST_STORE_" + number + "}", "${PROJECTOR_TEST_DATABASE_" + number + "}"},
		"file":     {"${file:" + f.dir + "/store}", "${file:" + f.dir + "/database}"},
		"flags":    {"tcp://127.0.0.1:1", "sqlite://nowhere"},
	}[way]
	if way == "flags" {
		args = []string{"--eventstore", store, "--database", database}
	}
	f.write("projector.yaml", fmt.Sprintf(`
eventstore: {url: %q}
database: {url: %q, schema: secrets}
admin: {listen: "127.0.0.1:0"}
projections:
  jumps:
    source: {stream: pony_stream}
    key: body.name
    table: {columns: {name: text, jumps: int}, primary_key: name}
    on:
      pony.jumped: {increment: {jumps: 1}}
    retry: {attempts: 1}
tests:
  - {name: t, given: [pony.jumped: {name: Ivy}], want: {jumps: [{name: Ivy}]}}
`, given[0], given[1]))
	return f, args
}

func withPassword(t *testing.T, text, user, password string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

// every is each command.
func every() [][]string {
	return [][]string{
		{"lint"},
		{"test"},
		{"plan"},
		{"dry-run"},
		{"schema", "--json"},
		{"schema", "--sql"},
		{"import", "events.jsonl"},
		{"run", "--once"},
		{"status"},
		{"status", "--json"},
		{"show", "jumps"},
		{"append", "pony_stream", "pony.born", `{"name":"Ivy"}`},
		{"read", "pony_stream"},
		{"parked", "list", "jumps"},
		{"parked", "retry", "jumps"},
		{"reset", "jumps", "--yes"},
		{"version"},
		{"tail", "pony_stream"},
		{"run"},
	}
}

// runSecret runs a command, one that does not end by itself for a while, with debug logs. It returns all that was printed.
func runSecret(t *testing.T, f *folder, args []string, projections ...Projection) string {
	t.Helper()
	patience := time.Second
	if slices.Contains([]string{"import", "reset"}, args[0]) || slices.Contains(args, "--once") {
		patience = 5 * time.Second
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i, arg := range args {
		if strings.HasSuffix(arg, ".jsonl") {
			args[i] = f.dir + "/" + arg
		}
	}
	out := newOutput()
	Run(ctx, append(args, "--log", "DEBUG", "--config", f.dir+"/projector.yaml"), strings.NewReader(""), out, out, projections...)
	return out.String()
}

// TestNoSecretIsPrinted runs every command with passwords in both URLs, given in each way, with parts that work, that are
// not there, and with URLs that are wrong, and looks for the passwords in all that is printed and served.
func TestNoSecretIsPrinted(t *testing.T) {
	node, err := esnode.Start(esnode.User("keeper", storeSecret, "$admins"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close() })
	store := withPassword(t, node.URL(), "keeper", storeSecret)
	database := withPassword(t, pgtest.Database(t), "postgres", databaseSecret)
	port, user := regexp.MustCompile(`:\d+`), regexp.MustCompile(`//[^@]+@`)
	inQuery := user.ReplaceAllString(database, "//") + "?user=postgres&password=" + url.QueryEscape(databaseSecret)
	brief := []string{"lint", "plan", "run --once", "status --json"}
	for i, c := range []struct {
		name, store, database, prints string
	}{
		{"working", store, database, "Ivy"},
		{"password in the query", store, inQuery, "Ivy"},
		{"not there", port.ReplaceAllString(store, ":1"), port.ReplaceAllString(database, ":1"), "refused"},
		{"no such database", store, regexp.MustCompile(`/test_\w+`).ReplaceAllString(database, "/none"), "does not exist"},
		{"wrong ports", port.ReplaceAllString(store, ":port"), port.ReplaceAllString(database, ":port"), "port"},
		{"wrong escapes", strings.Replace(store, "@", "%zz@", 1), strings.Replace(database, "@", "%zz@", 1), "URL"},
		{"wrong schemes", "http" + store[3:], "mysql" + database[8:], "want "},
		{"wrong settings", store + "?colour=" + url.QueryEscape(storeSecret), database + "?pool_max_conns=many", "pool_max_conns"},
		{"wrong settings in the query", store, inQuery + "&pool_max_conns=many", "pool_max_conns"},
		{"spaces", strings.Replace(store, "@", " @", 1), strings.Replace(database, "@", " @", 1), "URL"},
		{"slashes", strings.Replace(store, "@", "/@", 1), strings.Replace(database, "@", "/@", 1), "URL"},
		{"discovery", strings.Replace(port.ReplaceAllString(store, ":1"), "tcp://", "discover://", 1), database, "discover"},
		{"tls", strings.Replace(store, "tcp://", "tls://", 1), database, "tls"},
	} {
		number := strconv.Itoa(i)
		t.Setenv("PROJECTOR_TEST_STORE_"+number, c.store)
		t.Setenv("PROJECTOR_TEST_DATABASE_"+number, c.database)
		for _, way := range []string{"inline", "variable", "file", "flags"} {
			slow := c.name == "discovery" // which waits between attempts
			if slow && way != "inline" {
				continue
			}
			t.Run(c.name+", "+way, func(t *testing.T) {
				t.Parallel()
				all, prints := "", c.prints
				if way != "inline" {
					prints = strings.Replace(prints, "Ivy", "jumps", 1) // nothing is imported
				}
				for _, command := range every() {
					if (slow || way != "inline") && !slices.Contains(brief, strings.Join(command, " ")) {
						continue
					}
					f, flags := secretFile(t, way, number, c.store, c.database)
					got := runSecret(t, f, append(command, flags...))
					all += got
					if form := leaks(got); form != "" {
						t.Errorf("projector %s prints %q:\n%s", strings.Join(command, " "), form, got)
					}
				}
				if !strings.Contains(all, prints) {
					t.Errorf("it is not as it should be, for %q is not printed:\n%.2000s", prints, all)
				}
			})
		}
	}
}

// TestNoSecretIsServed looks at the page, the metrics and the logs of a service whose handler panics with the whole
// configuration at hand, and at what is kept of the event.
func TestNoSecretIsServed(t *testing.T) {
	t.Parallel()
	node, err := esnode.Start(esnode.User("keeper", storeSecret, "$admins"))
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close() //nolint:errcheck // nothing of it is kept
	f, _ := secretFile(t, "inline", "", withPassword(t, node.URL(), "keeper", storeSecret), withPassword(t, pgtest.Database(t), "postgres", databaseSecret))
	panics := func(client *esclient.Client) *projector.Projection {
		return projector.New("panics", eventstore.Stream(client, "pony_stream"),
			projector.On("pony.jumped", func(context.Context, projector.Event[struct{}]) error { panic(fmt.Sprint(client)) }),
		).With(projector.WithRetry(projector.RetryPolicy{Attempts: 1, Delay: time.Millisecond, MaxDelay: time.Millisecond, Then: projector.ActionStop}))
	}
	all := runSecret(t, f, []string{"import", "events.jsonl"})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, code := newOutput(), make(chan int, 1)
	go func() { // ends with ctx
		code <- Run(ctx, []string{"run", "--log", "DEBUG", "--log-format", "json", "--config", f.dir + "/projector.yaml"}, strings.NewReader(""), out, out, panics)
	}()
	address := regexp.MustCompile(`http://[0-9.:]+/`)
	for !strings.Contains(out.String(), "panic") || !address.MatchString(out.String()) {
		select {
		case <-out.grown:
		case <-ctx.Done():
			t.Fatal("it does not panic, or has no page:\n", out.String())
		}
	}
	for _, path := range []string{"", "status", "status.json", "metrics", "livez", "readyz", "wait?projection=jumps&stream=pony_stream&number=0", "debug/pprof/"} {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.FindString(out.String())+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			t.Fatal(err)
		}
		all += string(body)
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	<-code
	all += out.String() + runSecret(t, f, []string{"status", "--json"}) + runSecret(t, f, []string{"status"})
	if form := leaks(all); form != "" {
		t.Errorf("%q is printed:\n%s", form, all)
	}
	if !strings.Contains(all, "panic") || !strings.Contains(all, "jumps") {
		t.Errorf("the panic is not there:\n%s", all)
	}
}
