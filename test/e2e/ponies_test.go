//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPonies(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "projector.yaml")

	first := p.run("run", "--once")
	wantIn(t, first, "ponies: 240 rows\n", "ponies: started from the beginning, 7,166 events handled, 1,908 ignored", "Applejack")
	before := keyed(t, p.show("ponies"), "name")
	if len(before) != 240 {
		t.Errorf("%d ponies, want 240", len(before))
	}

	second := p.run("run", "--once")
	wantIn(t, second, "ponies: resumed after 9073, nothing new, no event handled twice", "ponies: 240 rows\n")

	wantIn(t, p.run("append", "pony_stream", "pony.jumped", `{"name":"Applejack","height_m":9.5}`),
		"appended pony.jumped as event 9074 of pony_stream")
	third := p.run("run", "--once")
	wantIn(t, third, "ponies: resumed after 9073, 1 new event handled, now at 9074")
	after := keyed(t, p.show("ponies"), "name")["Applejack"]
	if after["best_m"] != 9.5 || after["jumps"] != before["Applejack"]["jumps"].(float64)+1 {
		t.Errorf("Applejack is %v, was %v", after, before["Applejack"])
	}
	wantIn(t, p.run("show", "ponies", "--format", "csv"), "name,", "\nApplejack,")
	wantIn(t, p.run("read", "pony_stream", "--backward", "--max", "1"), `9074@pony_stream  pony.jumped  {"name":"Applejack","height_m":9.5}`)
	if s := p.status()["ponies"]; s.Handled != 7167 || s.Ignored != 1908 || s.Position != "9074" || s.State != "stopped" || s.Owner != "" {
		t.Errorf("status: %+v", s)
	}

	wantIn(t, p.run("reset", "ponies", "--yes"), "starts from the beginning")
	if rows := p.show("ponies"); len(rows) != 0 {
		t.Errorf("%d rows after reset", len(rows))
	}
	wantIn(t, p.run("run", "--once"), "ponies: started from the beginning, 7,167 events handled", "ponies: 240 rows\n")
}

func TestLive(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "projector.yaml")
	service := p.start("run")
	page := between(service.until("Ctrl-C ends"), "page:        ", "\n")

	code, body := get(t, page)
	if code != 200 || !strings.Contains(body, ">live<") || !strings.Contains(body, "ponies") {
		t.Errorf("page: %d %s", code, body)
	}
	if code, body := get(t, page+"readyz"); code != 200 {
		t.Errorf("readyz: %d %s", code, body)
	}
	if code, _ := get(t, page+"livez"); code != 200 {
		t.Errorf("livez: %d", code)
	}
	_, metrics := get(t, page+"metrics")
	wantIn(t, metrics, `projector_events_total{projection="ponies",result="handled"} 7166`, `projector_state{projection="ponies",state="live"} 1`)

	p.run("append", "pony_stream", "pony.jumped", `{"name":"Applejack","height_m":9.5}`)
	eventually(t, "the jump is in the table", func() bool {
		return keyed(t, p.show("ponies"), "name")["Applejack"]["best_m"] == 9.5
	})
	if s := p.status()["ponies"]; s.State != "live" || s.Owner == "" {
		t.Errorf("status: %+v", s)
	}
	if o := p.start("reset", "ponies", "--yes").wait(); o.code != 1 || !strings.Contains(o.stderr, "held by another owner") {
		t.Errorf("reset while it runs: %d %s", o.code, o.stderr)
	}

	if err := service.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	o := service.wait()
	if o.code != 0 || !strings.Contains(o.stdout, "7,167 events handled") {
		t.Errorf("after Ctrl-C: code %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	if s := p.status()["ponies"]; s.State != "stopped" || s.Owner != "" {
		t.Errorf("status after Ctrl-C: %+v", s)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "projector.yaml")
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"run", "--onec"}, 2, "unknown flag: --onec"},
		{[]string{"rum"}, 2, "unknown command"},
		{[]string{"show"}, 2, "NAME is missing"},
		{[]string{"show", "horses"}, 2, `there is no read model "horses"; there are ponies`},
		{[]string{"run", "--config", "no.yaml"}, 2, "there is no file no.yaml"},
		{[]string{"append", "s", "t", "{"}, 2, "DATA is not JSON"},
		{[]string{"import", "no.jsonl"}, 1, "no.jsonl"},
		{[]string{"run", "--once", "--database", "mysql://x"}, 2, "want sqlite://"},
		{[]string{"run", "--once", "--database", "postgres://u:secret@127.0.0.1:1/x?connect_timeout=1"}, 1, "127.0.0.1:1"},
		{[]string{"read", "--eventstore", "tcp://u:secret@127.0.0.1:1", "s"}, 1, "event store tcp://127.0.0.1:1: "},
	} {
		o := p.start(tt.args...).wait()
		if o.code != tt.code || !strings.Contains(o.stderr, tt.want) || strings.Contains(o.stderr+o.stdout, "secret") {
			t.Errorf("projector %v: code %d, want %d and %q\n%s%s", tt.args, o.code, tt.code, tt.want, o.stdout, o.stderr)
		}
	}
	write(t, filepath.Join(p.dir, "bad.yaml"), "projections:\n  a:\n    sauce: {}\n")
	o := p.start("run", "--config", "bad.yaml").wait()
	if o.code != 2 || !strings.Contains(o.stderr, "bad.yaml:3:5") || !strings.Contains(o.stderr, "source") {
		t.Errorf("bad.yaml: code %d\n%s", o.code, o.stderr)
	}
}
