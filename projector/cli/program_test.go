package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/eventstore"
)

// program is a binary of a user's own, whose projection "names" parks the events of one pony while it is told to.
type program struct {
	*folder
	failing atomic.Bool
	mu      sync.Mutex
	names   []string
}

func (p *program) define(client *esclient.Client) *projector.Projection {
	type jump struct{ Name string }
	return projector.New("names", eventstore.Stream(client, "pony_stream"),
		projector.On("pony.jumped", func(_ context.Context, e projector.Event[jump]) error {
			if p.failing.Load() && e.Body.Name == "Ivy" {
				return errors.New("no Ivy today")
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			p.names = append(p.names, e.Body.Name)
			return nil
		}),
	).With(projector.OrderBy(func(e *source.Event) (string, error) {
		var body jump
		err := json.Unmarshal(e.Data, &body)
		return body.Name, err
	}), projector.WithRetry(projector.RetryPolicy{Attempts: 1, Delay: 1, MaxDelay: 1, Then: projector.ActionPark}))
}

func (p *program) command(want int, args ...string) (stdout, stderr string) {
	p.t.Helper()
	var out, err bytes.Buffer
	code := Run(p.t.Context(), p.args(args...), strings.NewReader(""), &out, &err, p.define)
	if code != want {
		p.t.Fatalf("%v: code %d, want %d\n%s%s", args, code, want, out.String(), err.String())
	}
	return out.String(), err.String()
}

// A program has all commands for its own projections; the stock binary looks at them, and does not touch them.
func TestProgram(t *testing.T) {
	t.Parallel()
	p := &program{folder: newFolder(t)}
	if got, _ := p.command(ExitOK, "lint"); !strings.Contains(got, "  names reads stream pony_stream\n    an event that fails: park at once\n") {
		t.Error(got)
	}
	p.failing.Store(true)
	if got, _ := p.command(ExitOK, "run", "--once"); !strings.Contains(got, "names: started from the beginning, 1 event handled, 1 ignored (no rule for their types), 2 parked (projector parked list names)") {
		t.Error(got)
	}
	status, _ := p.command(ExitOK, "status", "--json")
	var lines []statusLine
	if err := json.Unmarshal([]byte(status), &lines); err != nil || len(lines) != 2 || lines[1].Name != "names" || lines[1].Parked != 2 || lines[1].LagEvents != 0 {
		t.Fatalf("%v: %s", err, status)
	}

	// Without the handlers.
	if got := p.run("parked", "list", "names"); strings.Count(got, "handler error: no Ivy today") != 1 || strings.Count(got, "waits behind") != 1 {
		t.Error(got)
	}
	for _, command := range []string{"retry", "drop"} {
		if got := p.fail(ExitError, "parked", command, "names"); !strings.Contains(got, "projection names is not defined here, and nobody runs it: use the program that defines it") {
			t.Error(got)
		}
	}
	if got := p.fail(ExitUsage, "parked", "list", "nmes"); !strings.Contains(got, `there is no projection "nmes"`) {
		t.Error(got)
	}
	if got := p.run("status", "--json"); !strings.Contains(got, "not defined here") {
		t.Error(got)
	}

	// With them, while nobody runs.
	if got, _ := p.command(ExitOK, "parked", "retry", "names"); !strings.HasPrefix(got, "0 handled, 2 still parked: ") {
		t.Error(got)
	}
	p.failing.Store(false)
	if got, _ := p.command(ExitOK, "parked", "retry", "names"); got != "2 handled, 0 still parked\n" {
		t.Error(got)
	}
	if got := fmt.Sprint(p.names); got != "[Rowan Ivy Ivy]" {
		t.Error(got)
	}
	if got, _ := p.command(ExitOK, "reset", "names", "--yes"); !strings.Contains(got, "starts from the beginning") {
		t.Error(got)
	}
}

// While the program runs, the stock binary asks it.
func TestProgramIsAsked(t *testing.T) {
	t.Parallel()
	p := &program{folder: newFolder(t)}
	p.failing.Store(true)
	p.command(ExitOK, "run", "--once")
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out watched
	ended := make(chan int, 1)
	go func() { ended <- Run(ctx, p.args("run"), strings.NewReader(""), &out, &out, p.define) }() // ends with ctx
	out.until(t, "Ctrl-C ends")
	p.failing.Store(false)
	if got := p.run("parked", "retry", "names"); got != "2 handled, 0 still parked\n" {
		t.Error(got)
	}
	interrupt()
	if code := <-ended; code != ExitOK {
		t.Errorf("code %d: %s", code, out.String())
	}
}
