package soak

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/eventstore"
)

// scene is a runner that gets into trouble at one event.
type scene struct {
	t      *testing.T
	d      database
	link   *link // to it
	source source.Source
	befall hook   // what happens at that event and, until the trouble is over, at those that follow
	mend   func() // the trouble, if that is needed; nil = it is not

	seen atomic.Int64
	over atomic.Bool
	hit  chan struct{} // closed by the first event in trouble
	once sync.Once
}

const sceneEvents, sceneTrouble = 600, 300

func (s *scene) runner(store checkpoint.Store, opts ...projector.Option) *projector.Runner {
	s.t.Helper()
	audit := s.d.audit(func(ctx context.Context, tx tx, e projector.Event[jumped]) error {
		if s.over.Load() || s.seen.Add(1) < sceneTrouble {
			return nil
		}
		defer s.once.Do(func() { close(s.hit) })
		return s.befall(ctx, tx, e)
	}, nil)
	opts = append(opts, projector.WithLeaseTTL(time.Second), projector.WithBatchSize(50), projector.WithShutdownBound(shutdownBound),
		projector.WithRetryDelays(time.Second, time.Minute))
	r, err := projector.NewRunner(store, []*projector.Projection{projector.New("ponies", s.source, table(), audit).With(byStream())}, opts...)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// TestShutdownInTrouble ends a runner in the middle of each kind of trouble. It returns within its bound, leaves no goroutine
// (which TestMain looks for), and what is stored is what was done: another one, without the trouble, completes it.
func TestShutdownInTrouble(t *testing.T) {
	t.Parallel()
	size(t, 0, 0)
	for name, prepare := range map[string]func(*scene){
		"the database does not answer": func(s *scene) {
			s.befall = func(context.Context, tx, projector.Event[jumped]) error { s.link.freeze(); return nil }
		},
		"the database is away": func(s *scene) {
			s.befall = func(context.Context, tx, projector.Event[jumped]) error { s.link.cut(); return nil }
		},
		"a statement waits for a lock": func(s *scene) {
			lock := "SELECT pg_advisory_xact_lock(hashtext('" + s.d.Schema + "'))"
			s.d.hold(s.t, lock)
			s.befall = func(ctx context.Context, tx tx, _ projector.Event[jumped]) error {
				s.once.Do(func() { close(s.hit) })
				return tx.exec(ctx, lock)
			}
		},
		"an event is tried again": func(s *scene) {
			s.befall = func(context.Context, tx, projector.Event[jumped]) error { return errors.New("not yet") }
		},
		"the target is away": func(s *scene) {
			s.befall = func(context.Context, tx, projector.Event[jumped]) error {
				return projector.Unavailable(errors.New("away"))
			}
		},
		"a handler takes its time": func(s *scene) {
			s.befall = func(ctx context.Context, _ tx, _ projector.Event[jumped]) error {
				s.once.Do(func() { close(s.hit) })
				<-ctx.Done()
				return ctx.Err()
			}
		},
		"the event store is away": func(s *scene) {
			n := startNode(s.t, esnode.Dir(s.t.TempDir()), esnode.Fsync(esnode.FsyncNever))
			client := dial(s.t, n)
			fill(s.t, client, 0, sceneEvents)
			s.source = eventstore.All(client, eventstore.Filter{Types: []string{"pony.jumped"}})
			s.befall = func(context.Context, tx, projector.Event[jumped]) error { return n.current().Close() }
			s.mend = func() {
				if err := n.restart(); err != nil {
					s.t.Error(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDatabase(t, kindPostgres)
			s := &scene{t: t, d: d, link: newLink(t, d.URL), source: newLog(sceneEvents).All(nil), hit: make(chan struct{})}
			prepare(s)
			through := d
			through.URL = s.link.url
			store, err := through.open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan error, 1)
			r := s.runner(store)
			go func() { ended <- r.Run(ctx) }() // ends with ctx
			<-s.hit
			stop()
			began := time.Now()
			err = <-ended
			took := time.Since(began)
			t.Logf("%s: ended after %v: %v", name, took.Round(time.Millisecond), err)
			if took > shutdownBound+3*time.Second || err != nil && !errors.Is(err, projector.ErrShutdownBound) {
				t.Errorf("%v after %v", err, took)
			}
			_ = store.Close() // it cannot always say goodbye
			s.over.Store(true)
			if s.mend != nil {
				s.mend()
			}
			if err := s.runner(d.store(t), projector.Once()).Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			d.check(t, truth{events: sceneEvents, faults: "shutdown while " + name})
		})
	}
}
