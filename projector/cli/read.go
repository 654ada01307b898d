package cli

import (
	"context"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"github.com/photonpump/projector/esclient"
)

const readLong = `Prints the events of a stream, one a line; $all is the whole log. Lines of --json can be imported again.`

type readFlags struct {
	from     int64
	max      int
	backward bool
	json     bool
}

func newRead(e *env) *cobra.Command {
	var f readFlags
	c := e.command(&cobra.Command{
		Use: "read STREAM", Short: "Print the events of a stream", Long: readLong,
		Example: "  projector read pony_stream --backward --max 10",
	}, func(ctx context.Context, args []string) error { return e.read(ctx, args[0], f) })
	c.Flags().Int64Var(&f.from, "from", esclient.EndOfStream, "`number` of the first event to print; of $all, its commit position")
	c.Flags().IntVar(&f.max, "max", 0, "at most `N` events; 0 is all")
	c.Flags().BoolVar(&f.backward, "backward", false, "from the end to the start")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON lines")
	return c
}

func (e *env) read(ctx context.Context, stream string, f readFlags) error {
	if f.from < esclient.EndOfStream || f.max < 0 {
		return usage(fmt.Errorf("--from and --max must not be negative"))
	}
	cfg, err := e.config(true)
	if err != nil {
		return err
	}
	es, err := e.openEventStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer es.Close() //nolint:errcheck // nothing was written
	p := newEventPrinter(e.stdout, f.json)
	for event, err := range events(ctx, es.client, stream, f) {
		if err != nil {
			return err
		}
		if err := p.print(&event); err != nil {
			return err
		}
	}
	return p.flush()
}

// allStream is the whole log. It is printed as it is: with its links resolved, events would come several times.
const allStream = "$all"

func events(ctx context.Context, client *esclient.Client, stream string, f readFlags) iter.Seq2[esclient.Event, error] {
	o := esclient.ReadOptions{Backward: f.backward, Max: f.max, KeepLinks: stream == allStream}
	if stream != allStream {
		if f.from < 0 && !f.backward {
			f.from = 0
		}
		return client.StreamEvents(ctx, stream, f.from, o)
	}
	from := esclient.Start()
	switch {
	case f.from >= 0:
		from = esclient.Position{Commit: f.from, Prepare: f.from}
	case f.backward:
		from = esclient.End()
	}
	return client.AllEvents(ctx, from, o)
}
