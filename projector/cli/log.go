package cli

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// without leaves one message out of a log.
type without struct {
	slog.Handler
	message string
}

func (h without) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == h.message {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

func (h without) WithAttrs(attrs []slog.Attr) slog.Handler {
	return without{h.Handler.WithAttrs(attrs), h.message}
}

func (h without) WithGroup(name string) slog.Handler {
	return without{h.Handler.WithGroup(name), h.message}
}

// after leaves out everything before something is true.
type after struct {
	slog.Handler
	open *atomic.Bool
}

func (h after) Enabled(ctx context.Context, l slog.Level) bool {
	return h.open.Load() && h.Handler.Enabled(ctx, l)
}

func (h after) WithAttrs(attrs []slog.Attr) slog.Handler {
	return after{h.Handler.WithAttrs(attrs), h.open}
}

func (h after) WithGroup(name string) slog.Handler { return after{h.Handler.WithGroup(name), h.open} }

// dampFor is for how long a line of the log that says the same as one before is left out.
const dampFor = 5 * time.Second

// damped leaves out lines that repeat what another one has just said, but for how often and how soon something is tried
// again, and counts them: an outage must not fill the disk.
type damped struct {
	slog.Handler
	said *sayings
	with string // the attributes of the logger
}

// sayings are the lines of late.
type sayings struct {
	mu   sync.Mutex
	line map[string]*saying
}

type saying struct {
	at      time.Time
	skipped int
}

// maxSayings bounds the memory for lines of late.
const maxSayings = 1000

func newDamped(h slog.Handler) slog.Handler {
	return damped{Handler: h, said: &sayings{line: map[string]*saying{}}}
}

// Handle implements [slog.Handler].
func (h damped) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		return h.Handler.Handle(ctx, r)
	}
	var key strings.Builder
	key.WriteString(h.with + r.Message)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key != "attempt" && a.Key != "delay" {
			key.WriteString("\x00" + a.String())
		}
		return true
	})
	skipped, say := h.said.say(key.String(), r.Time)
	if !say {
		return nil
	}
	if skipped > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("repeated", skipped))
	}
	return h.Handler.Handle(ctx, r)
}

// say reports whether a line is to be said, and how often it was left out before.
func (s *sayings) say(key string, now time.Time) (skipped int, say bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.line[key]
	if before != nil && now.Sub(before.at) < dampFor {
		before.skipped++
		return 0, false
	}
	if before != nil {
		skipped = before.skipped
	}
	if len(s.line) >= maxSayings {
		clear(s.line)
	}
	s.line[key] = &saying{at: now}
	return skipped, true
}

// WithAttrs implements [slog.Handler].
func (h damped) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := h.with
	for _, a := range attrs {
		with += a.String() + "\x00"
	}
	return damped{h.Handler.WithAttrs(attrs), h.said, with}
}

// WithGroup implements [slog.Handler].
func (h damped) WithGroup(name string) slog.Handler {
	return damped{h.Handler.WithGroup(name), h.said, h.with + name + "\x00"}
}
