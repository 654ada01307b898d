package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
)

const parkedLong = `Events that could not be handled are parked: put aside, and with them all later events of the same ordering key, while the
other keys go on. Look at them with list and show; once the reason is gone, retry them. drop forgets them for good.

Only the owner of a projection changes what is parked, between two batches. If none is running, retry and drop run the
projection themselves until that is done.`

// parkedFlags say which parked events are meant.
type parkedFlags struct {
	key    string
	hasKey bool
	number int64
	json   bool
}

func newParked(e *env) *cobra.Command {
	parked := e.group(&cobra.Command{
		Use: "parked", Short: "Look at events that could not be handled, retry or drop them", Long: parkedLong,
		Example: "  projector parked list ponies\n  projector parked retry ponies --key Applejack",
	})
	parked.AddCommand(newParkedList(e), newParkedShow(e),
		newParkedCommand(e, projector.CommandRetry, "retry NAME", "Handle parked events again, in order"),
		newParkedCommand(e, projector.CommandDrop, "drop NAME", "Forget parked events"))
	return parked
}

func newParkedList(e *env) *cobra.Command {
	var f parkedFlags
	c := e.command(&cobra.Command{
		Use: "list NAME", Short: "List the parked events of a projection", ValidArgsFunction: e.completeProjection,
		Example: "  projector parked list ponies\n  projector parked list ponies --json | jq .error",
	},
		func(ctx context.Context, args []string) error { return e.listParked(ctx, args[0], f) })
	c.Flags().StringVar(&f.key, "key", "", "only those of one ordering `key`")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON lines")
	c.PreRun = func(c *cobra.Command, _ []string) { f.hasKey = c.Flags().Changed("key") }
	return c
}

func newParkedShow(e *env) *cobra.Command {
	return e.command(&cobra.Command{
		Use: "show NAME NUMBER", Short: "Show one parked event, with its data and its error", ValidArgsFunction: e.completeProjection,
		Example: "  projector parked show ponies 7",
	},
		func(ctx context.Context, args []string) error {
			number, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil {
				return usage(fmt.Errorf("NUMBER %q is not a number", args[1]))
			}
			return e.showParked(ctx, args[0], number)
		})
}

func newParkedCommand(e *env, command, use, short string) *cobra.Command {
	var f parkedFlags
	c := e.command(&cobra.Command{
		Use: use, Short: short, ValidArgsFunction: e.completeProjection,
		Example: fmt.Sprintf("  projector parked %[1]s ponies\n  projector parked %[1]s ponies --key Applejack\n  projector parked %[1]s ponies --number 7", strings.Fields(use)[0]),
	},
		func(ctx context.Context, args []string) error { return e.sendParked(ctx, args[0], command, f) })
	c.Flags().StringVar(&f.key, "key", "", "only those of one ordering `key`")
	c.Flags().Int64Var(&f.number, "number", 0, "only the one of this `number`, as list prints it")
	c.PreRun = func(c *cobra.Command, _ []string) { f.hasKey = c.Flags().Changed("key") }
	return c
}

// parking is the database, for the parked events of one projection.
type parking struct {
	checkpoint.ParkingStore
	defined bool // here; if not, the program that defines it must run for them to change
	held    bool // somebody runs it
}

// openParking opens the database for a projection that is defined here, or known there.
func (e *env) openParking(ctx context.Context, name string) (*parking, error) {
	cfg, err := e.config(false)
	if err != nil {
		return nil, err
	}
	defined, err := e.define(cfg, nil)
	if err != nil {
		return nil, err
	}
	reader, unknown := findProjection(defined, name)
	if unknown == nil {
		if g, ok := reader.Source().(source.ManagedGroup); ok {
			return nil, fmt.Errorf("projection %s reads %s, so what is parked is in the event store: `projector read '%s'` shows it, `projector parked retry %s` has all of it delivered again",
				name, g, g.Parked(), name)
		}
	}
	store, err := e.openExisting(ctx, cfg)
	if err != nil {
		return nil, cmp.Or(unknown, err)
	}
	known, err := storedStatus(ctx, store, name)
	p := &parking{defined: unknown == nil, held: known != nil && known.Held}
	var keeps bool
	p.ParkingStore, keeps = store.(checkpoint.ParkingStore)
	switch {
	case err != nil:
	case known == nil && unknown != nil:
		err = unknown
	case !keeps:
		err = fmt.Errorf("database %s keeps no parked events", describeDatabase(cfg))
	}
	if err != nil {
		_ = store.Close()
		return nil, err
	}
	return p, nil
}

