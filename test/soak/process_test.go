package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

const envJob = "PROJECTOR_SOAK_JOB"

// job is what a process of its own does. It goes there as JSON.
type job struct {
	Database database
	Events   int           // in its log
	Gate     int           // those that follow on the first so many come when the parent says so; 0 = all are there
	Pause    time.Duration // before each page, so that there is time for faults
	TTL      time.Duration // of the lease
	Once     bool          // ends when all is done; otherwise with an interrupt
	Fault    string        // what befalls it, see fault_test.go
	At       int           // at which event
	Shards   int           // of the projection; 0 = it is not divided
}

// shutdownBound is how long a process may take to end.
const shutdownBound = 2 * time.Second

// main is the process.
func (j *job) main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := j.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (j *job) run(ctx context.Context) error {
	store, err := j.Database.open(ctx)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // the process ends
	log := newLog(j.Events)
	if j.Gate > 0 {
		log = newLog(j.Gate)
		go func() { // ends with the process
			if _, err := os.Stdin.Read(make([]byte, 1)); err == nil {
				appendTo(log, j.Gate, j.Events)
			}
		}()
	}
	if j.Fault == outOfMemory {
		go exhaust() // ends with the process
	}
	log.Intercept(func(sourcetest.Op) error { time.Sleep(j.Pause); return nil })
	src := log.All(nil)
	src.PageSize = 100
	opts := []projector.Option{
		projector.WithLeaseTTL(j.TTL), projector.WithBatchSize(250), projector.WithBatchTime(5 * time.Millisecond),
		projector.WithRetryDelays(10*time.Millisecond, 100*time.Millisecond), projector.WithShutdownBound(shutdownBound),
		projector.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))),
	}
	if j.Fault == stuck {
		opts = append(opts, projector.WithHandlerTimeout(500*time.Millisecond))
	}
	if j.Once {
		opts = append(opts, projector.Once())
	}
	r, err := projector.NewRunner(store, j.projections(src), opts...)
	if err != nil {
		return err
	}
	return r.Run(ctx)
}

// process is a running job.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	input io.Closer
	out   output // what it says, and its log
	ended chan struct{}
	err   error
}

// start starts a process. It is killed at the end of the test, at the latest.
func (j *job) start(t *testing.T) *process {
	t.Helper()
	return j.startAs(t, os.Args[0])
}

// startAs is start with another command.
func (j *job) startAs(t *testing.T, command string, args ...string) *process {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{t: t, ended: make(chan struct{})}
	p.cmd = exec.CommandContext(ctx, command, args...)
	p.cmd.Env = append(os.Environ(), envJob+"="+string(text))
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	stdin, err := p.cmd.StdinPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	p.input = gate{stdin}
	go func() { // ends with the process
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-p.ended
	})
	return p
}

// gate lets the rest of the events come when it is closed.
type gate struct{ io.WriteCloser }

func (g gate) Close() error {
	_, err := g.Write([]byte("\n"))
	return errors.Join(err, g.WriteCloser.Close())
}

// output collects what a process prints, and tells when there is more.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed when there is more
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more != nil {
		close(o.more)
		o.more = nil
	}
	return o.text.Write(p)
}

func (o *output) read() (text string, more <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more == nil {
		o.more = make(chan struct{})
	}
	return o.text.String(), o.more
}

// says returns when the process has printed a text, behind what it had printed before.
func (p *process) says(text string, before int) (now int) {
	p.t.Helper()
	for {
		printed, more := p.out.read()
		if i := strings.Index(printed[before:], text); i >= 0 {
			return before + i + len(text)
		}
		select {
		case <-more:
		case <-p.ended:
			if printed, _ := p.out.read(); !strings.Contains(printed[before:], text) {
				p.t.Fatalf("the process ended (%v) before it said %q:\n%s", p.err, text, printed)
			}
		case <-time.After(time.Minute):
			p.t.Fatalf("the process does not say %q:\n%s", text, printed)
		}
	}
}

// interrupt ends the process in order, and fails unless it ends well and in time.
func (p *process) interrupt() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Error(err)
	}
	began := time.Now()
	<-p.ended
	text, _ := p.out.read()
	if p.err != nil {
		p.t.Errorf("%v:\n%s", p.err, text)
	}
	if took := time.Since(began); took > shutdownBound+3*time.Second {
		p.t.Errorf("the end took %v:\n%s", took, text)
	}
}

// text is all that the process has printed.
func (p *process) text() string {
	text, _ := p.out.read()
	return text
}
