package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/photonpump/projector/esclient"
)

const readLong = `Prints the events of a stream, one a line: number@stream, type, data. $all is the whole log, as it is: links are not
followed in it. Lines of --json can be imported again.`

type readFlags struct {
	from     string
	max      int
	types    []string
	backward bool
	json     bool
}

func newRead(e *env) *cobra.Command {
	var f readFlags
	c := e.command(&cobra.Command{
		Use: "read STREAM", Short: "Print the events of a stream", Long: readLong,
		Example: "  projector read pony_stream --backward --max 10\n  projector read pony_stream --from 100 --type 'pony.j*' --json\n  projector read '$all' --max 3",
	}, func(ctx context.Context, args []string) error { return e.read(ctx, args[0], f) })
	c.Flags().StringVar(&f.from, "from", "", "`number` of the first event to print; of $all, a position as --json prints it, or its first half")
	c.Flags().IntVar(&f.max, "max", 0, "at most `N` events; 0 is all")
	c.Flags().StringArrayVar(&f.types, "type", nil, "only events of this `type`, in which * stands for anything; may be repeated")
	c.Flags().BoolVar(&f.backward, "backward", false, "from the end to the start")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON lines")
	return c
}

func (e *env) read(ctx context.Context, stream string, f readFlags) error {
	if f.max < 0 {
		return usage(errors.New("--max must not be negative"))
	}
	if _, err := f.place(stream); err != nil {
		return usage(err)
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
			return errors.Join(p.flush(), err)
		}
		if err := p.print(&event); err != nil {
			return err
		}
	}
	return p.flush()
}

// allStream is the whole log. It is printed as it is: with its links resolved, events would come several times.
const allStream = "$all"

// place is where to read from; -1/-1 if the flags do not say.
func (f *readFlags) place(stream string) (esclient.Position, error) {
	if f.from == "" {
		return esclient.Position{Commit: -1, Prepare: -1}, nil
	}
	commit, prepare, both := strings.Cut(f.from, "/")
	var at esclient.Position
	var err, err2 error
	at.Commit, err = strconv.ParseInt(commit, 10, 64)
	at.Prepare = at.Commit
	if both {
		at.Prepare, err2 = strconv.ParseInt(prepare, 10, 64)
	}
	switch {
	case err != nil || err2 != nil || at.Commit < 0 || at.Prepare < 0:
		return at, fmt.Errorf("--from %q: want the number of an event, or of $all a position such as 1200/1200", f.from)
	case both && stream != allStream:
		return at, fmt.Errorf("--from %q: only $all has such positions, %s has numbers", f.from, stream)
	}
	return at, nil
}

// events yields the events that the flags ask for, whose place is known to be right.
func events(ctx context.Context, client *esclient.Client, stream string, f readFlags) iter.Seq2[esclient.Event, error] {
	wanted := typeFilter(f.types)
	return func(yield func(esclient.Event, error) bool) {
		printed := 0
		for event, err := range unfiltered(ctx, client, stream, f) {
			if err == nil && !wanted(event.Type) {
				continue
			}
			if printed++; !yield(event, err) || err == nil && printed == f.max {
				return
			}
		}
	}
}

func unfiltered(ctx context.Context, client *esclient.Client, stream string, f readFlags) iter.Seq2[esclient.Event, error] {
	o := esclient.ReadOptions{Backward: f.backward, KeepLinks: stream == allStream}
	if len(f.types) == 0 {
		o.Max = f.max
	}
	at, _ := f.place(stream)
	switch {
	case stream != allStream && at.Commit < 0 && f.backward:
		return client.StreamEvents(ctx, stream, esclient.EndOfStream, o)
	case stream != allStream:
		return client.StreamEvents(ctx, stream, max(at.Commit, 0), o)
	case at.Commit >= 0:
		return client.AllEvents(ctx, at, o)
	case f.backward:
		return client.AllEvents(ctx, esclient.End(), o)
	}
	return client.AllEvents(ctx, esclient.Start(), o)
}
