package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/photonpump/projector/checkpoint"
)

// Config is what a file says. It is not changed by this package once loaded.
type Config struct {
	Path        string // of the file
	EventStore  EventStore
	Database    Database
	Admin       Admin
	Run         Run
	Projections []*Projection // in the order of the file
	Views       []*View       // in the order of the file
	Tests       []*Test       // in the order of the file
	Warnings    Mistakes      // what may be meant, but most often is not
}

// EventStore says where the events are.
type EventStore struct {
	URL      Secret // "embedded", or tcp://user:password@host:port, tls://…, discover://…
	Embedded Embedded
}

// IsEmbedded reports whether the event store runs in this process.
func (e *EventStore) IsEmbedded() bool { return e.URL.Reveal() == EmbeddedURL }

// EmbeddedURL stands for the event store in the same process.
const EmbeddedURL = "embedded"

// Embedded configures the event store in the same process.
type Embedded struct {
	Dir   string // of its log
	TCP   string // address to listen on
	HTTP  string // address to listen on; empty = none
	Fsync string // FsyncAlways or FsyncNever
	Seed  string // file of events to begin with; empty = none
}

// Values of Embedded.Fsync.
const (
	FsyncAlways = "always"
	FsyncNever  = "never"
)

// Database says where positions and tables are.
type Database struct {
	URL    Secret // sqlite://path or postgres://…
	Schema string // of Postgres; empty = that of the connection
}

// Admin configures the HTTP endpoint for people and monitoring.
type Admin struct {
	Listen string // address; empty = none
}

// Default returns what holds for everything that a file does not say.
func Default() *Config {
	return &Config{
		EventStore: EventStore{
			URL:      NewSecret(EmbeddedURL),
			Embedded: Embedded{Dir: "data/eventstore", TCP: "127.0.0.1:11113", HTTP: "127.0.0.1:12113", Fsync: FsyncAlways},
		},
		Database: Database{URL: NewSecret("sqlite://data/projector.db")},
		Admin:    Admin{Listen: "127.0.0.1:9090"},
	}
}

// Projection returns the projection of that name, nil if there is none.
func (c *Config) Projection(name string) *Projection {
	for _, p := range c.Projections {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Table returns the table of that name and the projection that writes it, nil if there is none.
func (c *Config) Table(name string) (*Projection, *checkpoint.Table) {
	for _, p := range c.Projections {
		for _, t := range p.Tables() {
			if t.Name == name {
				return p, t
			}
		}
	}
	return nil, nil
}

// Load reads and checks a file. ${VAR} is taken from the environment. What is wrong in the file is a [Mistakes].
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data, os.LookupEnv)
}

// Parse reads and checks the content of a file. lookup finds the variables for ${VAR}.
func Parse(path string, data []byte, lookup func(name string) (value string, ok bool)) (*Config, error) {
	w := &walker{file: path, lookup: lookup, lines: strings.Split(string(data), "\n")}
	raw := &document{Config: Default()}
	raw.Path = path
	if n := w.parse(data); n != nil {
		spec().read(w, n, "", raw)
		w.compile(raw)
		if len(w.mistakes) == 0 {
			raw.compileUpcasters(w)
			raw.Views = w.compileViews(raw)
			raw.Tests = w.compileTests(raw)
		}
	}
	if len(w.mistakes) > 0 {
		w.mistakes.sort()
		return nil, w.mistakes
	}
	w.warnings.sort()
	raw.Warnings = w.warnings
	return raw.Config, nil
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)

// expected is what the parser of the YAML package says, unlike its scanner.
var expected = regexp.MustCompile(`^did not find expected (?:key|'-' indicator|',' or '[]}]'|node content|<document start>)`)

// parse returns the root of the document, nil if there is none.
func (w *walker) parse(data []byte) *yaml.Node {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	err := d.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		if err = d.Decode(&more); err == nil {
			w.fail(&more, "", "a second document: want only one in a file")
			return nil
		}
		if errors.Is(err, io.EOF) {
			return doc.Content[0]
		}
	}
	m := yamlLine.FindStringSubmatch(err.Error())
	line, _ := strconv.Atoi(m[1])
	problem := strings.TrimPrefix(err.Error(), m[0])
	if expected.MatchString(problem) {
		line++ // these count lines from 0
		if strings.Contains(problem, "',' or") {
			problem += "; inside {…} or […], an expression with ?, comma or colon needs quotes"
		}
	}
	w.failAt(max(line, 1), 1, "", "not valid YAML: %s", problem)
	return nil
}

// document is a file while it is read.
type document struct {
	*Config
	projections []named[rawProjection]
	events      declaredEvents
	upcasts     []rawUpcast
	views       []named[rawView]
	tests       []rawTest
}

