package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

func TestWithout(t *testing.T) {
	t.Parallel()
	paths := [][]string{{"email"}, {"address", "street"}, {"lines", "note"}}
	for in, want := range map[string]string{
		`{"email":"a@b","n":12345678901234567890}`:              `{"n":12345678901234567890}`,
		`{"address":{"street":"x","city":"y"}}`:                 `{"address":{"city":"y"}}`,
		`{"lines":[{"note":"x","n":1},{"n":2},7],"address":""}`: `{"address":"","lines":[{"n":1},{"n":2},7]}`,
		`[{"email":"a@b"}]`:                                     `[{}]`,
		`{ "n": 1 }`:                                            `{ "n": 1 }`, // as it was
		`{"email":"a@b"`:                                        ``,
		`{"email":"a@b"} {"email":"a@b"}`:                       ``,
		"\x08\x01":                                              ``,
		``:                                                      ``,
	} {
		if got := string(without([]byte(in), paths, new([]string))); got != want {
			t.Errorf("of %s is left %s, want %s", in, got, want)
		}
	}
	if got := without([]byte(`{"a":1}`), [][]string{nil}, new([]string)); got != nil {
		t.Errorf("a redacted body is %s", got)
	}
}

// TestParkedWords runs a projection that parks, keeps two events only, and of these not everything.
func TestParkedWords(t *testing.T) {
	t.Parallel()
	cfg, err := Parse("f.yml", []byte(`
projections:
  p:
    source: {all: {}}
    key: event.stream
    table: {columns: {k: text, n: int}, primary_key: k}
    on: {x: {increment: {n: body.n}}}
    retry: {attempts: 1}
    parked_retention: {count: 2, age: 1000h}
    redact: [body.email, body.secret, metadata.ip]
`), environment)
	if err != nil {
		t.Fatal(err)
	}
	log, store := sourcetest.New(), memory.Open()
	for i := range 5 {
		e := sourcetest.JSON("x", `{"n":"many","email":"ada@example.org","secret":"many"}`)
		e.Metadata = []byte(`{"ip":"10.0.0.1","by":"test"}`)
		log.Append(fmt.Sprint("s-", i), e)
	}
	for range 2 { // the retention holds from the next start on at the latest
		r, err := projector.NewRunner(store, []*projector.Projection{cfg.Projections[0].Build(log.All(nil))}, projector.Once())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		log.Append("other", sourcetest.JSON("y", "{}"))
	}
	rows, err := store.Parked(t.Context(), "p", nil, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || rows[0].Stream != "s-3" {
		t.Errorf("parked %+v", rows)
	}
	for _, row := range rows {
		if string(row.Data) != `{"n":"many"}` || string(row.Metadata) != `{"by":"test"}` || !strings.Contains(row.Error, `cannot hold "[redacted]"`) {
			t.Errorf("parked %s %s %s", row.Data, row.Metadata, row.Error)
		}
	}
	if st, err := store.List(t.Context()); err != nil || st[0].Skipped != 3 || st[0].Parked != 2 {
		t.Errorf("stored %+v, %v", st, err)
	}
}
