package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector/cli/internal/importer"
	"github.com/photonpump/projector/projector/cli/internal/progress"
)

const importLong = `Appends the events of a file to the event store: JSON lines, plain or compressed with gzip, whatever its name. FILE - is
standard input.

  {"stream":"pony_stream","type":"pony.born","data":{"name":"Applejack"},"metadata":{},"id":"…"}

"metadata" and "id" are optional. A line without "id" gets one that depends on the content of the file and the number of
the line alone, and every append names the event it must follow. So an import that was interrupted is started again, and
completes without a duplicate, also after the event store was restarted, and from another copy of the file, or another name
for it. A file that has changed is another file: lines added to its end need "id" in all of them, and --append.

The whole file is read before anything is appended, so that a mistake in its last line leaves nothing behind; standard input
is kept in a temporary file meanwhile. A stream must not exist, or must have been started by the same file; --append adds to
any stream.`

const stdinName = "standard input"

func newImport(e *env) *cobra.Command {
	var add, asJSON bool
	c := e.command(&cobra.Command{
		Use: "import FILE", Short: "Append the events of a JSON lines file to the event store", Long: importLong,
		Example: "  projector import events.jsonl.gz\n  projector read pony_stream --json | projector import - --eventstore tcp://admin:changeit@127.0.0.1:1113",
	}, func(ctx context.Context, args []string) error {
		cfg, err := e.config(true)
		if err != nil {
			return err
		}
		path, name := args[0], args[0]
		if path == "-" {
			name = stdinName
			if path, err = spool(e.stdin); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			defer os.Remove(path) //nolint:errcheck // in the temporary directory
		}
		es, err := e.openEventStore(ctx, cfg)
		if err != nil {
			return err
		}
		defer es.Close() //nolint:errcheck // what counts is acknowledged
		begin := time.Now()
		result, err := e.importFile(ctx, es.client, path, name, add)
		if err != nil {
			return err
		}
		if asJSON {
			return json.NewEncoder(e.stdout).Encode(importLine{result.Lines, result.Appended, result.Streams})
		}
		e.printf("%s\n", describeImport(name, result, time.Since(begin)))
		return nil
	})
	c.Flags().BoolVar(&add, "append", false, "allow streams that were not started by this file")
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return c
}

// importLine is what `import --json` prints.
type importLine struct {
	Events   int `json:"events"`   // of the file
	Appended int `json:"appended"` // by this run; the others were there already
	Streams  int `json:"streams"`
}

// spool keeps what comes in a temporary file, since an import reads its file more than once.
func spool(r io.Reader) (path string, err error) {
	f, err := os.CreateTemp("", "projector-import-")
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
	}
	return f.Name(), err
}

// importFile shows progress and returns when all events of the file are in the event store.
func (e *env) importFile(ctx context.Context, client *esclient.Client, path, name string, add bool) (importer.Result, error) {
	var done, total atomic.Int64
	var meter progress.Meter
	stop := e.line.Follow(func() string {
		if total.Load() == 0 {
			return "import: reading " + name
		}
		meter.Add(time.Now(), done.Load(), float64(done.Load())/float64(total.Load()))
		return "import: " + meter.String()
	})
	result, err := importer.Import(ctx, esLog{client}, path, importer.Options{Name: name, Append: add, Progress: func(d, t int) {
		done.Store(int64(d))
		total.Store(int64(t))
	}})
	stop()
	if ctx.Err() != nil {
		return result, fmt.Errorf("%s: interrupted after %s of %s events; start again to complete",
			name, progress.Count(done.Load()), progress.Count(total.Load()))
	}
	return result, err
}

func describeImport(name string, r importer.Result, took time.Duration) string {
	if r.Appended == 0 {
		return fmt.Sprintf("%s: all %s events were there already", name, progress.Count(int64(r.Lines)))
	}
	s := fmt.Sprintf("%s: %s appended to %s in %s", name, plural(int64(r.Appended), "event"),
		plural(int64(r.Streams), "stream"), progress.Duration(took))
	if before := r.Lines - r.Appended; before > 0 {
		s += fmt.Sprintf(", %s were there already", progress.Count(int64(before)))
	}
	return s
}

// seed imports the file that an embedded event store begins with, if it runs in this process, and says so.
func (e *env) seed(ctx context.Context, s *eventStore, name string) error {
	if !s.isHere() {
		return nil
	}
	begin := time.Now()
	result, err := e.importSeed(ctx, s, name)
	if err == nil && result.Appended > 0 {
		e.notef("seed:        %s\n", describeImport(name, result, time.Since(begin)))
	}
	return err
}

// importSeed imports the file that an embedded event store begins with, if there is one.
func (e *env) importSeed(ctx context.Context, s *eventStore, name string) (result importer.Result, err error) {
	if name == "" {
		return result, nil
	}
	result, err = e.importFile(ctx, s.client, name, name, false)
	if _, notOurs := errors.AsType[*importer.NotStartedError](err); notOurs {
		return result, fmt.Errorf("seed the embedded event store: %w; or take seed out of the configuration", err)
	}
	if err != nil {
		return result, fmt.Errorf("seed the embedded event store: %w", err)
	}
	return result, nil
}
