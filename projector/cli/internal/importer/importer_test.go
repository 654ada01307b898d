package importer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// write makes a file with one line for each name of a stream and returns the ids of its events.
func write(t interface{ Fatal(...any) }, dir string, streams ...string) (name string, ids []uuid.UUID, of map[string][]uuid.UUID) {
	var b strings.Builder
	for i, s := range streams {
		fmt.Fprintf(&b, "{\"stream\":%q,\"type\":\"t\",\"data\":%d}\n", s, i)
	}
	name = filepath.Join(dir, "events.jsonl")
	if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := readFile(name, "")
	if err != nil {
		t.Fatal(err)
	}
	of = map[string][]uuid.UUID{}
	for i, s := range streams {
		id := f.digest.EventID(i + 1)
		ids = append(ids, id)
		of[s] = append(of[s], id)
	}
	return name, ids, of
}

func many(n int, streams ...string) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = streams[(i*i+i/3)%len(streams)]
	}
	return names
}

func TestImportKeepsTheOrderOfTheFile(t *testing.T) {
	t.Parallel()
	log := newFakeLog()
	name, ids, _ := write(t, t.TempDir(), many(5000, "a", "b", "c")...)
	var reports []int
	got, err := Import(t.Context(), log, name, Options{Progress: func(done, _ int) { reports = append(reports, done) }})
	if err != nil {
		t.Fatal(err)
	}
	if want := (Result{Lines: 5000, Streams: 3, Appended: 5000}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if diff := cmp.Diff(ids, log.all); diff != "" {
		t.Error(diff)
	}
	if reports[0] != 0 || reports[len(reports)-1] != 5000 {
		t.Errorf("progress went from %d to %d", reports[0], reports[len(reports)-1])
	}

	appends := log.appends
	got, err = Import(t.Context(), log, name, Options{})
	if want := (Result{Lines: 5000, Streams: 3}); err != nil || got != want || log.appends != appends {
		t.Errorf("second import: got %+v and %d appends, %v", got, log.appends-appends, err)
	}
}

// However often it is interrupted, whatever the log says, and whatever it has lost track of: each event once, in order.
func TestInterruptedImportsComplete(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "importer")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a folder of the test
		name, _, want := write(t, dir, rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 60).Draw(t, "streams")...)
		log := newFakeLog()
		opts := Options{Append: rapid.Bool().Draw(t, "append")}
		faults := rapid.SliceOfN(rapid.IntRange(0, 9), 0, 12).Draw(t, "faults")
		log.fate = func(n int) (bool, error) {
			if n > len(faults) {
				return true, nil
			}
			switch faults[n-1] {
			case 0:
				return false, errCut // the request was lost
			case 1:
				return true, errCut // the reply was lost
			case 2:
				return false, ErrMoved
			case 3:
				return true, ErrMoved
			}
			return true, nil
		}
		for run := 0; ; run++ {
			_, err := Import(t.Context(), log, name, opts)
			if err == nil {
				break
			}
			if !errors.Is(err, errCut) || run > len(faults) {
				t.Fatalf("run %d: %v", run, err)
			}
		}
		if diff := cmp.Diff(want, log.streams); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestStreamsOfOthers(t *testing.T) {
	t.Parallel()
	name, ids, _ := write(t, t.TempDir(), "a", "b", "a", "b", "a")
	other := uuid.New()
	for title, tt := range map[string]struct {
		a, b []uuid.UUID
		err  string // of the import without --append
		all  []uuid.UUID
	}{
		"started by others": {
			a: []uuid.UUID{other}, err: "stream a already has events, and was not started by this file; use --append",
			all: []uuid.UUID{other, ids[0], ids[2], ids[4]},
		},
		"complete, then continued": {
			a: []uuid.UUID{ids[0], ids[2], ids[4], other}, all: []uuid.UUID{ids[0], ids[2], ids[4], other},
		},
		"continued in the middle": {
			a: []uuid.UUID{ids[0], other}, err: "events.jsonl:3: event 1 of stream a is not this line",
			all: []uuid.UUID{ids[0], other, ids[2], ids[4]},
		},
		"continued far": {
			a: []uuid.UUID{ids[0], other, uuid.Max, uuid.Max, uuid.Max}, err: "stream a already has events",
			all: []uuid.UUID{ids[0], other, uuid.Max, uuid.Max, uuid.Max, ids[2], ids[4]},
		},
		"both by others": {
			a: []uuid.UUID{other}, b: []uuid.UUID{other}, err: "stream a, b already has events",
			all: []uuid.UUID{other, ids[0], ids[2], ids[4]},
		},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			log := newFakeLog()
			log.add("a", tt.a...)
			log.add("b", tt.b...)
			_, err := Import(t.Context(), log, name, Options{})
			if got := fmt.Sprint(err); tt.err == "" && err != nil || !strings.Contains(got, tt.err) {
				t.Errorf("got %q, want %q in it", got, tt.err)
			}
			for range 2 { // the second run finds everything
				if _, err := Import(t.Context(), log, name, Options{Append: true}); err != nil {
					t.Error("with append:", err)
				}
			}
			if diff := cmp.Diff(tt.all, log.streams["a"]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Somebody else appends to the stream while it is imported.
func TestRace(t *testing.T) {
	t.Parallel()
	name, ids, _ := write(t, t.TempDir(), "a", "b", "a")
	for _, add := range []bool{false, true} {
		log := newFakeLog()
		other := uuid.New()
		log.fate = func(n int) (bool, error) {
			if n == 3 {
				log.streams["a"] = append(log.streams["a"], other)
			}
			return true, nil
		}
		_, err := Import(t.Context(), log, name, Options{Append: add})
		want := []uuid.UUID{ids[0], other}
		if continued := new(ContinuedError); !add && !errors.As(err, &continued) {
			t.Errorf("got %v, want a ContinuedError", err)
		} else if add {
			want = append(want, ids[2])
			if err != nil {
				t.Error(err)
			}
		}
		if diff := cmp.Diff(want, log.streams["a"]); diff != "" {
			t.Error(diff)
		}
	}
}

func TestNothingIsAppendedOfABadFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "bad.jsonl")
	if err := os.WriteFile(name, []byte("{\"stream\":\"a\",\"type\":\"t\",\"data\":1}\nno json\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	log := newFakeLog()
	_, err := Import(t.Context(), log, name, Options{})
	if err == nil || !strings.Contains(err.Error(), "bad.jsonl:2:") || log.appends != 0 {
		t.Errorf("got %v after %d appends, want an error in line 2 and none", err, log.appends)
	}
}
