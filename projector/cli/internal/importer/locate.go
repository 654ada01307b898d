package importer

import (
	"context"
	"fmt"
	"sync"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/photonpump/projector/projector/cli/internal/jsonl"
)

const (
	lookups  = 64  // streams that are looked at at once
	pageSize = 500 // of reading a stream
)

// locate finds out how much of each stream is there already, before anything is appended.
func (im *importer) locate(ctx context.Context) error {
	var mu sync.Mutex
	foreign := make(map[string]bool)
	g, looking := errgroup.WithContext(ctx)
	g.SetLimit(lookups)
	for _, s := range im.file.streams {
		g.Go(func() error { // ends with its look-ups
			ours, err := im.locateStream(looking, s)
			if !ours {
				mu.Lock()
				defer mu.Unlock()
				foreign[s.name] = true
			}
			return err
		})
	}
	if err := g.Wait(); err != nil || len(foreign) == 0 {
		return err
	}
	if im.opts.Append {
		return im.search(ctx, foreign)
	}
	e := &NotStartedError{File: im.file.name}
	for _, name := range im.file.order {
		if foreign[name] {
			e.Streams = append(e.Streams, name)
		}
	}
	return e
}

// locateStream sets what is done of a stream; ours is false if the file did not start it, or did not go on with it, or if
// that has to be searched for.
func (im *importer) locateStream(ctx context.Context, s *stream) (ours bool, err error) {
	last, err := im.log.Last(ctx, s.name)
	if err != nil {
		return true, err
	}
	s.tail = last.Number
	if last.Number == NoEvents {
		return true, nil
	}
	if ours, err = im.holds(ctx, s, 0, last, im.file.id(s.first)); err != nil || !ours {
		return ours, err
	}
	end := int64(s.lines - 1)
	if last.Number < end {
		s.done, s.check = int(last.Number+1), last.ID // compared when that line is read again
		return !im.opts.Append, nil
	}
	if ours, err = im.holds(ctx, s, end, last, im.file.id(s.last)); ours {
		s.done = s.lines
	}
	return ours, err
}

// holds reports whether the event of a number has an id.
func (im *importer) holds(ctx context.Context, s *stream, number int64, last Record, id uuid.UUID) (bool, error) {
	if number == last.Number {
		return last.ID == id, nil
	}
	records, err := im.log.Forward(ctx, s.name, number, 1)
	if err != nil {
		return false, err
	}
	return len(records) == 1 && records[0] == Record{number, id}, nil
}

// search finds the last line that each of these streams holds, wherever it is.
func (im *importer) search(ctx context.Context, streams map[string]bool) error {
	lines := make(map[string]map[uuid.UUID]int, len(streams)) // by id, counted from 1 in their stream
	err := im.file.again(func(l jsonl.Line) error {
		if !streams[l.Stream] {
			return nil
		}
		ids := lines[l.Stream]
		if ids == nil {
			ids = make(map[uuid.UUID]int)
			lines[l.Stream] = ids
		}
		id := im.file.id(refOf(l))
		if ids[id] != 0 {
			return fmt.Errorf("%s:%d: id %v occurs twice in stream %s, so it cannot be found again", im.file.name, l.Number, id, l.Stream)
		}
		ids[id] = len(ids) + 1
		return nil
	})
	if err != nil {
		return err
	}
	g, searching := errgroup.WithContext(ctx)
	g.SetLimit(lookups)
	for name, ids := range lines {
		g.Go(func() error { return im.searchStream(searching, im.file.streams[name], ids) }) // ends at the start of the stream
	}
	return g.Wait()
}

func (im *importer) searchStream(ctx context.Context, s *stream, lines map[uuid.UUID]int) error {
	s.done, s.check = 0, uuid.Nil
	for from := s.tail; from >= 0; {
		records, err := im.log.Backward(ctx, s.name, from, pageSize)
		if err != nil || len(records) == 0 {
			return err
		}
		for _, r := range records {
			if n := lines[r.ID]; n != 0 {
				s.done = n
				return nil
			}
			from = r.Number - 1
		}
	}
	return nil
}
