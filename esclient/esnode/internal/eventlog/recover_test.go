package eventlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// smallLog makes a log of a few writes and returns its bytes, the positions after each write and what it holds then.
func smallLog(t *testing.T, sync bool) (file []byte, ends []int64, states [][]string) {
	t.Helper()
	dir := t.TempDir()
	l := open(t, Options{Dir: dir, Sync: sync, SystemLinks: true})
	ends, states = append(ends, l.Head()), append(states, everything(t, l))
	for i := range 3 {
		l.mustAppend(t, fmt.Sprintf("s-%d", i%2), ExpectAny, fmt.Sprint(i))
		ends, states = append(ends, l.Head()), append(states, everything(t, l))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	return file, ends, states
}

func openBytes(t *testing.T, file []byte) (*Log, string, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileName), file, 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := Open(Options{Dir: dir, Sync: true, SystemLinks: true})
	if err == nil {
		t.Cleanup(func() { _ = l.Close() })
	}
	return l, dir, err
}

// A log that ends anywhere holds exactly the writes that are complete, and says what it cut off and where that is.
func TestTornTail(t *testing.T) {
	t.Parallel()
	file, ends, states := smallLog(t, true)
	for size := headerSize; size < len(file); size++ {
		l, dir, err := openBytes(t, file[:size])
		if err != nil {
			t.Fatalf("%d of %d bytes: %v", size, len(file), err)
		}
		writes := 0
		for writes+1 < len(ends) && ends[writes+1] <= int64(size) {
			writes++
		}
		if got := everything(t, l); !slices.Equal(got, states[writes]) {
			t.Fatalf("%d of %d bytes: got %q, want %q", size, len(file), got, states[writes])
		}
		torn := l.TornTail()
		if rest := int64(size) - ends[writes]; rest == 0 {
			if torn != nil {
				t.Fatalf("%d bytes: cut %+v", size, torn)
			}
		} else {
			if torn == nil || torn.Position != ends[writes] || torn.Bytes != rest {
				t.Fatalf("%d bytes: cut %+v, want %d at %d", size, torn, rest, ends[writes])
			}
			saved, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("torn-%d.bin", torn.Position)))
			if err != nil || !slices.Equal(saved, file[ends[writes]:size]) {
				t.Fatalf("%d bytes: saved %x, %v", size, saved, err)
			}
		}
		l.mustAppend(t, "s-0", ExpectAny, "more")
		_ = l.Close()
	}
}

// A machine that stopped in the middle of a write may leave holes with good records behind them.
func TestTornWithHoles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, Options{Dir: dir, Sync: true})
	l.mustAppend(t, "s", ExpectAny, "safe")
	want, end := everything(t, l), l.Head()
	big := make([]Event, 20)
	for i := range big {
		big[i] = event(fmt.Sprint("big", i))
		big[i].Data = make([]byte, 500)
		for j := range big[i].Data {
			big[i].Data[j] = 'x'
		}
	}
	l.appendSync("s", ExpectAny, big)
	_ = l.Close()
	file, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	clear(file[4096:8192]) // a page that never reached the disk
	l, _, err = openBytes(t, file)
	if err != nil {
		t.Fatal(err)
	}
	if got := everything(t, l); !slices.Equal(got, want) || l.TornTail() == nil || l.TornTail().Position != end {
		t.Errorf("got %q, cut %+v", got, l.TornTail())
	}
}

// Whatever bit is flipped, what is served was written: the log refuses to open. Only in the last write may the flip pass
// for an interrupted write, which is cut off and reported.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	for _, sync := range []bool{true, false} {
		t.Run(fmt.Sprint("sync=", sync), func(t *testing.T) {
			t.Parallel()
			file, ends, states := smallLog(t, sync)
			last := ends[len(ends)-2]
			step := 1
			if !sync {
				step = 7
			}
			for i := 0; i < len(file); i += step {
				bad := slices.Clone(file)
				bad[i] ^= 1 << (i % 8)
				l, _, err := openBytes(t, bad)
				var corrupt *CorruptError
				switch {
				case err == nil:
					if int64(i) < last || l.TornTail() == nil {
						t.Fatalf("byte %d of %d (last write at %d) passed, cut %+v", i, len(file), last, l.TornTail())
					}
					if got := everything(t, l); !slices.Equal(got, states[len(states)-2]) {
						t.Fatalf("byte %d: got %q", i, got)
					}
					_ = l.Close()
				case i >= 9 && i < 12: // version of the format
				case !errors.As(err, &corrupt):
					t.Fatalf("byte %d: %v", i, err)
				}
			}
		})
	}
}

// Damage that happens while the log is open is found when it is read.
func TestDamageWhileOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, Options{Dir: dir})
	l.mustAppend(t, "s", ExpectAny, "1", "2", "3")
	path := filepath.Join(dir, fileName)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	at := l.stream("s").events[1].pos()
	if _, err := f.WriteAt([]byte("#"), at+40); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*Page{
		"event": l.ReadEvent("s", 1, false), "stream": l.ReadStream("s", 0, 10, false, false),
		"backward": l.ReadStream("s", -1, 10, true, false), "all": l.ReadAll(AllQuery{Count: 10}),
	} {
		if p.Result != ReadError || p.Err == nil || len(p.Events) != 0 {
			t.Errorf("%s: result %v, %d events, %v", name, p.Result, len(p.Events), p.Err)
		}
		p.Release()
	}
	if p := l.ReadEvent("s", 0, false); p.Result != ReadSuccess {
		t.Errorf("the event before it: %v", p.Err)
	}
}

func TestLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, Options{Dir: dir})
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrLocked) {
		t.Fatalf("second open: %v", err)
	}
	_ = l.Close()
	open(t, Options{Dir: dir})
}