func (e *env) listParked(ctx context.Context, name string, f parkedFlags) error {
	store, err := e.openParking(ctx, name)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // nothing was written
	parked, err := store.Parked(ctx, name, f.which().Key, 0, 0)
	if err != nil {
		return err
	}
	if f.json {
		return printJSONLines(e.stdout, parked, newParkedLine)
	}
	if len(parked) == 0 {
		e.printf("no event of projection %s is parked\n", name)
		return nil
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NUMBER\tKEY\tEVENT\tTYPE\tPARKED\tATTEMPTS\tREASON")
	for i := range parked {
		p := &parked[i]
		fmt.Fprintf(w, "%d\t%s\t%d@%s\t%s\t%s\t%d\t%s\n", p.Number, keyOf(p), p.EventNo, p.Stream, p.Type,
			ago(time.Since(p.At)), p.Attempts, printable([]byte(reasonOf(p))))
	}
	return w.Flush()
}

// keyOf is the ordering key of a parked event, for people.
func keyOf(p *checkpoint.Parked) string {
	if p.Key == projector.WholeProjection {
		return "(whole projection)"
	}
	return printable([]byte(p.Key))
}

// parkedLine is a parked event as JSON.
type parkedLine struct {
	Number   int64     `json:"number"`
	Key      string    `json:"key"`
	Stream   string    `json:"stream"`
	Event    int64     `json:"event"`
	Type     string    `json:"type"`
	ID       uuid.UUID `json:"id"`
	Position string    `json:"position"`
	Parked   time.Time `json:"parked"`
	Class    string    `json:"class,omitempty"` // of the error; absent = waits behind an earlier event of its key
	Error    string    `json:"error,omitempty"`
	Attempts int       `json:"attempts"`
	First    time.Time `json:"first_attempt,omitzero"`
	Last     time.Time `json:"last_attempt,omitzero"`
	Data     any       `json:"data"`
	Metadata any       `json:"metadata,omitempty"`
}

func newParkedLine(p *checkpoint.Parked) parkedLine {
	l := parkedLine{
		Number: p.Number, Key: p.Key, Stream: p.Stream, Event: p.EventNo, Type: p.Type, ID: p.ID, Position: p.Position.String(),
		Parked: p.At, Class: p.Class, Error: p.Error, Attempts: p.Attempts, First: p.FirstTried, Last: p.Tried,
		Data: jsonOf(p.Data),
	}
	if len(p.Metadata) > 0 {
		l.Metadata = jsonOf(p.Metadata)
	}
	return l
}

func reasonOf(p *checkpoint.Parked) string {
	if p.Class == "" {
		return "waits behind an earlier event of its key"
	}
	return p.Class + " error: " + p.Error
}

// indented is text of several lines, such as an error that joins others or the stack of a panic, beside a heading.
func indented(s string) string {
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSpace(s), "\n") {
		lines = append(lines, printable([]byte(strings.ReplaceAll(line, "\t", "  "))))
	}
	return strings.Join(lines, "\n          ")
}

// attemptsOf says how often an event was tried, and when.
func attemptsOf(p *checkpoint.Parked) string {
	last := p.Tried.Local().Format(time.RFC3339)
	switch {
	case p.Attempts == 0:
		return "none"
	case p.Tried.IsZero():
		return strconv.Itoa(p.Attempts)
	case p.FirstTried.IsZero():
		return fmt.Sprintf("%d, the last at %s", p.Attempts, last)
	}
	return fmt.Sprintf("%d, from %s to %s", p.Attempts, p.FirstTried.Local().Format(time.RFC3339), last)
}

func (e *env) showParked(ctx context.Context, name string, number int64) error {
	store, err := e.openParking(ctx, name)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // nothing was written
	parked, err := store.Parked(ctx, name, nil, number-1, 1)
	if err != nil {
		return err
	}
	if len(parked) == 0 || parked[0].Number != number {
		return fmt.Errorf("projection %s: no parked event has number %d", name, number)
	}
	p := &parked[0]
	e.printf("number    %d\nkey       %s\nevent     %d@%s, %s, id %v\nposition  %v\nparked    %s\nattempts  %s\nreason    %s\ndata      %s\nmetadata  %s\n",
		p.Number, keyOf(p), p.EventNo, p.Stream, p.Type, p.ID, p.Position, p.At.Format(time.RFC3339), attemptsOf(p),
		indented(reasonOf(p)), printable(p.Data), printable(p.Metadata))
	return nil
}

func (f *parkedFlags) which() projector.Which {
	w := projector.Which{Number: f.number}
	if f.hasKey {
		w.Key = &f.key
	}
	return w
}

// sendParked asks the owner for something and waits for its answer.
func (e *env) sendParked(ctx context.Context, name, command string, f parkedFlags) error {
	if command == projector.CommandRetry && f.which() == (projector.Which{}) {
		if done, err := e.replayGroup(ctx, name); done || err != nil {
			return err
		}
	}
	store, err := e.openParking(ctx, name)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // the owner has committed
	if !store.defined && !store.held {
		return fmt.Errorf("projection %s is not defined here, and nobody runs it: use the program that defines it, whose handlers are needed", name)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	request, err := projector.Send(ctx, store, name, projector.NewCommand(command, f.which(), fmt.Sprintf("%s/%d", host, os.Getpid())))
	if errors.Is(err, checkpoint.ErrUnknownProjection) {
		return fmt.Errorf("projection %s has never run", name)
	}
	if err != nil {
		return err
	}
	answer, err := e.await(ctx, store, name, request)
	if err != nil {
		return err
	}
	if answer.Refused {
		return errors.New(answer.Answer)
	}
	e.printf("%s\n", answer.Answer)
	return nil
}
