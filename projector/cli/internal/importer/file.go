package importer

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"

	"github.com/photonpump/projector/projector/cli/internal/jsonl"
)

// file is what a first reading of the whole file tells. Nothing is appended before every line was found to be good.
type file struct {
	path    string
	name    string // for messages
	digest  jsonl.Digest
	lines   int
	streams map[string]*stream
	order   []string // names of the streams, in the order of their first lines
}

// stream is one stream of the file and of the log.
type stream struct {
	name  string
	lines int // of the file
	first ref
	last  ref

	seen  int       // lines that were read again
	done  int       // lines that the log held at the start
	check uuid.UUID // what the last of these must be; uuid.Nil if that is known
	tail  int64     // number of the stream's last event once everything in flight is carried out
}

// ref names a line of the file.
type ref struct {
	number int
	id     uuid.UUID // uuid.Nil if the line has none
}

func refOf(l jsonl.Line) ref { return ref{l.Number, l.ID} }

func readFile(path, name string) (*file, error) {
	f := &file{path: path, name: cmp.Or(name, path), streams: make(map[string]*stream)}
	digest, err := f.each(func(l jsonl.Line) error {
		f.lines++
		s := f.streams[l.Stream]
		if s == nil {
			s = &stream{name: l.Stream, first: refOf(l), tail: NoEvents}
			f.streams[l.Stream] = s
			f.order = append(f.order, l.Stream)
		}
		s.lines++
		s.last = refOf(l)
		return nil
	})
	f.digest = digest
	return f, err
}

// id of the event that a line becomes.
func (f *file) id(line ref) uuid.UUID {
	if line.id != uuid.Nil {
		return line.id
	}
	return f.digest.EventID(line.number)
}

// each calls fn with every line.
func (f *file) each(fn func(jsonl.Line) error) (jsonl.Digest, error) {
	r, err := jsonl.Open(f.path, f.name)
	if err != nil {
		return jsonl.Digest{}, err
	}
	defer r.Close() //nolint:errcheck // nothing was written
	for {
		l, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.Digest(), nil
		}
		if err != nil {
			return jsonl.Digest{}, err
		}
		if err := fn(l); err != nil {
			return jsonl.Digest{}, err
		}
	}
}

// again calls fn with every line a second time.
func (f *file) again(fn func(jsonl.Line) error) error {
	digest, err := f.each(fn)
	if err == nil && digest != f.digest {
		return fmt.Errorf("%s was changed while it was imported: import it again", f.name)
	}
	return err
}