func spec() *object[document] {
	return &object[document]{
		doc:        "A projector.yaml.",
		extensions: true,
		fields: []field[document]{
			of("eventstore", eventStoreSpec(), func(d *document) *EventStore { return &d.EventStore },
				"Where the events are."),
			of("database", databaseSpec(), func(d *document) *Database { return &d.Database },
				"Where positions and tables are kept."),
			of("admin", adminSpec(), func(d *document) *Admin { return &d.Admin },
				"A page, metrics and health over HTTP."),
			of("run", runSpec(), func(d *document) *Run { return &d.Run },
				"How all projections are run."),
			of("events", mappingOf[rawEvent]{item: eventSpec(), what: "event types"},
				func(d *document) *[]named[rawEvent] { return (*[]named[rawEvent])(&d.events) },
				"What events hold, by type, so that expressions are checked when the file is loaded."),
			of("upcasters", listOf[rawUpcast]{upcastSpec(), "one upcaster"}, func(d *document) *[]rawUpcast { return &d.upcasts },
				"How old versions of events become those that the projections know."),
			of("projections", mappingOf[rawProjection]{item: projectionSpec(), what: "names of projections"},
				func(d *document) *[]named[rawProjection] { return &d.projections },
				"What is kept up to date from which events, by name."),
			of("views", mappingOf[rawView]{item: viewKind{}, what: "names of views"}, func(d *document) *[]named[rawView] { return &d.views },
				"Queries that are kept in the database beside the tables, by name: a SELECT in its SQL, or one for each kind of database. "+
					"A view may use tables and the views before it."),
			of("tests", listOf[rawTest]{testSpec(), "one test"}, func(d *document) *[]rawTest { return &d.tests },
				"Events, and the rows that must come of them."),
		},
	}
}

func eventStoreSpec() *object[EventStore] {
	return &object[EventStore]{fields: []field[EventStore]{
		of("url", secretText{check: checkEventStoreURL}, func(e *EventStore) *Secret { return &e.URL },
			"`embedded` for one in the same process, else `tcp://user:password@host:1113`, `tls://…`, or `discover://…` for a cluster.").
			byDefault("embedded"),
		of("embedded", embeddedSpec(), func(e *EventStore) *Embedded { return &e.Embedded },
			"The event store in the same process, used with `url: embedded`."),
	}}
}

func embeddedSpec() *object[Embedded] {
	address := text{what: "an address such as 127.0.0.1:11113", check: checkAddress}
	return &object[Embedded]{fields: []field[Embedded]{
		of("dir", text{what: "a directory"}, func(e *Embedded) *string { return &e.Dir },
			"Directory of its log. A relative path is relative to where the program is started.").byDefault("data/eventstore"),
		of("tcp", address, func(e *Embedded) *string { return &e.TCP },
			"Address it listens on for clients.").byDefault("127.0.0.1:11113"),
		of("http", address, func(e *Embedded) *string { return &e.HTTP },
			"Address it listens on for HTTP.").byDefault("127.0.0.1:12113"),
		of("fsync", choice{[]string{FsyncAlways, FsyncNever}}, func(e *Embedded) *string { return &e.Fsync },
			"`always`: an event is on disk before it is acknowledged. `never`: it survives the end of the process, but not a power cut.").
			byDefault(FsyncAlways),
		of("seed", text{what: "a file of JSON lines"}, func(e *Embedded) *string { return &e.Seed },
			"A file of events, one JSON object a line, that is imported first. What is there already is not imported again."),
	}}
}

func databaseSpec() *object[Database] {
	return &object[Database]{fields: []field[Database]{
		of("url", secretText{check: checkDatabaseURL}, func(d *Database) *Secret { return &d.URL },
			"`sqlite://path/to/file.db` or `postgres://user:password@host:5432/database`.").byDefault("sqlite://data/projector.db"),
		of("schema", name{"the name of a schema"}, func(d *Database) *string { return &d.Schema },
			"Schema for the tables, in Postgres. It is made if it does not exist."),
	}}
}

func adminSpec() *object[Admin] {
	return &object[Admin]{fields: []field[Admin]{
		of("listen", text{what: "an address such as 127.0.0.1:9090, or off", check: checkListen}, func(a *Admin) *string { return &a.Listen },
			"Address to listen on, or `off`.").byDefault("127.0.0.1:9090"),
	}, check: func(_ *walker, _ *yaml.Node, _ string, a *Admin) {
		if a.Listen == "off" {
			a.Listen = ""
		}
	}}
}

func checkListen(s string) string {
	if s == "off" {
		return ""
	}
	return checkAddress(s)
}

func checkAddress(s string) string {
	_, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Sprintf("want an address such as 127.0.0.1:9090, got %q", s)
	}
	return ""
}

func checkEventStoreURL(s string) string {
	if s == EmbeddedURL {
		return ""
	}
	return checkScheme(s, []string{"tcp", "tls", "discover"}, "want embedded, tcp://host:1113, tls://host:1113 or discover://host:2113")
}

func checkDatabaseURL(s string) string {
	return checkScheme(s, []string{"sqlite", "postgres", "postgresql"}, "want sqlite://path/to/file.db or postgres://user:password@host:5432/database")
}

// checkScheme never repeats the URL, which may hold a password.
func checkScheme(s string, schemes []string, want string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	switch {
	case !ok:
		return "not a URL: " + want
	case rest == "":
		return "nothing follows " + scheme + "://: " + want
	}
	for _, known := range schemes {
		if scheme == known {
			return ""
		}
	}
	if near := Nearest(scheme, schemes); near != "" {
		return fmt.Sprintf("unknown scheme %q; did you mean %q?", scheme, near)
	}
	return fmt.Sprintf("unknown scheme %q: %s", scheme, want)
}

// secretText is text that may hold a password.
type secretText struct{ check func(s string) string }

func (k secretText) describe() *Description { return &Description{Type: KindText} }

func (k secretText) read(w *walker, n *yaml.Node, path string, v *Secret) {
	if n.Kind != yaml.ScalarNode {
		w.fail(n, path, "want a URL, got %s", nameOf(n))
		return
	}
	var s string
	text{what: "a URL", check: k.check}.read(w, n, path, &s)
	w.lintURL(n, path)
	*v = NewSecret(s)
}
