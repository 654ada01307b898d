package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/photonpump/projector/esclient"
)

const tailLong = `Prints the last events of a stream, then those that come, until Ctrl-C; $all is the whole log. The stream need not exist yet.

With --type, the last events are looked for among the last 10,000 of the stream. --from N begins with that event instead.`

// lookBack is how many events tail looks at for the last ones of some types.
const lookBack = 10_000

func newTail(e *env) *cobra.Command {
	var n int
	var f readFlags
	c := e.command(&cobra.Command{
		Use: "tail STREAM", Short: "Print the last events of a stream, and those that come", Long: tailLong,
		Example: "  projector tail pony_stream\n  projector tail '$all' -n 0 --type 'pony.*' --json",
	}, func(ctx context.Context, args []string) error { return e.tail(ctx, args[0], n, f) })
	c.Flags().IntVarP(&n, "lines", "n", 10, "begin with the last `N` events")
	c.Flags().StringVar(&f.from, "from", "", "`number` of the first event to print; of $all, a position as --json prints it")
	c.Flags().StringArrayVar(&f.types, "type", nil, "only events of this `type`, in which * stands for anything; may be repeated")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON lines")
	c.MarkFlagsMutuallyExclusive("lines", "from")
	return c
}

func (e *env) tail(ctx context.Context, stream string, n int, f readFlags) error {
	if n < 0 {
		return usage(errors.New("--lines must not be negative"))
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
	sub, err := tailFrom(ctx, es.client, stream, n, f, p)
	if err != nil {
		return err
	}
	defer sub.Stop()
	wanted := typeFilter(f.types)
	for {
		batch, err := sub.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range batch.Events {
			if event := &batch.Events[i]; wanted(event.Type) {
				if err := p.print(event); err != nil {
					return err
				}
			}
		}
		if err := p.flush(); err != nil {
			return err
		}
	}
}

// tailFrom prints what is there already and subscribes to what follows, so that nothing between is missed.
func tailFrom(ctx context.Context, client *esclient.Client, stream string, n int, f readFlags, p *eventPrinter) (*esclient.Subscription, error) {
	end, err := printThere(ctx, client, stream, n, f, p)
	if err := errors.Join(err, p.flush()); err != nil {
		return nil, err
	}
	at, _ := f.place(stream)
	from := esclient.FromStart()
	switch {
	case end != nil && stream == allStream:
		from = esclient.AfterPosition(end.Position)
	case end != nil:
		from = esclient.AfterNumber(end.RecordNumber())
	case at.Commit > 0 && stream != allStream: // an event that is still to come
		from = esclient.AfterNumber(at.Commit - 1)
	}
	if stream == allStream {
		return client.SubscribeAll(from, esclient.SubscribeOptions{KeepLinks: true}), nil
	}
	return client.SubscribeStream(stream, from, esclient.SubscribeOptions{}), nil
}

// printThere prints what is there already, and returns the last event that was read, nil if there was none.
func printThere(ctx context.Context, client *esclient.Client, stream string, n int, f readFlags, p *eventPrinter) (end *esclient.Event, err error) {
	wanted := typeFilter(f.types)
	if f.from != "" {
		for event, err := range events(ctx, client, stream, readFlags{from: f.from}) {
			if isMissing(err) {
				break
			}
			if err == nil && wanted(event.Type) {
				err = p.print(&event)
			}
			if err != nil {
				return nil, err
			}
			end = &event
		}
		return end, nil
	}
	back := readFlags{backward: true, max: max(n, 1)}
	if len(f.types) > 0 && n > 0 {
		back.max = lookBack
	}
	var last []esclient.Event // the newest first
	for event, err := range events(ctx, client, stream, back) {
		if isMissing(err) {
			break
		}
		if err != nil {
			return nil, err
		}
		if end == nil {
			end = &event
		}
		if len(last) < n && wanted(event.Type) {
			last = append(last, event)
		}
	}
	for _, event := range slices.Backward(last) {
		if err := p.print(&event); err != nil {
			return nil, err
		}
	}
	return end, nil
}
