package cli

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector/cli/internal/importer"
	"github.com/photonpump/projector/projector/cli/internal/progress"
)

const importLong = `Appends the events of a file to the event store: JSON lines, plain or compressed with gzip.

  {"stream":"pony_stream","type":"pony.born","data":{"name":"Applejack"},"metadata":{},"id":"…"}

"metadata" and "id" are optional. A line without "id" gets one that depends on the content of the file and the number of
the line alone, and every append names the event it must follow. So an import that was interrupted is started again, and
completes without a duplicate, also after the event store was restarted.

A stream must not exist, or must have been started by the same file; --append adds to any stream.`

func newImport(e *env) *cobra.Command {
	var add bool
	c := e.command(&cobra.Command{
		Use: "import FILE", Short: "Append the events of a JSON lines file to the event store", Long: importLong,
		Example: "  projector import events.jsonl.gz",
	}, func(ctx context.Context, args []string) error {
		cfg, err := e.config(true)
		if err != nil {
			return err
		}
		es, err := e.openEventStore(ctx, cfg)
		if err != nil {
			return err
		}
		defer es.Close() //nolint:errcheck // what counts is acknowledged
		begin := time.Now()
		result, err := e.importFile(ctx, es.client, args[0], add)
		if err != nil {
			return err
		}
		e.printf("%s\n", describeImport(args[0], result, time.Since(begin)))
		return nil
	})
	c.Flags().BoolVar(&add, "append", false, "allow streams that were not started by this file")
	return c
}

// importFile shows progress and returns when all events of the file are in the event store.
func (e *env) importFile(ctx context.Context, client *esclient.Client, name string, add bool) (importer.Result, error) {
	var done, total, found atomic.Int64
	found.Store(-1)
	var meter progress.Meter
	stop := e.line.Follow(func() string {
		if total.Load() == 0 {
			return "import: reading " + name
		}
		meter.Add(time.Now(), done.Load(), float64(done.Load())/float64(total.Load()))
		return "import: " + meter.String()
	})
	result, err := importer.Import(ctx, esLog{client}, name, importer.Options{Append: add, Progress: func(d, t int) {
		done.Store(int64(d))
		total.Store(int64(t))
		found.CompareAndSwap(-1, int64(d))
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
	result, err = e.importFile(ctx, s.client, name, false)
	if _, notOurs := errors.AsType[*importer.NotStartedError](err); notOurs {
		return result, fmt.Errorf("seed the embedded event store: %w; or take seed out of the configuration", err)
	}
	if err != nil {
		return result, fmt.Errorf("seed the embedded event store: %w", err)
	}
	return result, nil
}
