package policies

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/readmodel"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

type jumped struct {
	N uint64 `json:"n"`
}

type pony struct {
	Jumps uint64
	Tag   *int64 `db:"tag,unique"`
}

// fault is a reason why an event of type "bad" cannot be handled, beside events of type "good".
type fault struct {
	name     string
	parts    func(w *world) []projector.Part // nil where the store has no such fault
	settings []projector.Setting
	body     string // of the bad event
	class    string
	attempts int
	reason   string // a part of the error
}

func byStream() projector.Setting {
	return projector.OrderBy(func(e *source.Event) string { return e.Stream })
}

// handlers has good events handled, and the bad one as it is told.
func handlers(bad func(ctx context.Context) error) func(*world) []projector.Part {
	return func(*world) []projector.Part {
		return []projector.Part{
			projector.On("good", func(context.Context, projector.Event[jumped]) error { return nil }),
			projector.On("bad", func(ctx context.Context, _ projector.Event[jumped]) error { return bad(ctx) }),
		}
	}
}

// table folds both types.
func table(fold func(r *readmodel.Row[pony], e projector.Event[jumped]) error) func(*world) []projector.Part {
	stream := func(e projector.Event[jumped]) string { return e.Stream }
	return func(*world) []projector.Part {
		return []projector.Part{readmodel.Table("ponies", readmodel.On("good", stream, fold), readmodel.On("bad", stream, fold))}
	}
}

// statements writes a row for each event; the bad one by another statement.
func statements(bad string) func(*world) []projector.Part {
	return func(w *world) []projector.Part {
		if w.exec == nil {
			return nil
		}
		return []projector.Part{
			w.exec("setup", func(*projector.Envelope) string {
				return "CREATE TABLE notes (id TEXT PRIMARY KEY, n INT NOT NULL CHECK (n < 1000000))"
			}),
			w.exec("good", func(e *projector.Envelope) string {
				return fmt.Sprintf("INSERT INTO notes VALUES ('%s/%d', %d)", e.Stream, e.Number, e.Number)
			}),
			w.exec("bad", func(*projector.Envelope) string { return bad }),
		}
	}
}

func faults() []fault {
	const good = `{"n":1}`
	count := func(r *readmodel.Row[pony], e projector.Event[jumped]) error { r.Value.Jumps += e.Body.N; return nil }
	wait := func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
	upcasters, err := codec.NewUpcasters([]codec.Schema{{Type: "bad", Version: 2}}, []codec.Upcast{{
		From: codec.Schema{Type: "bad", Version: 1}, To: codec.Schema{Type: "bad", Version: 2},
		Fn: func([]byte, []byte) ([]byte, error) { return nil, errors.New("no such pony") },
	}})
	if err != nil {
		panic(err)
	}
	return []fault{
		{"undecodable body, handler", handlers(nil), nil, "{", "decode", 1, "decode body with codec"},
		{"undecodable body, table", table(count), []projector.Setting{byStream()}, "{", "decode", 1, "unexpected end of JSON"},
		{"upcaster error, handler", handlers(nil), []projector.Setting{projector.WithUpcasters(upcasters)}, good, "decode", 1, "no such pony"},
		{"upcaster error, table", table(count), []projector.Setting{projector.WithUpcasters(upcasters), byStream()}, good, "decode", 1, "no such pony"},
		{"handler error", handlers(func(context.Context) error { return errors.New("out of hay") }), nil, good, "handler", attempts, "out of hay"},
		{"handler panic", handlers(func(context.Context) error { panic("out of hay") }), nil, good, "handler", attempts, "panic: out of hay\ngoroutine"},
		{"handler time-out", handlers(wait), []projector.Setting{projector.WithHandlerTimeout(10 * time.Millisecond)}, good, "handler", attempts, "handler took too long"},
		{"fold error", table(func(_ *readmodel.Row[pony], e projector.Event[jumped]) error {
			if e.Type == "bad" {
				return errors.New("out of hay")
			}
			return nil
		}), nil, good, "handler", attempts, "out of hay"},
		{"value the column cannot hold", table(count), nil, `{"n":9223372036854775808}`, "handler", attempts, `column "jumps"`},
		{"value the database refuses", table(func(r *readmodel.Row[pony], e projector.Event[jumped]) error {
			tag := int64(e.Stream[2])
			if e.Type == "bad" {
				tag = '0' // that of s-0
			}
			if e.Number < 2 {
				r.Value.Tag = &tag
			}
			return nil
		}), nil, good, "handler", attempts, `"ponies"`},
		{"NOT NULL violation", statements("INSERT INTO notes (id) VALUES ('x')"), nil, good, "handler", attempts, "n"},
		{"repeated key", statements("INSERT INTO notes VALUES ('s-0/0', 1)"), nil, good, "handler", attempts, "notes"},
		{"broken constraint", statements("INSERT INTO notes VALUES ('x', 1000000)"), nil, good, "handler", attempts, "constraint"},
	}
}

