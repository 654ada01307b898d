package readmodel

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
)

type jumped struct {
	Name    string
	HeightM float64 `json:"height_m"`
}

type pony struct {
	Name  string `db:"name,key"`
	Jumps int64
	BestM float64
}

// ponies counts jumps; a pony that jumps 0 m is gone.
func ponies() *Model {
	return Table("ponies",
		On("pony.jumped",
			func(e projector.Event[jumped]) string { return e.Body.Name },
			func(r *Row[pony], e projector.Event[jumped]) error {
				switch h := e.Body.HeightM; {
				case h == 0:
					r.Delete()
				case h < 0:
					return errors.New("below ground")
				case h > 100:
					panic("over the moon")
				default:
					r.Value.Jumps++
					r.Value.BestM = max(r.Value.BestM, h)
				}
				return nil
			}))
}

func jump(name string, height float64) source.Event {
	return event("pony.jumped", map[string]any{"name": name, "height_m": height})
}

func TestRowsAreFolded(t *testing.T) {
	t.Parallel()
	b := setup(t, ponies())
	b.fold(jump("Rarity", 1), jump("Applejack", 2), jump("Rarity", 3), event("pony.fed", 1))
	b.fold(jump("Rarity", 2))
	want := [][]any{{"Applejack", int64(1), 2.0}, {"Rarity", int64(3), 3.0}}
	if diff := cmp.Diff(want, b.rows(0)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if b.lease.loads != 1 {
		t.Errorf("asked for rows %d times; the second batch had them in memory", b.lease.loads)
	}
}

func TestDeletedRowsBeginAnew(t *testing.T) {
	t.Parallel()
	for name, batches := range map[string][][]source.Event{
		"one batch":  {{jump("Rarity", 3), jump("Rarity", 0), jump("Rarity", 1)}},
		"each alone": {{jump("Rarity", 3)}, {jump("Rarity", 0)}, {jump("Rarity", 1)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, ponies())
			for _, batch := range batches {
				b.fold(batch...)
			}
			if diff := cmp.Diff([][]any{{"Rarity", int64(1), 1.0}}, b.rows(0)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			b.fold(jump("Rarity", 0), jump("Nobody", 0))
			if got := b.rows(0); got != nil {
				t.Errorf("rows are left: %v", got)
			}
		})
	}
}

func TestWritesOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	type best struct{ Best float64 }
	b := setup(t, Table("best", On("pony.jumped",
		func(e projector.Event[jumped]) string { return e.Body.Name },
		func(r *Row[best], e projector.Event[jumped]) error {
			r.Value.Best = max(r.Value.Best, e.Body.HeightM)
			return nil
		})))
	b.fold(jump("Rarity", 3), jump("Rarity", 2), jump("Applejack", 1))
	if err := b.Fold.Fold(t.Context(), []source.Event{jump("Rarity", 2), jump("Applejack", 2), jump("Applejack", 4)}); err != nil {
		t.Fatal(err)
	}
	want := []checkpoint.TableWrite{{Table: b.model.Tables()[0], Upserts: [][]any{{"Applejack", 4.0}}}}
	if diff := cmp.Diff(want, b.Writes()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
}

func TestErrorsNameTheirEvent(t *testing.T) {
	t.Parallel()
	bad := source.Event{Type: "pony.jumped", Data: []byte("{")}
	for name, tt := range map[string]struct {
		events []source.Event
		index  int
		class  projector.Class
		want   string
	}{
		"error":               {[]source.Event{jump("a", 1), jump("a", -1), jump("b", 1)}, 1, projector.ClassHandler, "below ground"},
		"panic":               {[]source.Event{jump("a", 1), jump("a", 101)}, 1, projector.ClassHandler, "over the moon"},
		"body":                {[]source.Event{jump("a", 1), jump("b", 1), bad}, 2, projector.ClassDecode, "unexpected end of JSON"},
		"the first of two":    {[]source.Event{jump("a", -1), bad}, 0, projector.ClassHandler, "below ground"},
		"value":               {[]source.Event{jump("a", 1), jump("a\x00", 1)}, 1, projector.ClassHandler, `column "name" cannot hold "a\x00"`},
		"an unhandled before": {[]source.Event{event("other", 1), bad}, 1, projector.ClassDecode, "JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, ponies())
			b.fold(jump("a", 5))
			err := b.Fold.Fold(t.Context(), tt.events)
			var at *projector.EventError
			if !errors.As(err, &at) || at.Index != tt.index || at.Class != tt.class || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want event %d, class %v, %q", err, tt.index, tt.class, tt.want)
			}
			b.Rollback()
			if w := b.Writes(); w != nil {
				t.Errorf("after the rollback: %v", w)
			}
			b.fold(jump("a", 6))
			if diff := cmp.Diff([][]any{{"a", int64(2), 6.0}}, b.rows(0)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPanicHasAStack(t *testing.T) {
	t.Parallel()
	b := setup(t, ponies())
	var p *projector.PanicError
	if err := b.Fold.Fold(t.Context(), []source.Event{jump("a", 101)}); !errors.As(err, &p) || !strings.Contains(string(p.Stack), "table_test.go") {
		t.Errorf("got %v with stack %s", err, p.Stack)
	}
}

func TestLoadErrorBelongsToNoEvent(t *testing.T) {
	t.Parallel()
	b := setup(t, ponies())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := b.Fold.Fold(ctx, []source.Event{jump("a", 1)})
	var at *projector.EventError
	if !errors.Is(err, context.Canceled) || errors.As(err, &at) {
		t.Errorf("got %v", err)
	}
}

// The next events are folded while the rows of the last are written.
func TestGenerations(t *testing.T) {
	t.Parallel()
	b := setup(t, ponies().CacheRows(0))
	fold := func(events ...source.Event) {
		t.Helper()
		if err := b.Fold.Fold(t.Context(), events); err != nil {
			t.Fatal(err)
		}
	}
	fold(jump("a", 1), jump("b", 1))
	first := b.Writes()
	fold(jump("a", 2), jump("c", 1))
	if diff := cmp.Diff([][]any{{"a", int64(1), 1.0}, {"b", int64(1), 1.0}}, first[0].Upserts); diff != "" {
		t.Fatalf("the next generation reached the one being written (-want +got):\n%s", diff)
	}
	b.commit(first)
	fold(jump("a", 3), jump("b", 3))
	b.commit(b.Writes())
	want := [][]any{{"a", int64(3), 3.0}, {"b", int64(2), 3.0}, {"c", int64(1), 1.0}}
	if diff := cmp.Diff(want, b.rows(0)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	fold(jump("a", 9))
	b.Rollback()
	b.fold(jump("c", 2))
	want[2] = []any{"c", int64(2), 2.0}
	if diff := cmp.Diff(want, b.rows(0)); diff != "" {
		t.Errorf("rows after a rollback (-want +got):\n%s", diff)
	}
}

type order struct {
	ID    string
	Lines []line
}

type line struct {
	SKU string
	N   int
}

func TestSeveralRowsAndTables(t *testing.T) {
	t.Parallel()
	type lineKey struct {
		Order string
		SKU   string `db:"sku"`
	}
	type lineRow struct{ N int }
	type sales struct {
		SKU string `db:"sku,key"`
		N   int
	}
	items := func(e projector.Event[order]) []line { return e.Body.Lines }
	m := Join(
		Table("lines", OnEach("order.placed", items,
			func(e projector.Event[order], l line) lineKey { return lineKey{e.Body.ID, l.SKU} },
			func(r *Row[lineRow], _ projector.Event[order], l line) error { r.Value.N += l.N; return nil })),
		Table("sales", OnEach("order.placed", items,
			func(_ projector.Event[order], l line) string { return l.SKU },
			func(r *Row[sales], _ projector.Event[order], l line) error { r.Value.N += l.N; return nil })))
	b := setup(t, m)
	b.fold(
		event("order.placed", order{"o1", []line{{"hay", 1}, {"oats", 2}, {"hay", 3}}}),
		event("order.placed", order{"o2", nil}),
		event("order.placed", order{"o3", []line{{"hay", 5}}}))
	if diff := cmp.Diff([][]any{{"o1", "hay", int64(4)}, {"o1", "oats", int64(2)}, {"o3", "hay", int64(5)}}, b.rows(0)); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]any{{"hay", int64(9)}, {"oats", int64(2)}}, b.rows(1)); diff != "" {
		t.Errorf("sales (-want +got):\n%s", diff)
	}
	if b.lease.loads != 2 {
		t.Errorf("asked for rows %d times, want once for each table", b.lease.loads)
	}
	f := b.Fold.(*fold)
	if n := len(f.routes["order.placed"].feeds); n != 1 {
		t.Errorf("bodies are decoded %d times", n)
	}
}

// Inserted rows are not read before, whether they are there or not; rows of other parts of the table are.
func TestInsert(t *testing.T) {
	t.Parallel()
	m := Table("jumps",
		Insert("pony.jumped",
			func(e projector.Event[jumped]) string { return e.Body.Name },
			func(e projector.Event[jumped]) (pony, error) {
				if e.Body.HeightM < 0 {
					return pony{}, errors.New("below ground")
				}
				return pony{Jumps: 1, BestM: e.Body.HeightM}, nil
			}),
		On("pony.praised",
			func(e projector.Event[jumped]) string { return e.Body.Name },
			func(r *Row[pony], _ projector.Event[jumped]) error { r.Value.Jumps += 100; return nil }),
		On("pony.forgotten",
			func(e projector.Event[jumped]) string { return e.Body.Name },
			func(r *Row[pony], _ projector.Event[jumped]) error { r.Delete(); return nil }))
	b := setup(t, m)
	praise, forget := event("pony.praised", jumped{Name: "a"}), event("pony.forgotten", jumped{Name: "b"})
	b.fold(jump("a", 1), jump("b", 1), jump("c", 1))
	b.fold(jump("a", 2), praise, jump("b", 2), forget)
	if b.lease.loads != 0 {
		t.Errorf("asked for rows %d times", b.lease.loads)
	}
	want := [][]any{{"a", int64(101), 2.0}, {"c", int64(1), 1.0}}
	if diff := cmp.Diff(want, b.rows(0)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	b.fold(praise)
	b.fold(jump("c", 1)) // as it is already
	want[0][1] = int64(201)
	if diff := cmp.Diff(want, b.rows(0)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if err := b.Fold.Fold(t.Context(), []source.Event{jump("d", -1)}); err == nil {
		t.Error("no error")
	}
	b.Rollback()
	b.fold(praise)
	want[0][1] = int64(301)
	if diff := cmp.Diff(want, b.rows(0)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestMistakesPanic(t *testing.T) {
	t.Parallel()
	type noColumns struct{ n int }
	type badField struct{ F func() }
	type badTag struct {
		A string `db:"a,kee"`
	}
	type twice struct {
		A string
		B string `db:"a"`
	}
	key := func(e projector.Event[jumped]) string { return e.Body.Name }
	intKey := func(projector.Event[jumped]) int { return 1 }
	for want, make := range map[string]func(){
		"no exported field":                 func() { Table("x", On("e", key, func(*Row[noColumns], projector.Event[jumped]) error { return nil })) },
		"badField.F: func() cannot be":      func() { Table("x", On("e", key, func(*Row[badField], projector.Event[jumped]) error { return nil })) },
		`unknown option "kee"`:              func() { Table("x", On("e", key, func(*Row[badTag], projector.Event[jumped]) error { return nil })) },
		`two fields for column "a"`:         func() { Table("x", On("e", key, func(*Row[twice], projector.Event[jumped]) error { return nil })) },
		"int is no struct":                  func() { Table("x", On("e", key, func(*Row[int], projector.Event[jumped]) error { return nil })) },
		"has no parts":                      func() { Table[pony]("x") },
		"has no name":                       func() { Table("", On("e", key, func(*Row[pony], projector.Event[jumped]) error { return nil })) },
		`is int, but column "name" is text`: func() { Table("x", On("e", intKey, func(*Row[pony], projector.Event[jumped]) error { return nil })) },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if p, _ := recover().(string); !strings.Contains(p, want) {
					t.Errorf("panic %q, want %q", p, want)
				}
			}()
			make()
		})
	}
	_ = noColumns{}.n
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	if a, b := ponies().Fingerprint(), ponies().Fingerprint(); a != b {
		t.Errorf("%s and %s", a, b)
	}
	if a, b := ponies().Fingerprint(), ponies().Version("2").Fingerprint(); a == b {
		t.Error("the version makes no difference")
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, eventType string
		want               bool
	}{
		{"a", "a", true},
		{"a", "ab", false},
		{"a*", "ab", true},
		{"a*", "ba", false},
		{"*", "a", true},
		{"*", "", false}, // parked or skipped
		{"*.x", "a.x", true},
		{"a*b*c", "axxbyyc", true},
		{"a*b*c", "axxcyyb", false},
		{"a*a", "a", false},
		{"*b*", "abc", true},
		{"a**", "a", true},
	} {
		if got := matches(tt.pattern, tt.eventType); got != tt.want {
			t.Errorf("matches(%q, %q) = %v", tt.pattern, tt.eventType, got)
		}
	}
}
