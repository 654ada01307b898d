package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/cli/internal/progress"
	"github.com/photonpump/projector/projector/config"
	"github.com/photonpump/projector/projector/prom"
)

const runLong = `Runs every projection until Ctrl-C: what is in hand is then finished and committed. A second Ctrl-C forces the exit.

With --once it runs to where the event store ends now, prints the first rows of each table, and exits: with 0, or with 3
if a projection stopped for a reason of its own.`

func newRun(e *env) *cobra.Command {
	var once bool
	c := e.command(&cobra.Command{
		Use: "run", Short: "Run the projections", Long: runLong,
		Example: "  projector run\n  projector run --once\n  projector run --eventstore tcp://admin:changeit@127.0.0.1:1113 --database postgres://user@127.0.0.1:5432/app",
	}, func(ctx context.Context, _ []string) error { return e.run(ctx, once) })
	c.PreRun = func(c *cobra.Command, _ []string) {
		if !once {
			e.logLife(c)
		}
	}
	c.Flags().BoolVar(&once, "once", false, "end when everything that is there now is handled")
	return c
}

func (e *env) run(ctx context.Context, once bool) error {
	cfg, err := e.config(false)
	if err != nil {
		return err
	}
	es, err := e.connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer es.Close() //nolint:errcheck // what counts is committed
	e.notef("event store: %s\n", es.about)
	if err := e.seed(ctx, es, cfg.EventStore.Embedded.Seed); err != nil {
		return err
	}
	projections, err := e.define(cfg, es.client)
	if err != nil {
		return err
	}
	store, err := openStore(ctx, cfg)
	if err != nil {
		return databaseError(cfg, err)
	}
	defer store.Close() //nolint:errcheck // what counts is committed
	e.notef("database:    %s\n", describeDatabase(cfg))
	s := &service{env: e, cfg: cfg, es: es, store: store, projections: projections, once: once, limit: shownRows}
	return s.run(ctx)
}

// define makes the projections of the file and of the program. Without a client they can be looked at, but not run.
func (e *env) define(cfg *config.Config, client *esclient.Client) ([]*projector.Projection, error) {
	projections := cfg.Build(client)
	for _, define := range e.projections {
		projections = append(projections, define(client))
	}
	if len(projections) == 0 {
		return nil, usage(fmt.Errorf("%s describes no projections", e.flags.config))
	}
	return projections, nil
}

// service is a runner with all that is around it.
type service struct {
	*env
	cfg         *config.Config
	es          *eventStore
	store       checkpoint.Store
	projections []*projector.Projection
	once        bool
	limit       int // rows to show of each table
	runner      *projector.Runner
}

func (s *service) run(ctx context.Context) error {
	metrics := prom.New()
	if err := s.ensureViews(ctx); err != nil {
		return err
	}
	w := &watch{service: s, begin: time.Now()}
	log := s.logger()
	opts := []projector.Option{projector.WithHooks(metrics, w)}
	if s.once {
		log = slog.New(without{log.Handler(), "projection stopped"}) // which is said at the end
		opts = append(opts, projector.Once())
	}
	opts = append(append(opts, projector.WithLogger(log)), s.cfg.Run.Options()...)
	var err error
	if s.runner, err = projector.NewRunner(s.store, s.projections, opts...); err != nil {
		return usage(err)
	}
	metrics.Observe(s.runner)
	if !s.once {
		end, err := s.serveAdmin(ctx, metrics)
		if err != nil {
			return err
		}
		defer end()
	}
	stop := s.line.Follow(w.text)
	defer context.AfterFunc(ctx, func() {
		s.notef("ending: finishing and committing what is in hand; Ctrl-C again forces the exit\n")
	})()
	err = s.runner.Run(ctx)
	stop()
	return s.conclude(ctx, err, w)
}

// ensureViews makes the views of the file. Where a table is not as it should be and cannot be mended, the runner says what
// to do about it.
func (s *service) ensureViews(ctx context.Context) error {
	if len(s.cfg.Views) == 0 {
		return nil
	}
	if err := s.store.Migrate(ctx); err != nil {
		return databaseError(s.cfg, err)
	}
	for _, p := range s.projections {
		err := p.EnsureTables(ctx, s.store)
		if err != nil && s.store.Classify(err) == checkpoint.ClassConfiguration {
			return nil
		}
		if err != nil {
			return databaseError(s.cfg, err)
		}
	}
	return s.cfg.EnsureViews(ctx, s.store)
}

// conclude says what was done, and shows the tables after a complete run.
func (s *service) conclude(ctx context.Context, err error, w *watch) error {
	took := time.Since(w.begin)
	for _, st := range s.runner.Status() {
		if owner := s.ownerOf(ctx, &st); owner != "" {
			s.printf("%s: owned by %s, nothing was done here\n", st.Name, owner)
			continue
		}
		s.printf("%s\n", describeRun(&st))
	}
	switch {
	case err != nil:
		return err
	case !s.once:
		return nil
	case ctx.Err() != nil:
		return errors.New("interrupted; start again to go on from there")
	}
	s.notef("done in %s\n", progress.Duration(took))
	if err := s.showTables(ctx); err != nil {
		return err
	}
	return s.showViews(ctx)
}

// ownerOf is who else owns a projection that this process has not run; empty if it has, or nobody does.
func (s *service) ownerOf(ctx context.Context, st *projector.Status) string {
	if st.Handled+st.Ignored+st.Skipped > 0 || !st.Resumed.IsStart() || st.Reason != "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second) // it is a matter of words
	defer cancel()
	stored, err := storedStatus(ctx, s.store, st.Name)
	if err != nil || stored == nil || !stored.Held {
		return ""
	}
	return stored.Owner
}

const shownRows = 10 // of each table after a complete run

func (s *service) showTables(ctx context.Context) error {
	for _, p := range s.projections {
		for _, t := range p.Tables() {
			n, err := s.store.Count(ctx, t)
			if err != nil {
				return err
			}
			s.printf("\n%s: %s\n", t.Name, plural(n, "row"))
			if err := s.printRows(ctx, s.cfg, s.store, t, "table", s.limit); err != nil {
				return err
			}
			if s.limit > 0 && n > int64(s.limit) {
				s.printf("… %s more\n", progress.Count(n-int64(s.limit)))
			}
		}
	}
	return nil
}

func (s *service) showViews(ctx context.Context) error {
	for _, v := range s.cfg.Views {
		s.printf("\n%s\n", v.Name)
		if err := s.printView(ctx, s.store, v.Name, "table", s.limit); err != nil {
			return err
		}
	}
	return nil
}
