package esclient

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// Append writes events to the end of a stream, all or none, if the stream is as expected. Errors:
// [ErrWrongExpectedVersion] with a *[WrongVersionError], [ErrStreamDeleted], [ErrAccessDenied], and [ErrUnknownOutcome]
// where it cannot be known whether the events were written.
func (c *Client) Append(ctx context.Context, stream string, expected ExpectedVersion, events ...NewEvent) (WriteResult, error) {
	p, err := c.newAppend(stream, expected, events)
	if err != nil {
		return WriteResult{}, err
	}
	if err := c.do(ctx, &p.op); err != nil {
		return WriteResult{}, err
	}
	return p.append.result, nil
}

// AppendAsync is Append, but does not wait for the answer: many may be on their way. They are sent in the order of the
// calls, and sent again in that order after a reconnect. It waits only while the limit of operations in flight is reached.
// An append ends with its ctx.
//
// With [Any], and where the server may refuse one append and take the next, order is best effort; chain exact versions,
// or use [Client.AppendFrom], where it must hold.
func (c *Client) AppendAsync(ctx context.Context, stream string, expected ExpectedVersion, events ...NewEvent) *Pending {
	p, err := c.newAppend(stream, expected, events)
	if err == nil {
		err = c.core.acquire(ctx, &p.op)
	}
	if err == nil {
		err = c.core.submitWith(ctx, &p.op)
	}
	if err != nil {
		p = &Pending{}
		p.op.err, p.op.done = err, make(chan struct{})
		close(p.op.done)
	}
	return p
}

// Pending is an append on its way.
type Pending struct {
	op     op
	append appendOp
}

// Done is closed when the outcome is known.
func (p *Pending) Done() <-chan struct{} { return p.op.done }

// Wait waits for the outcome. When ctx ends first, the append goes on nevertheless.
func (p *Pending) Wait(ctx context.Context) (WriteResult, error) {
	select {
	case <-p.op.done:
	default:
		select {
		case <-p.op.done:
		case <-ctx.Done():
			return WriteResult{}, context.Cause(ctx)
		}
	}
	if p.op.err != nil {
		return WriteResult{}, p.op.err
	}
	return p.append.result, nil
}

type appendOp struct {
	stream   string
	expected ExpectedVersion
	result   WriteResult
}

func (c *Client) newAppend(stream string, expected ExpectedVersion, events []NewEvent) (*Pending, error) {
	const name = "append"
	if err := checkStream(name, stream); err != nil {
		return nil, err
	}
	if expected < StreamExists || expected == -3 {
		return nil, invalidArgument(name, stream, "expected version %d does not exist", int64(expected))
	}
	p := &Pending{append: appendOp{stream: stream, expected: expected}}
	frame, start := c.initOp(&p.op, name, stream, wire.WriteEvents, &p.append)
	frame = wire.AppendWriteHead(frame, stream, int64(expected))
	frame, err := c.appendEvents(frame, 3, events)
	if err != nil {
		return nil, invalidArgument(name, stream, "%w", err)
	}
	c.core.seal(&p.op, wire.AppendWriteTail(frame, c.requireLeader()), start)
	p.op.write = true
	p.op.ambiguous = !c.core.cfg.ambiguous && expected < NoStream
	return p, nil
}

// appendEvents appends events as field num of a message.
func (c *Client) appendEvents(dst []byte, num int32, events []NewEvent) (_ []byte, err error) {
	for i := range events {
		if dst, err = c.appendEvent(dst, num, &events[i]); err != nil {
			return dst, fmt.Errorf("event %d: %w", i, err)
		}
	}
	return dst, nil
}

func (c *Client) appendEvent(dst []byte, num int32, e *NewEvent) ([]byte, error) {
	if e.Type == "" {
		return dst, errNoType
	}
	id := e.ID
	if id == (uuid.UUID{}) {
		id = newID()
	}
	body, isJSON, err := c.encode(e, e.Body)
	if err != nil {
		return dst, fmt.Errorf("body of %q: %w", e.Type, err)
	}
	metadata, _, err := c.encode(e, e.Metadata)
	if err != nil {
		return dst, fmt.Errorf("metadata of %q: %w", e.Type, err)
	}
	raw := wire.IDBytes(id)
	w := wire.Event{ID: raw[:], Type: []byte(e.Type), Data: body, Metadata: metadata}
	if isJSON {
		w.ContentType = wire.ContentJSON
	}
	return w.AppendField(dst, num), nil
}

// encode returns the bytes of a body or metadata, never nil: the server wants them to be there.
func (c *Client) encode(e *NewEvent, v any) (data []byte, isJSON bool, err error) {
	switch v := v.(type) {
	case nil:
		return []byte{}, false, nil
	case []byte:
		return nonNil(v), false, nil
	case json.RawMessage:
		return nonNil(v), true, nil
	}
	cd := e.Codec
	if cd == nil {
		cd = c.core.cfg.codec
	}
	data, err = cd.Encode(nil, v)
	return nonNil(data), cd.JSON(), err
}

func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func (a *appendOp) handle(p *wire.Package, _ *wire.Reader) verdict {
	if p.Command != wire.WriteEventsCompleted {
		return unexpected(p)
	}
	var m wire.WriteEventsCompletedBody
	if err := m.Decode(p.Payload); err != nil {
		return broken(p.Command, err)
	}
	if m.Result == wirepb.OperationResult_OPERATION_RESULT_SUCCESS {
		a.result = WriteResult{
			First: m.First, Last: m.Last, Position: Position{Commit: m.Commit.Value, Prepare: m.Prepare.Value},
		}
		return done(nil)
	}
	wrong := WrongVersionError{
		Stream: a.stream, Expected: a.expected, Current: m.CurrentVersion.Value, Known: m.CurrentVersion.Set,
	}
	return writeVerdict(p.Command, m.Result, m.Message.Value, wrong)
}

// writeVerdict is what the result of a write means, of any kind.
func writeVerdict(cmd wire.Command, result wirepb.OperationResult, text string, wrong WrongVersionError) verdict {
	e := &ServerError{Command: cmd.String(), Message: text}
	switch result {
	case wirepb.OperationResult_OPERATION_RESULT_SUCCESS:
		return done(nil)
	case wirepb.OperationResult_OPERATION_RESULT_PREPARE_TIMEOUT,
		wirepb.OperationResult_OPERATION_RESULT_COMMIT_TIMEOUT,
		wirepb.OperationResult_OPERATION_RESULT_FORWARD_TIMEOUT:
		e.Result, e.is = result.String(), ErrTimeout
		return retry(e)
	case wirepb.OperationResult_OPERATION_RESULT_WRONG_EXPECTED_VERSION:
		return done(&wrong)
	case wirepb.OperationResult_OPERATION_RESULT_STREAM_DELETED:
		e.Result, e.is = "StreamDeleted", ErrStreamDeleted
	case wirepb.OperationResult_OPERATION_RESULT_INVALID_TRANSACTION:
		e.Result, e.is = "InvalidTransaction", ErrInvalidTransaction
	case wirepb.OperationResult_OPERATION_RESULT_ACCESS_DENIED:
		e.Result, e.is = "AccessDenied", ErrAccessDenied
	default:
		e.Result = fmt.Sprintf("result %d", int32(result))
	}
	return done(e)
}
