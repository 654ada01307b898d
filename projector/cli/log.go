package cli

import (
	"context"
	"log/slog"
	"sync/atomic"
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
