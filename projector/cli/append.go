package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/photonpump/projector/esclient"
)

const appendLong = `Appends one event to a stream. DATA is JSON; "-" reads it from standard input. With --binary it is taken as it is.`

type appendFlags struct {
	metadata, id, expect string
	binary               bool
}

func newAppend(e *env) *cobra.Command {
	var f appendFlags
	c := e.command(&cobra.Command{
		Use: "append STREAM TYPE DATA", Short: "Append one event to a stream", Long: appendLong,
		Example: `  projector append pony_stream pony.jumped '{"name":"Applejack","height_m":0.6}'`,
	}, func(ctx context.Context, args []string) error { return e.append(ctx, args[0], args[1], args[2], f) })
	c.Flags().StringVar(&f.metadata, "metadata", "", "metadata of the event, as `JSON`")
	c.Flags().StringVar(&f.id, "id", "", "`UUID` of the event; made at random if absent")
	c.Flags().StringVar(&f.expect, "expect", "any", "`version` of the stream: number of its last event, any, none or exists")
	c.Flags().BoolVar(&f.binary, "binary", false, "DATA is no JSON")
	return c
}

func (e *env) append(ctx context.Context, stream, eventType, data string, f appendFlags) error {
	event, err := e.newEvent(eventType, data, f)
	if err != nil {
		return err
	}
	expected, err := expectedVersion(f.expect)
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
	result, err := es.client.Append(ctx, stream, expected, event)
	if err != nil {
		return err
	}
	e.printf("appended %s as event %d of %s\n", eventType, result.Last, stream)
	return nil
}

func (e *env) newEvent(eventType, data string, f appendFlags) (event esclient.NewEvent, err error) {
	body := []byte(data)
	if data == "-" {
		if body, err = io.ReadAll(e.stdin); err != nil {
			return event, err
		}
	}
	event = esclient.NewEvent{Type: eventType, Body: body}
	if !f.binary {
		if err := checkJSON(body); err != nil {
			return event, usage(fmt.Errorf("DATA is not JSON: %w; is it quoted for the shell? (--binary takes anything)", err))
		}
		event.Body = json.RawMessage(body)
	}
	if f.metadata != "" {
		if err := checkJSON([]byte(f.metadata)); err != nil {
			return event, usage(fmt.Errorf("--metadata is not JSON: %w", err))
		}
		event.Metadata = json.RawMessage(f.metadata)
	}
	if f.id != "" {
		if event.ID, err = uuid.Parse(f.id); err != nil || event.ID == uuid.Nil {
			return event, usage(fmt.Errorf("--id %q is not a UUID other than zero", f.id))
		}
	}
	return event, nil
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
