package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/photonpump/projector/esclient"
)

const tailLong = `Prints the last events of a stream, then those that come, until Ctrl-C; $all is the whole log.`

func newTail(e *env) *cobra.Command {
	var n int
	var asJSON bool
	c := e.command(&cobra.Command{
		Use: "tail STREAM", Short: "Print the last events of a stream, and those that come", Long: tailLong,
		Example: "  projector tail pony_stream\n  projector tail '$all' -n 0 --json",
	}, func(ctx context.Context, args []string) error { return e.tail(ctx, args[0], n, asJSON) })
	c.Flags().IntVarP(&n, "lines", "n", 10, "begin with the last `N` events")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON lines")
	return c
}

func (e *env) tail(ctx context.Context, stream string, n int, asJSON bool) error {
	if n < 0 {
		return usage(fmt.Errorf("--lines must not be negative"))
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
	p := newEventPrinter(e.stdout, asJSON)
	sub, err := e.tailFrom(ctx, es.client, stream, n, p)
	if err != nil {
		return err
	}
	defer sub.Stop()
	for {
		batch, err := sub.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range batch.Events {
			if err := p.print(&batch.Events[i]); err != nil {
				return err
			}
		}
		if err := p.flush(); err != nil {
			return err
		}
	}
}

// tailFrom prints the last n events and subscribes to what follows, so that nothing between is missed.
func (e *env) tailFrom(ctx context.Context, client *esclient.Client, stream string, n int, p *eventPrinter) (*esclient.Subscription, error) {
	var last []esclient.Event
	for event, err := range events(ctx, client, stream, readFlags{from: esclient.EndOfStream, max: max(n, 1), backward: true}) {
		if isMissing(err) {
			break
		}
		if err != nil {
			return nil, err
		}
		last = append(last, event)
	}
	for _, event := range slices.Backward(last[:min(n, len(last))]) {
		if err := p.print(&event); err != nil {
			return nil, err
		}
	}
	if err := p.flush(); err != nil {
		return nil, err
	}
	all := stream == allStream
	from := esclient.FromStart()
	switch {
	case len(last) > 0 && all:
		from = esclient.AfterPosition(last[0].Position)
	case len(last) > 0:
		from = esclient.AfterNumber(last[0].RecordNumber())
	}
	if all {
		return client.SubscribeAll(from, esclient.SubscribeOptions{KeepLinks: true}), nil
	}
	return client.SubscribeStream(stream, from, esclient.SubscribeOptions{}), nil
}