// Ten streams of three events, of which one is bad: the second of s-3, after all first ones.
func (w *world) fill(bad string) {
	w.log.Append("setup", sourcetest.JSON("setup", "{}"))
	for n := range 3 {
		for stream := range 10 {
			e := sourcetest.JSON("good", `{"n":1}`)
			if stream == 3 && n == 1 {
				e = sourcetest.JSON("bad", bad)
			}
			w.log.Append(fmt.Sprint("s-", stream), e)
		}
	}
}

func TestEveryClassHasItsPolicy(t *testing.T) {
	t.Parallel()
	for _, f := range faults() {
		for _, action := range []projector.Action{projector.ActionPark, projector.ActionSkip, projector.ActionStop} {
			t.Run(f.name+", then "+action.String(), func(t *testing.T) {
				t.Parallel()
				onEachStore(t, func(t *testing.T, w *world) { f.check(t, w, action) })
			})
		}
	}
}

func (f *fault) check(t *testing.T, w *world, action projector.Action) {
	t.Helper()
	parts := f.parts(w)
	if parts == nil {
		return // a store without SQL
	}
	setup := int64(0)
	if len(parts) == 3 { // one of them makes the table
		setup = 1
	}
	w.fill(f.body)
	err := w.once(t, parts, append([]projector.Setting{then(action)}, f.settings...)...)
	st, rows := w.stored(t), w.parked(t)
	switch action {
	case projector.ActionPark:
		if err != nil || st.Handled != 28+setup || st.Skipped != 0 || len(rows) != 2 {
			t.Fatalf("%v; stored %+v; parked %+v", err, st, rows)
		}
		bad, next := rows[0], rows[1]
		if bad.Stream != "s-3" || bad.EventNo != 1 || bad.Class != f.class || bad.Attempts != f.attempts || !strings.Contains(bad.Error, f.reason) ||
			string(bad.Data) != f.body || bad.FirstTried.IsZero() || bad.Tried.Before(bad.FirstTried) {
			t.Errorf("parked %+v with %s", bad, bad.Data)
		}
		if next.EventNo != 2 || next.Class != "" || next.Attempts != 0 || next.Key != bad.Key {
			t.Errorf("behind it %+v", next)
		}
	case projector.ActionSkip:
		if err != nil || st.Handled != 29+setup || st.Skipped != 1 || len(rows) != 0 {
			t.Errorf("%v; stored %+v; parked %+v", err, st, rows)
		}
	default:
		var stopped *projector.StoppedError
		if !errors.As(err, &stopped) || stopped.Class.String() != f.class || stopped.Attempts != f.attempts || !strings.Contains(err.Error(), f.reason) ||
			!strings.Contains(err.Error(), "event 1@s-3 (bad), position") {
			t.Fatalf("stopped for %v", err)
		}
		if st.Handled != 13+setup || st.Skipped != 0 || len(rows) != 0 || st.State != "stopped" {
			t.Errorf("stored %+v; parked %+v", st, rows)
		}
	}
}

// A type that nobody handles is a class of its own.
func TestUnknownTypes(t *testing.T) {
	t.Parallel()
	for _, u := range []projector.Unhandled{projector.UnhandledIgnore, projector.UnhandledWarn, projector.UnhandledPark, projector.UnhandledStop} {
		t.Run(u.String(), func(t *testing.T) {
			t.Parallel()
			onEachStore(t, func(t *testing.T, w *world) {
				w.log.Append("s-0", sourcetest.JSON("good", `{"n":1}`))
				w.log.Append("s-0", sourcetest.JSON("unknown", `{"n":1}`))
				w.log.Append("s-1", sourcetest.JSON("good", `{"n":1}`))
				parts := handlers(nil)(w)
				err := w.once(t, parts, then(projector.ActionPark), projector.WithUnhandled(u))
				st, rows := w.stored(t), w.parked(t)
				switch u {
				case projector.UnhandledPark:
					if err != nil || st.Handled != 2 || len(rows) != 1 || rows[0].Type != "unknown" || !strings.Contains(rows[0].Error, projector.ErrUnhandledType.Error()) {
						t.Errorf("%v; stored %+v; parked %+v", err, st, rows)
					}
				case projector.UnhandledStop:
					if !errors.Is(err, projector.ErrUnhandledType) || st.Handled != 1 || len(rows) != 0 {
						t.Errorf("%v; stored %+v; parked %+v", err, st, rows)
					}
				default:
					if err != nil || st.Handled != 2 || st.Ignored != 1 || len(rows) != 0 {
						t.Errorf("%v; stored %+v; parked %+v", err, st, rows)
					}
				}
			})
		})
	}
}
