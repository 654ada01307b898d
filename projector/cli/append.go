package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector/cli/internal/progress"
)

const appendLong = `Appends events of one type to a stream: one for each DATA, all of them or none.

DATA is JSON; "-" reads the data of one event from standard input. With --binary it is taken as it is. With --lines, each
line of standard input is the data of an event, appended as it comes; if something fails, those before it are there.
For events of several streams and types, see import.`

type appendFlags struct {
	metadata, id, expect string
	binary, lines, json  bool
}

func newAppend(e *env) *cobra.Command {
	var f appendFlags
	c := e.command(&cobra.Command{
		Use: "append STREAM TYPE [DATA…]", Short: "Append events to a stream", Long: appendLong,
		Example: `  projector append pony_stream pony.jumped '{"name":"Applejack","height_m":0.6}'
  jq -c '.[]' jumps.json | projector append pony_stream pony.jumped --lines
  projector append pony_stream pony.born - --expect none < born.json`,
	}, func(ctx context.Context, args []string) error { return e.append(ctx, args[0], args[1], args[2:], f) })
	c.Flags().StringVar(&f.metadata, "metadata", "", "metadata of each event, as `JSON`")
	c.Flags().StringVar(&f.id, "id", "", "`UUID` of the event, if it is one; made at random if absent")
	c.Flags().StringVar(&f.expect, "expect", "any", "`version` of the stream: number of its last event, any, none or exists")
	c.Flags().BoolVar(&f.binary, "binary", false, "DATA is no JSON")
	c.Flags().BoolVar(&f.lines, "lines", false, "read events from standard input, one a line")
	c.Flags().BoolVar(&f.json, "json", false, "print a JSON object")
	return c
}

func (e *env) append(ctx context.Context, stream, eventType string, data []string, f appendFlags) error {
	template, err := f.template(eventType)
	if err != nil {
		return usage(err)
	}
	expected, err := expectedVersion(f.expect)
	if err != nil {
		return err
	}
	var events []esclient.NewEvent
	if !f.lines {
		events, err = e.newEvents(template, data, f)
	} else if len(data) > 0 || f.id != "" {
		err = usage(errors.New("--lines reads the events from standard input: no DATA and no --id go with it"))
	}
	if err != nil {
		return err
	}
	cfg, err := e.config(true)
	if err != nil {
		return err
	}
	es, err := e.openEventStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer es.Close() //nolint:errcheck // the append is acknowledged
	var result esclient.WriteResult
	if f.lines {
		var broken error
		result, err = es.client.AppendFrom(ctx, stream, expected, e.linesOf(template, f, &broken), esclient.AppendFromOptions{})
		err = errors.Join(err, broken)
	} else {
		result, err = es.client.Append(ctx, stream, expected, events...)
	}
	if result.Last >= result.First && (err == nil || f.lines) {
		if said := e.printAppended(stream, eventType, result, f.json); said != nil {
			return said
		}
	}
	return err
}

// appendLine is what `append --json` prints.
type appendLine struct {
	Stream   string `json:"stream"`
	First    int64  `json:"first"` // number of an event
	Last     int64  `json:"last"`
	Position string `json:"position,omitempty"` // of the last event in the log; absent if the server had it before
}

func (e *env) printAppended(stream, eventType string, r esclient.WriteResult, asJSON bool) error {
	if asJSON {
		l := appendLine{Stream: stream, First: r.First, Last: r.Last}
		if r.Position.Commit >= 0 {
			l.Position = r.Position.String()
		}
		return json.NewEncoder(e.stdout).Encode(l)
	}
	if r.First == r.Last {
		e.printf("appended %s as event %d of %s\n", eventType, r.Last, stream)
		return nil
	}
	e.printf("appended %s %s as events %d to %d of %s\n", progress.Count(r.Last-r.First+1), eventType, r.First, r.Last, stream)
	return nil
}

// template is an event without its data.
func (f *appendFlags) template(eventType string) (event esclient.NewEvent, err error) {
	event.Type = eventType
	if f.metadata != "" {
		if err := checkJSON([]byte(f.metadata)); err != nil {
			return event, fmt.Errorf("--metadata is not JSON: %w", err)
		}
		event.Metadata = json.RawMessage(f.metadata)
	}
	if f.id != "" {
		if event.ID, err = uuid.Parse(f.id); err != nil || event.ID == uuid.Nil {
			return event, fmt.Errorf("--id %q is not a UUID other than zero", f.id)
		}
	}
	return event, nil
}

// newEvents makes an event of each argument.
func (e *env) newEvents(template esclient.NewEvent, data []string, f appendFlags) ([]esclient.NewEvent, error) {
	switch {
	case len(data) == 0:
		return nil, usage(errors.New("DATA is missing; usage: projector append STREAM TYPE DATA, or --lines to read events from standard input"))
	case len(data) > 1 && f.id != "":
		return nil, usage(errors.New("--id is for one event only"))
	case slices.Contains(data, "-") && slices.Contains(data[slices.Index(data, "-")+1:], "-"):
		return nil, usage(errors.New("standard input can be the data of one event only; see --lines"))
	}
	events := make([]esclient.NewEvent, len(data))
	for i, text := range data {
		body := []byte(text)
		if text == "-" {
			var err error
			if body, err = io.ReadAll(e.stdin); err != nil {
				return nil, err
			}
		}
		events[i] = template
		if err := setBody(&events[i], body, f.binary); err != nil {
			return nil, usage(fmt.Errorf("DATA is not JSON: %w; is it quoted for the shell? (--binary takes anything)", err))
		}
	}
	return events, nil
}

// linesOf yields an event for each line of stdin, to its end or to the first that is none, which broken then says.
func (e *env) linesOf(template esclient.NewEvent, f appendFlags, broken *error) iter.Seq[esclient.NewEvent] {
	const longest = 16 << 20 // bytes; the server takes no larger events
	return func(yield func(esclient.NewEvent) bool) {
		lines := bufio.NewScanner(e.stdin)
		lines.Buffer(nil, longest)
		for n := 1; lines.Scan(); n++ {
			text := bytes.Clone(lines.Bytes())
			if len(bytes.TrimSpace(text)) == 0 {
				continue
			}
			event := template
			if err := setBody(&event, text, f.binary); err != nil {
				*broken = fmt.Errorf("%s:%d: not JSON: %w (--binary takes anything); the lines before it are appended", stdinName, n, err)
				return
			}
			if !yield(event) {
				return
			}
		}
		*broken = lines.Err()
	}
}

func setBody(event *esclient.NewEvent, body []byte, binary bool) error {
	event.Body = body
	if binary {
		return nil
	}
	event.Body = json.RawMessage(body)
	return checkJSON(body)
}

func checkJSON(b []byte) error {
	var v json.RawMessage
	return json.Unmarshal(b, &v)
}

func expectedVersion(text string) (esclient.ExpectedVersion, error) {
	switch text {
	case "any":
		return esclient.Any, nil
	case "none":
		return esclient.NoStream, nil
	case "exists":
		return esclient.StreamExists, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, usage(errors.New("--expect wants the number of the last event, any, none or exists, got " + strconv.Quote(text)))
	}
	return esclient.ExpectedVersion(n), nil
}
