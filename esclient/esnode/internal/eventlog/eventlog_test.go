package eventlog

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func open(t testing.TB, opts Options) *Log {
	t.Helper()
	l, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func event(id string) Event {
	e := Event{Type: "T", JSON: true, Data: []byte(`{"id":"` + id + `"}`)}
	copy(e.ID[:], id)
	return e
}

func events(ids ...string) (list []Event) {
	for _, id := range ids {
		list = append(list, event(id))
	}
	return list
}

func (l *Log) mustAppend(t testing.TB, stream string, expected int64, ids ...string) Written {
	t.Helper()
	w := l.appendSync(stream, expected, events(ids...))
	if w.Outcome != Success {
		t.Fatalf("append to %q: %+v", stream, w)
	}
	return w
}

func (l *Log) appendSync(stream string, expected int64, list []Event) Written {
	done := make(chan Written, 1)
	l.Append(stream, expected, list, func(w Written) { done <- w })
	return <-done
}

func (l *Log) deleteSync(stream string, expected int64, hard bool) Written {
	done := make(chan Written, 1)
	l.Delete(stream, expected, hard, func(w Written) { done <- w })
	return <-done
}

// content returns what a stream holds: "number:data" of each event.
func content(t testing.TB, l *Log, stream string) (list []string) {
	t.Helper()
	p := l.ReadStream(stream, 0, 4096, false, false)
	defer p.Release()
	if p.Err != nil {
		t.Fatal(p.Err)
	}
	for _, r := range p.Events {
		e, ok := ParseEvent(r.Event)
		if !ok {
			t.Fatalf("%x", r.Event)
		}
		list = append(list, fmt.Sprintf("%d:%s", e.Number, e.Data))
	}
	return list
}

// everything returns all events of a log as "stream/number/id/data".
func everything(t testing.TB, l *Log) (list []string) {
	t.Helper()
	for from := (Position{}); ; {
		p := l.ReadAll(AllQuery{From: from, Count: 7})
		if p.Err != nil {
			t.Fatal(p.Err)
		}
		for _, r := range p.Events {
			e, _ := ParseEvent(r.Event)
			list = append(list, fmt.Sprintf("%s/%d/%x/%s", e.Stream, e.Number, e.ID, e.Data))
		}
		n := len(p.Events)
		from = p.NextPos
		p.Release()
		if n == 0 {
			return list
		}
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var want []string
	fill := func(l *Log) {
		l.mustAppend(t, "a-1", ExpectNone, "1", "2", "3")
		l.mustAppend(t, "a-2", ExpectAny, "4")
		l.mustAppend(t, "$$a-2", ExpectAny, "5")
		l.deleteSync("a-2", ExpectAny, false)
		l.mustAppend(t, "a-2", ExpectAny, "6")
		l.mustAppend(t, "gone", ExpectAny, "7")
		if w := l.deleteSync("gone", ExpectAny, true); w.Outcome != Success {
			t.Fatalf("%+v", w)
		}
		l.mustAppend(t, "a-1", 2, "8")
	}
	l := open(t, Options{Dir: dir, Sync: true, SystemLinks: true})
	fill(l)
	want = everything(t, l)
	head, last := l.Head(), l.LastCommit()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	l = open(t, Options{Dir: dir, Sync: true, SystemLinks: true})
	if l.TornTail() != nil {
		t.Errorf("cut: %+v", l.TornTail())
	}
	if diff := cmp.Diff(want, everything(t, l)); diff != "" {
		t.Error(diff)
	}
	if l.Head() != head || l.LastCommit() != last {
		t.Errorf("head %d, last commit %d; want %d, %d", l.Head(), l.LastCommit(), head, last)
	}
	if got := l.LastNumber("gone"); got != DeletedNumber {
		t.Errorf("deleted stream ends at %d", got)
	}
	if got, want := content(t, l, "a-2"), []string{`1:{"id":"6"}`}; !cmp.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	// The ids of the last start are not in memory any more, but an exact version finds them on disk.
	if w := l.mustAppend(t, "a-1", 2, "8"); w.Position != -1 || w.First != 3 {
		t.Errorf("written again: %+v", w)
	}
	if w := l.appendSync("a-1", 2, events("9")); w.Outcome != WrongExpectedVersion || w.Current != 3 {
		t.Errorf("got %+v", w)
	}
	l.mustAppend(t, "a-1", 3, "10")
	// Streams made in memory look the same.
	m := open(t, Options{SystemLinks: true})
	fill(m)
	if diff := cmp.Diff(want, everything(t, m), cmp.Transformer("noID", func(s string) string {
		if strings.HasPrefix(s, "$") || strings.HasPrefix(s, "gone/92") {
			return s[:strings.LastIndex(s, "/")-33]
		}
		return s
	})); diff != "" {
		t.Error(diff)
	}
}

func TestSystemLinks(t *testing.T) {
	t.Parallel()
	l := open(t, Options{SystemLinks: true})
	l.mustAppend(t, "pony-1", ExpectAny, "1", "2")
	l.mustAppend(t, "pony-2", ExpectAny, "3")
	l.mustAppend(t, "plain", ExpectAny, "4")
	l.mustAppend(t, "$system-1", ExpectAny, "5")
	for stream, want := range map[string][]string{
		"$ce-pony":  {"0:0@pony-1", "1:1@pony-1", "2:0@pony-2"},
		"$et-T":     {"0:0@pony-1", "1:1@pony-1", "2:0@pony-2", "3:0@plain"},
		"$streams":  {"0:0@pony-1", "1:0@pony-2", "2:0@plain"},
		"$ce-plain": nil,
	} {
		if diff := cmp.Diff(want, content(t, l, stream)); diff != "" {
			t.Errorf("%s: %s", stream, diff)
		}
	}
	p := l.ReadStream("$ce-pony", 0, 10, false, true)
	defer p.Release()
	for i, r := range p.Events {
		e, _ := ParseEvent(r.Event)
		if want := fmt.Sprintf(`{"id":"%d"}`, i+1); string(e.Data) != want {
			t.Errorf("link %d leads to %s, want %s", i, e.Data, want)
		}
	}
	if len(p.Events) != 3 {
		t.Errorf("%d events", len(p.Events))
	}
}

func TestMaxAge(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := open(t, Options{Now: func() time.Time { return now }})
	l.mustAppend(t, "s", ExpectAny, "1", "2")
	now = now.Add(time.Minute)
	l.mustAppend(t, "s", ExpectAny, "3")
	meta := Event{ID: [16]byte{9}, Type: "$metadata", JSON: true, Data: []byte(`{"$maxAge":30}`)}
	l.appendSync("$$s", ExpectAny, []Event{meta})
	if got, want := content(t, l, "s"), []string{`2:{"id":"3"}`}; !cmp.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if p := l.ReadEvent("s", 0, false); p.Result != ReadNotFound {
		t.Errorf("an expired event: %v", p.Result)
	}
	p := l.ReadStream("s", -1, 2, true, false)
	defer p.Release()
	if len(p.Events) != 1 || !p.End || p.Next != -1 {
		t.Errorf("backward: %d events, end %v, next %d", len(p.Events), p.End, p.Next)
	}
}

func TestConcurrentAppends(t *testing.T) {
	t.Parallel()
	var pushed []int64
	l := open(t, Options{Dir: t.TempDir(), SystemLinks: true, OnCommit: func(b Batch) {
		b.Each(func(r Resolved) { pushed = append(pushed, r.Prepare) })
	}})
	const writers, each = 8, 200
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				l.mustAppend(t, fmt.Sprintf("s-%d", w), int64(i-1), fmt.Sprintf("%d-%d", w, i))
				if i%50 == 0 {
					if n := len(content(t, l, fmt.Sprintf("s-%d", w))); n != i+1 {
						t.Errorf("%d events after the append of %d was acknowledged", n, i+1)
					}
				}
			}
		})
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if want := writers*each*3 + writers; len(pushed) != want {
		t.Errorf("%d events were pushed, want %d", len(pushed), want)
	}
	for i := range pushed[1:] {
		if pushed[i] >= pushed[i+1] {
			t.Fatalf("position %d was pushed before %d", pushed[i], pushed[i+1])
		}
	}
}

func TestTransactionsSurviveRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	wait := func(do func(func(Written))) Written {
		done := make(chan Written, 1)
		do(func(w Written) { done <- w })
		return <-done
	}
	l := open(t, Options{Dir: dir})
	l.mustAppend(t, "s", ExpectAny, "0")
	id := wait(func(done func(Written)) { l.StartTransaction("s", 0, done) }).Position
	wait(func(done func(Written)) { l.WriteTransaction(id, events("1", "2"), done) })
	_ = l.Close()
	l = open(t, Options{Dir: dir})
	wait(func(done func(Written)) { l.WriteTransaction(id, events("3"), done) })
	w := wait(func(done func(Written)) { l.CommitTransaction(id, done) })
	if w.Outcome != Success || w.First != 1 || w.Last != 3 {
		t.Fatalf("commit: %+v", w)
	}
	p := l.ReadAll(AllQuery{From: Position{w.Position, 0}, Count: 2})
	if len(p.Events) != 2 || p.Events[0].Commit != w.Position || p.Events[1].Prepare <= p.Events[0].Prepare {
		t.Fatalf("page: %+v", p)
	}
	next := p.NextPos
	p.Release()
	p = l.ReadAll(AllQuery{From: next, Count: 2})
	if e, _ := ParseEvent(p.Events[0].Event); len(p.Events) != 1 || e.Number != 3 {
		t.Fatalf("second page: %+v", p)
	}
	p.Release()
	p = l.ReadAll(AllQuery{From: Position{-1, -1}, Count: 10, Backward: true})
	if len(p.Events) != 4 {
		t.Fatalf("backward: %d events", len(p.Events))
	}
	p.Release()
	_ = l.Close()
	l = open(t, Options{Dir: dir})
	if w := wait(func(done func(Written)) { l.CommitTransaction(id, done) }); w.Position != -1 || w.First != 1 || w.Last != 3 {
		t.Errorf("second commit: %+v", w)
	}
}

// failing is storage that breaks.
type failing struct {
	storage
	err error
}

func (f *failing) Append([]byte) error { return f.err }

func TestDiskFull(t *testing.T) {
	t.Parallel()
	l := open(t, Options{})
	l.mustAppend(t, "s", ExpectAny, "1")
	full := errors.New("no space left on device")
	l.mu.Lock()
	l.store, l.trusted = &failing{l.store, full}, false
	l.mu.Unlock()
	if w := l.appendSync("s", ExpectAny, events("2")); w.Outcome != Failed || !errors.Is(w.Err, full) {
		t.Errorf("got %+v", w)
	}
	if w := l.appendSync("t", ExpectAny, events("3")); w.Outcome != Failed || !errors.Is(w.Err, full) {
		t.Errorf("got %+v", w)
	}
	if got, want := content(t, l, "s"), []string{`0:{"id":"1"}`}; !cmp.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
