package cli

import (
	"bytes"
	"errors"
	"log/slog"
	"regexp"
	"testing"
	"testing/synctest"
	"time"
)

// What a line of the log says again within five seconds is counted, and said once.
func TestDamped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		log := slog.New(newDamped(slog.NewTextHandler(&b, nil)))
		full := errors.New("disk full")
		for n := range 100 {
			log.Error("write failed", "err", full, "attempt", n, "delay", time.Duration(n))
		}
		log.With("projection", "a").Warn("paused", "err", full)
		log.With("projection", "b").Warn("paused", "err", full)
		log.With("projection", "b").Warn("paused", "err", full)
		log.Error("write failed", "err", errors.New("something else"))
		log.Info("connected")
		log.Info("connected")
		time.Sleep(dampFor)
		log.Error("write failed", "err", full, "attempt", 100)
		want := "level=ERROR msg=\"write failed\" err=\"disk full\" attempt=0 delay=0s\n" +
			"level=WARN msg=paused projection=a err=\"disk full\"\n" +
			"level=WARN msg=paused projection=b err=\"disk full\"\n" +
			"level=ERROR msg=\"write failed\" err=\"something else\"\n" +
			"level=INFO msg=connected\nlevel=INFO msg=connected\n" +
			"level=ERROR msg=\"write failed\" err=\"disk full\" attempt=100 repeated=99\n"
		if got := regexp.MustCompile(`(?m)^time=\S+ `).ReplaceAllString(b.String(), ""); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// The lines of late are bounded.
func TestDampedIsBounded(t *testing.T) {
	t.Parallel()
	s := &sayings{line: map[string]*saying{}}
	now := time.Now()
	for n := range 10 * maxSayings {
		if _, say := s.say(string(rune(n)), now); !say {
			t.Fatalf("line %d is new", n)
		}
		if len(s.line) > maxSayings {
			t.Fatalf("%d lines are kept", len(s.line))
		}
	}
}
