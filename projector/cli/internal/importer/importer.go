package importer

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/photonpump/projector/projector/cli/internal/jsonl"
)

// Limits of what is on its way at once.
const (
	batchEvents = 500     // of one append
	batchBytes  = 1 << 20 // of one append, unless a single event has more
	window      = 256     // appends in flight
	windowBytes = 16 << 20
)

// Options of an import.
type Options struct {
	// Name of the file in messages. Defaults to its path.
	Name string
	// Append allows streams that were not started by the file.
	Append bool
	// Progress is called with the number of lines that are in the log, and that the file has.
	Progress func(done, total int)
}

// Result counts lines.
type Result struct {
	Lines    int // of the file
	Streams  int
	Appended int // by this run
}

// Import appends the events of a file, in the order of its lines.
func Import(ctx context.Context, log Log, path string, opts Options) (Result, error) {
	f, err := readFile(path, opts.Name)
	if err != nil {
		return Result{}, err
	}
	im := &importer{log: log, file: f, opts: opts}
	if err := im.locate(ctx); err != nil {
		return Result{}, err
	}
	for _, s := range f.streams {
		im.done += s.done
	}
	found := im.done
	im.report()
	if im.done < f.lines {
		err = im.run(ctx)
	}
	return Result{Lines: f.lines, Streams: len(f.streams), Appended: im.done - found}, err
}

type importer struct {
	log   Log
	file  *file
	opts  Options
	done  int // lines in the log
	batch *batch
	queue []*batch // in flight, oldest first
	bytes int      // in flight
}

// batch is a run of lines of one stream.
type batch struct {
	stream *stream
	lines  []int // numbers
	events []Event
	bytes  int
	last   int64 // number of the last event of the stream before it
	wait   func() (first int64, err error)
}

// run appends what is missing. When it returns, nothing is in flight.
func (im *importer) run(ctx context.Context) error {
	err := im.file.again(func(l jsonl.Line) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return im.line(ctx, l)
	})
	if err == nil {
		err = im.send(ctx)
	}
	for len(im.queue) > 0 && err == nil {
		err = im.settle(ctx)
	}
	for _, b := range im.queue {
		_, _ = b.wait()
	}
	im.queue = nil
	return err
}

func (im *importer) line(ctx context.Context, l jsonl.Line) error {
	s := im.file.streams[l.Stream]
	if s == nil {
		return fmt.Errorf("%s was changed while it was imported: import it again", im.file.name)
	}
	s.seen++
	id := im.file.id(refOf(l))
	if s.seen <= s.done {
		if s.seen == s.done && s.check != uuid.Nil && s.check != id {
			return &ContinuedError{File: im.file.name, Line: l.Number, Stream: s.name, Number: s.tail}
		}
		return nil
	}
	size := len(l.Data) + len(l.Metadata) + len(l.Type) + 64
	if b := im.batch; b != nil && (b.stream != s || len(b.events) == batchEvents || b.bytes+size > batchBytes) {
		if err := im.send(ctx); err != nil {
			return err
		}
	}
	if im.batch == nil {
		im.batch = &batch{stream: s}
	}
	b := im.batch
	b.events = append(b.events, Event{ID: id, Type: l.Type, Data: l.Data, Metadata: l.Metadata})
	b.lines = append(b.lines, l.Number)
	b.bytes += size
	return nil
}

// send puts the batch at hand on its way, once there is room for it.
func (im *importer) send(ctx context.Context) error {
	b := im.batch
	if im.batch = nil; b == nil {
		return nil
	}
	for len(im.queue) > 0 && (len(im.queue) == window || im.bytes+b.bytes > windowBytes) {
		if err := im.settle(ctx); err != nil {
			return err
		}
	}
	b.last = b.stream.tail
	b.stream.tail += int64(len(b.events))
	b.wait = im.log.Append(ctx, b.stream.name, b.last, b.events)
	im.queue = append(im.queue, b)
	im.bytes += b.bytes
	return nil
}

// settle waits for the oldest append in flight, and if the stream was not as expected, for all of them.
func (im *importer) settle(ctx context.Context) error {
	b := im.queue[0]
	im.queue = im.queue[1:]
	im.bytes -= b.bytes
	err := im.outcome(b)
	if !errors.Is(err, ErrMoved) {
		return err
	}
	failed := []*batch{b}
	for _, b := range im.queue {
		if err := im.outcome(b); errors.Is(err, ErrMoved) {
			failed = append(failed, b)
		} else if err != nil {
			return err
		}
	}
	im.queue, im.bytes = nil, 0
	for _, b := range failed {
		if err := im.repair(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// outcome waits for an append and counts its lines.
func (im *importer) outcome(b *batch) error {
	first, err := b.wait()
	if err != nil {
		return err
	}
	im.done += len(b.events)
	im.report()
	if first != b.last+1 && !im.opts.Append {
		return fmt.Errorf("%s: stream %s was deleted before, and its numbers go on at %d; use --append to add the rest",
			im.file.name, b.stream.name, first)
	}
	return nil
}

func (im *importer) report() {
	if im.opts.Progress != nil {
		im.opts.Progress(im.done, im.file.lines)
	}
}
