package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/sqlite"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/cli/internal/progress"
	"github.com/photonpump/projector/projector/config"
	"github.com/photonpump/projector/projector/source"
)

// sample is how far a projection came in a short time.
type sample struct {
	events   int64
	at       checkpoint.Position
	took     time.Duration
	complete bool // there was no more
}

// estimate measures how fast the projections are that have something to read.
func (e *env) estimate(ctx context.Context, p *plan, cfg *config.Config, client *esclient.Client, projections []*projector.Projection, limit time.Duration) error {
	var rates []string
	for i := range p.Projections {
		w := &p.Projections[i]
		if w.Action == actionNothing || w.Events == 0 {
			continue
		}
		if e.line.Live() {
			e.line.Set("plan: measuring " + w.Name)
		}
		var s sample
		var err error
		how := ""
		if i < len(cfg.Projections) {
			s, err = sampleRun(ctx, cfg.BuildReading(client)[i], w.from, limit)
		} else if src, ok := projections[i].Source().(source.Source); ok {
			s, err = sampleRead(ctx, src, w.from, limit)
			how = " read only"
		} else {
			continue // to read a group is to take events from it
		}
		e.line.Clear()
		if err != nil {
			return fmt.Errorf("projection %s: measure: %w", w.Name, err)
		}
		if s.complete {
			w.Events = s.events
		}
		w.Seconds = s.project(w)
		if s.events > 0 {
			rates = append(rates, fmt.Sprintf("%s %s in %s%s", w.Name, plural(s.events, "event"), progress.Duration(s.took), how))
		}
	}
	if len(rates) > 0 {
		p.Estimated = "estimated from a sample, with SQLite: " + strings.Join(rates, "; ")
	}
	return nil
}

// project is how many seconds the whole takes if all of it goes as the sample; -1 = not known.
func (s sample) project(w *plannedWork) float64 {
	if s.complete {
		return s.took.Seconds()
	}
	if w.Events >= 0 {
		if s.events == 0 {
			return -1
		}
		return s.took.Seconds() * float64(w.Events) / float64(s.events)
	}
	from, ok := offset(w.from)
	at, ok2 := offset(s.at)
	to, ok3 := offset(w.to)
	if !ok || !ok2 || !ok3 || at <= from {
		return -1
	}
	return s.took.Seconds() * (to - from) / (at - from)
}

// sampleRun runs a projection for a short time into a file of its own. Events that fail are passed over.
func sampleRun(ctx context.Context, p *projector.Projection, from checkpoint.Position, limit time.Duration) (s sample, err error) {
	dir, err := os.MkdirTemp("", "projector-plan-")
	if err != nil {
		return s, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // in the temporary directory
	store, err := sqlite.Open(ctx, filepath.Join(dir, "sample.db"))
	if err != nil {
		return s, err
	}
	defer store.Close() //nolint:errcheck // nobody needs it any more
	p.With(projector.StartAt(from), projector.WithRetry(projector.RetryPolicy{
		Attempts: 1, Delay: time.Millisecond, MaxDelay: time.Millisecond, Then: projector.ActionSkip,
	}))
	runner, err := projector.NewRunner(store, []*projector.Projection{p}, projector.Once(), projector.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return s, err
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begin := time.Now()
	err = runner.Run(bounded)
	status := runner.Status()[0]
	s = sample{events: status.Handled + status.Ignored + status.Skipped, at: status.Position, took: time.Since(begin)}
	s.complete = err == nil && bounded.Err() == nil
	if _, stopped := errors.AsType[*projector.StoppedError](err); stopped {
		err = nil // which run will say; what was measured before counts
	}
	return s, errors.Join(err, ctx.Err())
}

// sampleRead reads for a short time.
func sampleRead(ctx context.Context, src source.Source, from checkpoint.Position, limit time.Duration) (s sample, err error) {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begin := time.Now()
	sub, err := src.Subscribe(bounded, from)
	if err != nil {
		return s, err
	}
	defer sub.Close() //nolint:errcheck // nothing more is wanted
	for {
		b, err := sub.Next(bounded)
		if err != nil {
			if bounded.Err() != nil {
				err = ctx.Err()
			}
			return s, err
		}
		s.events += int64(len(b.Events))
		s.at, s.took = b.Position, time.Since(begin)
		if b.Live {
			s.complete = true
			return s, nil
		}
	}
}
