package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWarnings(t *testing.T) {
	t.Parallel()
	cfg, err := Parse("f.yml", []byte(`
eventstore: {url: "tcp://admin:changeit@127.0.0.1:1113"}
database: {url: "postgres://me:${PGPASSWORD}@h/db"}
projections:
  a:
    source: {all: {streams: s-*, types: [x.*, z]}}
    key: body.k
    table: {columns: {k: text, n: int, unused: text, given: {type: text, default: x}}, primary_key: k}
    on:
      x.*: {increment: {n: 1}}
      y: {increment: {n: 1}}
      z: {increment: {n: 1}}
  b:
    source: {stream: s}
    table: {name: rows, columns: {k: text, n: int}, primary_key: k}
    on: {x: {each: body.lines, key: item, increment: {n: 1}}}
  c:
    source: {stream: s}
    tables:
      c1: {columns: {k: text, n: int}, primary_key: k, key: body.a, on: {x: {set: {n: 1}}}}
      c2: {columns: {k: text, n: int}, primary_key: k, key: body.a, on: {x: {set: {n: 1}}, y: {set: {n: 1}}}}
      c3: {columns: {k: text, n: int}, primary_key: k, key: body.b, on: {y: {set: {n: 1}}}}
  d:
    source: {stream: s}
    table: {name: others, columns: {k: text, n: int}, primary_key: k}
    on: {x: {each: body.lines, key: item, increment: {n: 1}}}
    retry: {then: stop, attempts: 4, delay: 1s}
  e:
    source: {streams: [s, t]}
    table: {name: sums, columns: {k: text, n: int}, primary_key: k}
    key: body.k
    on: {x: {increment: {n: 1}}, y: {set: {n: 1}}}
  f:
    source: {streams: [s, t]}
    table: {name: lasts, columns: {k: text, n: int}, primary_key: k}
    key: event.stream
    on: {x: {set: {n: 1}}}
`), environment)
	if err != nil {
		t.Fatal(err)
	}
	wait := "so it cannot wait for one row: once one is parked, everything waits behind it; " +
		"say so with park: projection, or say with order_by what events wait for"
	want := []string{
		"f.yml:2:19: eventstore.url: the password stands in the file; write ${VAR} for it, and set the environment variable VAR",
		"f.yml:8:40: projections.a.table.columns.unused: no event changes this column",
		"f.yml:11:7: projections.a.on.y: never happens: the source reads only the types x.*, z",
		"f.yml:16:10: projections.b.on.x: an event changes a row for each element of a list, " + wait,
		"f.yml:22:74: projections.c.tables.c3.on.y: an event changes rows with different keys, " + wait,
		"f.yml:32:34: projections.e.on.y: a row may take events from several streams, and there is no order between them: " +
			"if it matters here, read them with source: {all: {streams: [s, t]}}, in the order of the log",
	}
	if diff := cmp.Diff(strings.Join(want, "\n"), cfg.Warnings.Error()); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{
		"a": "attempt 2 after 200ms, 3 after 300ms, 4 after 450ms, 5 after 675ms, then park",
		"d": "attempt 2 after 1s, 3 after 1.5s, 4 after 2.25s, then stop",
	} {
		if got := cfg.Projection(name).Retries(); got != want {
			t.Errorf("%s: %s, not %s", name, got, want)
		}
	}
}
