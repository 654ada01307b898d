//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
)

type row = map[string]any

// show returns the rows of a read model.
func (p *place) show(name string) []row {
	p.t.Helper()
	var rows []row
	decode(p.t, p.run("show", name, "--format", "json"), &rows)
	return rows
}

// keyed turns rows into a map by their key, which the rows themselves then lack.
func keyed(t *testing.T, rows []row, key string) map[string]row {
	t.Helper()
	all := make(map[string]row, len(rows))
	for _, r := range rows {
		k := fmt.Sprint(r[key])
		if _, twice := all[k]; twice {
			t.Errorf("two rows have the key %s", k)
		}
		delete(r, key)
		all[k] = r
	}
	return all
}

type status struct {
	Name, State, Position, Owner string
	Handled, Ignored             int64
}

// status returns the state of all projections by name.
func (p *place) status() map[string]status {
	p.t.Helper()
	var list []status
	decode(p.t, p.run("status", "--json"), &list)
	all := make(map[string]status, len(list))
	for _, s := range list {
		all[s.Name] = s
	}
	return all
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
}
