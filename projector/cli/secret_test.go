package cli

import (
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
	"github.com/photonpump/projector/esclient/esnode"
)

// No password is printed or logged, whatever goes wrong and however much is logged.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-w0rd"
	node, err := esnode.Start(esnode.User("ada", secret))
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	database, err := url.Parse(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	database.User = url.UserPassword("postgres", secret) // which this server does not ask for
	live := "tcp://ada:" + secret + "@" + node.Addr().String()
	places := [][]string{
		{"--eventstore", live, "--database", database.String()},
		{"--eventstore", "tcp://nobody:" + secret + "@" + node.Addr().String()},
		{"--eventstore", "tcp://ada:" + secret + "@" + closed, "--database", database.String()},
		{"--eventstore", "discover://ada:" + secret + "@" + closed},
		{"--eventstore", "tcp://ada:" + secret + "@%zz:1113"},
		{"--eventstore", "tcp://ada:" + secret + "@host:port"},
		{"--eventstore", live + "?nothing=1"},
		{"--eventstore", live, "--database", "postgres://ada:" + secret + "@" + closed + "/db"},
		{"--eventstore", live, "--database", "postgres://ada:" + secret + "@%zz/db"},
		{"--eventstore", live, "--database", "postgres://ada:" + secret + "@host:port/db"},
		{"--eventstore", live, "--database", "postgres://ada@" + closed + "/db?password=" + secret},
		{"--eventstore", live, "--database", "mysql://ada:" + secret + "@host/db"},
	}
	commands := [][]string{
		{"run", "--once"},
		{"status", "--json"},
		{"plan", "--json", "--sample", "0"},
		{"status"},
		{"plan", "--sample", "0"},
		{"lint"},
		{"lint", "--json"},
		{"show", "jumps"},
		{"parked", "list", "jumps"},
		{"schema", "--sql"},
		{"read", "nothing"},
		{"append", "s", "t", "1"},
		{"reset", "jumps", "--yes"},
		{"dry-run"},
	}
	f := newFolder(t)
	f.edit(`database: {url: "sqlite://`, `database: {url: "postgres://ada:`+secret+`@`+closed+`/db"} # `) // lint warns of it
	for i, place := range places {
		if i == 1 {
			commands = commands[:3]
		}
		for _, command := range commands {
			args := append(f.args(command...), place...)
			args[len(command)+3] = "DEBUG"
			_, stdout, stderr := runCLI(t, "", args...)
			for _, text := range []string{secret, url.QueryEscape(secret)} {
				if out := stdout + stderr; strings.Contains(out, text) {
					t.Errorf("projector %s: the password is in\n%s", strings.Join(args, " "), out)
				}
			}
		}
	}
}
