package progress

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// How often the text is shown anew.
const (
	liveInterval  = 100 * time.Millisecond
	plainInterval = 2 * time.Second
)

const eraseLine = "\r\x1b[K"

// Line is the last line of an output, which may change, under other output, which does not. It is safe for concurrent
// use.
type Line struct {
	mu    sync.Mutex
	w     io.Writer
	width func() int // of the terminal; nil = the output is not a terminal
	shown string     // last; on a terminal, what stands there now
}

// New makes a line for w. Width returns the number of columns of the terminal; nil says that w is none.
func New(w io.Writer, width func() int) *Line { return &Line{w: w, width: width} }

// Live reports whether the output is a terminal.
func (l *Line) Live() bool { return l.width != nil }

// Set changes the text, which is one line without its end. On anything but a terminal it prints it, if it is another one.
func (l *Line) Set(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Live() {
		text = fit(text, l.width())
	}
	if text == l.shown {
		return
	}
	l.shown = text
	if l.Live() {
		l.write(eraseLine + text)
	} else {
		l.write(text + "\n")
	}
}

// Clear takes the line off a terminal.
func (l *Line) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shown != "" && l.Live() {
		l.write(eraseLine)
	}
	l.shown = ""
}

// Write prints above the line. Each call should end with a newline.
func (l *Line) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shown == "" || !l.Live() {
		return l.w.Write(p)
	}
	l.write(eraseLine)
	n, err := l.w.Write(p)
	l.write(l.shown)
	return n, err
}

// Follow sets the line to what text returns, again and again until the returned function is called, which waits for the
// last change and takes the line off a terminal. Nothing is shown while text returns "".
func (l *Line) Follow(text func() string) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { l.follow(ctx, text) }) // ends when stop is called
	return func() {
		cancel()
		wg.Wait()
		l.Clear()
	}
}

func (l *Line) follow(ctx context.Context, text func() string) {
	interval := plainInterval
	if l.Live() {
		interval = liveInterval
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if s := text(); s != "" {
				l.Set(s)
			}
		}
	}
}

// write ignores errors: who cannot see the progress still wants the result.
func (l *Line) write(s string) { _, _ = io.WriteString(l.w, s) }

// fit keeps the line from wrapping, which would leave its first half behind on the next change.
func fit(text string, width int) string {
	text = strings.ReplaceAll(text, "\n", " ")
	if width > 1 && utf8.RuneCountInString(text) >= width {
		text = string([]rune(text)[:width-2]) + "…"
	}
	return text
}
