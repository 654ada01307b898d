package esclient

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// Transaction is a write to one stream in several requests, seen by readers once it is committed. The server forgets one
// that is abandoned. Servers keep transactions for old clients only: an append of several events is atomic as well.
// A transaction is used by one goroutine at a time.
type Transaction struct {
	c        *Client
	id       int64
	stream   string
	expected ExpectedVersion
}

// ID names the transaction, for [Client.ContinueTransaction].
func (t *Transaction) ID() int64 { return t.id }

// StartTransaction starts a write. The expected version is checked when it is committed.
func (c *Client) StartTransaction(ctx context.Context, stream string, expected ExpectedVersion) (*Transaction, error) {
	const name = "start transaction"
	if err := checkVersion(name, stream, expected); err != nil {
		return nil, err
	}
	t := &Transaction{c: c, stream: stream, expected: expected}
	h := handlerFunc{wire.TransactionStartCompleted, func(p *wire.Package, _ *wire.Reader) verdict {
		var m wirepb.TransactionStartCompleted
		if err := proto.Unmarshal(p.Payload, &m); err != nil {
			return broken(p.Command, err)
		}
		t.id = m.GetTransactionId()
		return writeVerdict(p.Command, m.GetResult(), m.GetMessage(), t.wrongVersion())
	}}
	err := c.do(ctx, c.newOp(name, stream, wire.TransactionStart, h, func(dst []byte) []byte {
		return appendProto(dst, &wirepb.TransactionStart{
			EventStreamId: &stream, ExpectedVersion: proto.Int64(int64(expected)), RequireLeader: proto.Bool(c.requireLeader()),
		})
	}))
	if err != nil {
		return nil, err
	}
	return t, nil
}

// ContinueTransaction goes on with a transaction that was started before, perhaps by another process. The stream is for
// error messages only.
func (c *Client) ContinueTransaction(id int64, stream string) *Transaction {
	return &Transaction{c: c, id: id, stream: stream, expected: Any}
}

// Write adds events. Servers do not recognise a repeated write, so that it is never sent twice: if the answer is lost,
// the error is [ErrUnknownOutcome].
func (t *Transaction) Write(ctx context.Context, events ...NewEvent) error {
	const name = "write in transaction"
	h := handlerFunc{wire.TransactionWriteCompleted, func(p *wire.Package, _ *wire.Reader) verdict {
		var m wirepb.TransactionWriteCompleted
		if err := proto.Unmarshal(p.Payload, &m); err != nil {
			return broken(p.Command, err)
		}
		v := writeVerdict(p.Command, m.GetResult(), m.GetMessage(), t.wrongVersion())
		if v.kind == retryVerdict {
			return done(&joined{text: v.err, also: ErrUnknownOutcome})
		}
		return v
	}}
	var invalid error
	o := t.c.newOp(name, t.stream, wire.TransactionWrite, h, func(dst []byte) []byte {
		dst = wire.AppendTransactionWriteHead(dst, t.id)
		dst, invalid = t.c.appendEvents(dst, 2, events)
		return wire.AppendTransactionWriteTail(dst, t.c.requireLeader())
	})
	if invalid != nil {
		return invalidArgument(name, t.stream, "%w", invalid)
	}
	o.write, o.ambiguous = true, true
	return t.c.do(ctx, o)
}

// Commit makes the events visible, all or none. It may be called again after an error.
func (t *Transaction) Commit(ctx context.Context) (WriteResult, error) {
	var result WriteResult
	h := handlerFunc{wire.TransactionCommitCompleted, func(p *wire.Package, _ *wire.Reader) verdict {
		var m wirepb.TransactionCommitCompleted
		if err := proto.Unmarshal(p.Payload, &m); err != nil {
			return broken(p.Command, err)
		}
		result = WriteResult{
			First: m.GetFirstEventNumber(), Last: m.GetLastEventNumber(),
			Position: Position{Commit: m.GetCommitPosition(), Prepare: m.GetPreparePosition()},
		}
		return writeVerdict(p.Command, m.GetResult(), m.GetMessage(), t.wrongVersion())
	}}
	o := t.c.newOp("commit transaction", t.stream, wire.TransactionCommit, h, func(dst []byte) []byte {
		return appendProto(dst, &wirepb.TransactionCommit{TransactionId: &t.id, RequireLeader: proto.Bool(t.c.requireLeader())})
	})
	o.write = true
	if err := t.c.do(ctx, o); err != nil {
		return WriteResult{}, err
	}
	return result, nil
}

func (t *Transaction) wrongVersion() WrongVersionError {
	return WrongVersionError{Stream: t.stream, Expected: t.expected}
}
