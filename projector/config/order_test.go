package config

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

const linesFile = `
projections:
  lines:
    source: {all: {}}
    table: {columns: {sku: text, n: int}, primary_key: sku}
    on:
      placed: {each: body.lines, key: item.sku, increment: {n: item.n}}
      x.*: {key: body.sku, set: {n: 0}}
    retry: {attempts: 1}
`

// TestOrder runs a projection whose events change several rows, and cannot handle one of them.
func TestOrder(t *testing.T) {
	t.Parallel()
	type stored struct{ handled, parked int64 }
	tests := []struct {
		name, words string
		bad         string // body of the second event of four
		want        stored
		keys        string
		err         error
		reason      string
	}{
		{"by default everything waits", "", `{"id":1,"lines":[{"sku":"a","n":"many"}]}`, stored{1, 1}, projector.WholeProjection, projector.ErrWaitsBehindParked, "waits behind"},
		{"park: projection", "park: projection", `{"id":1,"lines":[{"sku":"a","n":"many"}]}`, stored{1, 1}, projector.WholeProjection, projector.ErrWaitsBehindParked, "waits behind"},
		{"order_by", "order_by: body.id", `{"id":1,"lines":[{"sku":"a","n":"many"}]}`, stored{2, 2}, "1 1", nil, ""},
		{"order_by text", "order_by: string(body.id)", `{"id":1,"lines":[{"sku":"a","n":"many"}]}`, stored{2, 2}, "1 1", nil, ""},
		{"order_by a pattern", "order_by: event.stream", `{"id":1,"lines":[{"sku":"a","n":"many"}]}`, stored{2, 2}, "s-1 s-1", nil, ""},
		{"not JSON, order_by the body", "order_by: body.id", `{`, stored{1, 0}, "", nil, "nor is its ordering key known"},
		{"nothing to order by", "order_by: body.id", `{"lines":[{"sku":"a","n":"many"}]}`, stored{1, 0}, "", nil, "order_by: body.id is nothing"},
		{"not JSON, order_by the stream", "order_by: event.stream", `{`, stored{2, 2}, "s-1 s-1", nil, ""},
		{"not JSON, park: projection", "park: projection", `{`, stored{1, 1}, projector.WholeProjection, projector.ErrWaitsBehindParked, "decode error"},
		{"not JSON, decode_errors: skip", "decode_errors: skip", `{`, stored{3, 0}, "", nil, ""},
		{"not JSON, decode_errors: stop", "{decode_errors: stop, order_by: event.stream}", `{`, stored{1, 0}, "", nil, "not valid JSON"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			file := linesFile
			for word := range strings.SplitSeq(strings.Trim(tc.words, "{}"), ", ") {
				if word != "" {
					file += "    " + word + "\n"
				}
			}
			cfg, err := Parse("f.yml", []byte(file), environment)
			if err != nil {
				t.Fatal(err)
			}
			log, store := sourcetest.New(), memory.Open()
			log.Append("s-0", sourcetest.JSON("placed", `{"id":0,"lines":[{"sku":"a","n":1},{"sku":"b","n":1}]}`))
			log.Append("s-1", sourcetest.JSON("placed", tc.bad))
			log.Append("s-1", sourcetest.JSON("x.y", `{"id":1,"sku":"c"}`))
			log.Append("s-2", sourcetest.JSON("x.y", `{"id":2,"sku":"d"}`))
			r, err := projector.NewRunner(store, []*projector.Projection{cfg.Projections[0].Build(log.All(nil))}, projector.Once())
			if err != nil {
				t.Fatal(err)
			}
			err = r.Run(t.Context())
			if (err == nil) != (tc.reason == "") || tc.err != nil && !errors.Is(err, tc.err) || err != nil && !strings.Contains(err.Error(), tc.reason) {
				t.Errorf("stopped for %v, want %q", err, tc.reason)
			}
			all, err := store.List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := (stored{all[0].Handled, all[0].Parked}); got != tc.want {
				t.Errorf("stored %+v, want %+v", got, tc.want)
			}
			rows, err := store.Parked(t.Context(), "lines", nil, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			if got := keysOf(rows); got != tc.keys {
				t.Errorf("parked keys are %q, want %q", got, tc.keys)
			}
		})
	}
}

func keysOf(rows []checkpoint.Parked) string {
	var keys []string
	for i := range rows {
		keys = append(keys, rows[i].Key)
	}
	return strings.Join(keys, " ")
}

// What lint says of a projection, and how it is run, must agree.
func TestLintAgreesWithTheModel(t *testing.T) {
	t.Parallel()
	var files []string
	for _, pattern := range []string{"testdata/*.good.yml", "testdata/cases/*.yml", "../../examples/*/*.yaml", "../../projector.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		files = append(files, found...)
	}
	said := regexp.MustCompile(`(?m)^    (order_by|park|retry): .*$`)
	crossing := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := Parse(file, said.ReplaceAll(data, nil), environment)
		if err != nil {
			t.Fatal(err)
		}
		warnings := cfg.Warnings.Error()
		for _, p := range cfg.Projections {
			warned := false
			for line := range strings.Lines(warnings) {
				warned = warned || strings.Contains(line, " projections."+p.Name+".") && strings.Contains(line, "cannot wait for one row")
			}
			if warned != (p.model.Crossing() != "" || len(p.sql.rules) > 0) {
				t.Errorf("%s: projection %s: lint warns: %v, the model says %q", file, p.Name, warned, p.model.Crossing())
			}
			if warned {
				crossing++
			}
		}
	}
	if crossing < 5 {
		t.Errorf("only %d projections have rows that cross keys", crossing)
	}
}
