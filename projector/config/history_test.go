package config

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// TestGitHistory folds a real history with the example's file, and compares every row with what was computed
// independently. The data is not part of the repository: PROJECTOR_GIT_HISTORY is the directory that has it.
func TestGitHistory(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("PROJECTOR_GIT_HISTORY")
	if dir == "" {
		t.Skip("PROJECTOR_GIT_HISTORY is not set to the directory with git-history.jsonl.gz and git-history.expected.json")
	}
	cfg, err := Load("../../examples/git-history/projector.yaml")
	if err != nil {
		t.Fatal(err)
	}
	events := readHistory(t, filepath.Join(dir, "git-history.jsonl.gz"))
	data, err := os.ReadFile(filepath.Join(dir, "git-history.expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	onEachStore(t, func(t *testing.T, store checkpoint.Store) {
		for _, p := range cfg.Projections {
			got := foldAll(t, store, p, events, 500)
			var want map[string]map[string]any
			if err := json.Unmarshal(all[p.Name], &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", p.Name, diff)
			}
		}
	})
}

// foldAll runs a projection over events and returns its rows, by key, as JSON has them.
func foldAll(t *testing.T, store checkpoint.Store, p *Projection, events []source.Event, batch int) map[string]map[string]any {
	t.Helper()
	lease := acquire(t, store, p)
	fold := p.model.NewFold(p.Name, lease)
	for len(events) > 0 {
		n := min(batch, len(events))
		if err := fold.Fold(t.Context(), events[:n]); err != nil {
			t.Fatal(err)
		}
		events = events[n:]
		change := checkpoint.Change{From: lease.Position(), To: lease.Position(), Writes: fold.Writes()}
		if err := lease.Commit(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		fold.Committed()
	}
	return rowsOf(t, store, p)
}

// rowsOf returns the rows of the projection's first table, by key, as JSON has them.
func rowsOf(t *testing.T, store checkpoint.Store, p *Projection) map[string]map[string]any {
	t.Helper()
	return rowsOfTable(t, store, p.Tables()[0])
}

// rowsOfTable returns the rows of a table, by key, as JSON has them.
func rowsOfTable(t *testing.T, store checkpoint.Store, def *checkpoint.Table) map[string]map[string]any {
	t.Helper()
	rows := map[string]map[string]any{}
	err := store.Rows(t.Context(), def, 0, func(row []any) bool {
		m := map[string]any{}
		for i, c := range def.Columns {
			if n, ok := row[i].(int64); ok {
				m[c.Name] = float64(n)
			} else {
				m[c.Name] = row[i]
			}
		}
		var key []string
		for _, k := range def.Key {
			key = append(key, fmt.Sprint(m[k]))
			delete(m, k)
		}
		rows[strings.Join(key, " ")] = m
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func acquire(t *testing.T, store checkpoint.Store, p *Projection) checkpoint.Lease {
	t.Helper()
	if err := store.EnsureTables(t.Context(), p.Tables()...); err != nil {
		t.Fatal(err)
	}
	lease, err := store.Acquire(t.Context(), checkpoint.Claim{Name: p.Name, Owner: "test", TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

func readHistory(t *testing.T, path string) []source.Event {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return scanEvents(t, z)
}

func scanEvents(t *testing.T, r io.Reader) []source.Event {
	t.Helper()
	var events []source.Event
	for s := bufio.NewScanner(r); s.Scan(); {
		var line struct {
			Stream, Type   string
			Data, Metadata json.RawMessage
		}
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		events = append(events, source.Event{Stream: line.Stream, Type: line.Type, Data: line.Data, Metadata: line.Metadata, JSON: true, Number: int64(len(events))})
	}
	return events
}
