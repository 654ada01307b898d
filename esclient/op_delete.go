package esclient

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// Delete deletes a stream softly: its events are not readable any more, but it can be written to again, and its numbers
// go on. Errors: [ErrWrongExpectedVersion], [ErrStreamDeleted], [ErrAccessDenied].
func (c *Client) Delete(ctx context.Context, stream string, expected ExpectedVersion) (Position, error) {
	return c.delete(ctx, "delete", stream, expected, false)
}

// Tombstone deletes a stream for good: nothing can ever be written to a stream of that name again.
func (c *Client) Tombstone(ctx context.Context, stream string, expected ExpectedVersion) (Position, error) {
	return c.delete(ctx, "tombstone", stream, expected, true)
}

func (c *Client) delete(ctx context.Context, name, stream string, expected ExpectedVersion, hard bool) (Position, error) {
	if err := checkVersion(name, stream, expected); err != nil {
		return Position{}, err
	}
	var at Position
	var o *op
	h := handlerFunc{wire.DeleteStreamCompleted, func(p *wire.Package, _ *wire.Reader) verdict {
		var m wirepb.DeleteStreamCompleted
		if err := proto.Unmarshal(p.Payload, &m); err != nil {
			return broken(p.Command, err)
		}
		at = Position{Commit: m.GetCommitPosition(), Prepare: m.GetPreparePosition()}
		if hard && m.GetResult() == wirepb.OperationResult_OPERATION_RESULT_STREAM_DELETED && c.core.wasLost(o) {
			at = Position{Commit: -1, Prepare: -1}
			return done(nil) // by the first sending, whose answer was lost
		}
		wrong := WrongVersionError{
			Stream: stream, Expected: expected, Current: m.GetCurrentVersion(), Known: m.CurrentVersion != nil,
		}
		return writeVerdict(p.Command, m.GetResult(), m.GetMessage(), wrong)
	}}
	o = c.newOp(name, stream, wire.DeleteStream, h, func(dst []byte) []byte {
		return appendProto(dst, &wirepb.DeleteStream{
			EventStreamId: &stream, ExpectedVersion: proto.Int64(int64(expected)), HardDelete: &hard,
			RequireLeader: proto.Bool(c.requireLeader()),
		})
	})
	o.write = true
	if err := c.do(ctx, o); err != nil {
		return Position{}, err
	}
	return at, nil
}

// wasLost reports whether an earlier sending of an op may have been carried out, its answer being lost.
func (c *core) wasLost(o *op) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return o.lost
}

// checkVersion refuses expected versions that only an append can have.
func checkVersion(op, stream string, expected ExpectedVersion) error {
	if err := checkStream(op, stream); err != nil {
		return err
	}
	if expected < Any {
		return invalidArgument(op, stream, "expected version is %v, want Any, NoStream or a number", expected)
	}
	return nil
}
