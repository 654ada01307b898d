package progress

import (
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func wide(columns int) func() int { return func() int { return columns } }

func TestLiveLine(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	l := New(&b, wide(10))
	l.Set("one")
	l.Set("one") // nothing new to draw
	if _, err := l.Write([]byte("log\n")); err != nil {
		t.Fatal(err)
	}
	l.Set("longer than that")
	l.Clear()
	l.Clear()
	want := eraseLine + "one" + eraseLine + "log\n" + "one" + eraseLine + "longer t…" + eraseLine
	if got := b.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPlainLines(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	l := New(&b, nil)
	l.Set("one")
	if _, err := l.Write([]byte("log\n")); err != nil {
		t.Fatal(err)
	}
	l.Set("one") // is not repeated
	l.Set("longer than that")
	l.Clear()
	if got, want := b.String(), "one\nlog\nlonger than that\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		width func() int
		want  int
	}{
		"terminal": {wide(80), 100},
		"plain":    {nil, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var b strings.Builder
				calls := 0
				stop := New(&b, tt.width).Follow(func() string { calls++; return Count(int64(calls)) })
				time.Sleep(10*time.Second + time.Millisecond) // virtual
				stop()
				if calls != tt.want || !strings.Contains(b.String(), Count(int64(tt.want))) {
					t.Errorf("%d calls, want %d; printed %q", calls, tt.want, b.String())
				}
			})
		})
	}
}

func TestMeter(t *testing.T) {
	t.Parallel()
	var m Meter
	start := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
	if got := m.String(); got != "" {
		t.Errorf("empty: %q", got)
	}
	for i, tt := range []struct {
		second   int
		done     int64
		fraction float64
		want     string
	}{
		{0, 0, 0, "0 events (0%)"},
		{1, 1000, 0.1, "1,000 events (10%), 1,000/s, ETA 9s"},
		{2, 3000, 0.3, "3,000 events (30%), 1,500/s, ETA 5s"}, // (1-0.3) / (0.3/2s) = 4.67s
		{8, 3000, 0.3, "3,000 events (30%)"},                  // stuck for longer than the window
		{9, 4000, -1, "4,000 events, 1,000/s"},
		{10, 1_000_000, 1, "1,000,000 events (100%), 498,500/s, ETA 1s"},
	} {
		m.Add(start.Add(time.Duration(tt.second)*time.Second), tt.done, tt.fraction)
		if got := m.String(); got != tt.want {
			t.Errorf("%d: got %q, want %q", i, got, tt.want)
		}
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0", 999: "999", -999: "-999", 1000: "1,000", -123456: "-123,456", math.MinInt64: "-9,223,372,036,854,775,808",
	} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestAge(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 999 * time.Millisecond: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m1s",
		time.Hour + 5*time.Minute + time.Second: "1h5m", 25 * time.Hour: "1d1h", 1000 * time.Hour: "41d",
	} {
		if got := Age(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}
