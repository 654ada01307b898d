package esclient

import (
	"context"
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// Strategy says how a group shares its events among its consumers.
type Strategy string

// The strategies.
const (
	RoundRobin          Strategy = "RoundRobin"          // to each in turn
	DispatchToSingle    Strategy = "DispatchToSingle"    // to one until it has all it can take
	Pinned              Strategy = "Pinned"              // events of one stream to one consumer, if possible
	PinnedByCorrelation Strategy = "PinnedByCorrelation" // by $correlationId of the metadata; from 20.6 on
)

// PersistentSettings are the settings of a group. Start from [DefaultPersistentSettings]: zeros mean zero.
type PersistentSettings struct {
	ResolveLinks    bool
	StartFrom       int64         // number of the first event to deliver; -1 = those written from now on
	MessageTimeout  time.Duration // an event that is not acked for so long is delivered again; milliseconds
	MaxRetries      int           // deliveries of one event beside the first, then it is parked
	LiveBuffer      int           // newest events kept in memory while catching up
	ReadBatch       int           // events read at once
	Buffer          int           // events kept in memory; must be greater than ReadBatch
	CheckpointAfter time.Duration // how often the position is stored; 0 = not by time; milliseconds
	CheckpointMin   int           // events handled since, at least, to store it by time
	CheckpointMax   int           // events handled since, at most
	MaxConsumers    int           // 0 = any number
	Strategy        Strategy
	Statistics      bool // latency histograms
}

// DefaultPersistentSettings are those of the reference client.
func DefaultPersistentSettings() PersistentSettings {
	return PersistentSettings{
		StartFrom: -1, MessageTimeout: 30 * time.Second, MaxRetries: 10, LiveBuffer: 500, ReadBatch: 20, Buffer: 500,
		CheckpointAfter: 2 * time.Second, CheckpointMin: 10, CheckpointMax: 1000, Strategy: RoundRobin,
	}
}

func (s PersistentSettings) validate() error {
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"MessageTimeout in ms", s.MessageTimeout.Milliseconds()},
		{"MaxRetries", int64(s.MaxRetries)},
		{"LiveBuffer", int64(s.LiveBuffer)},
		{"ReadBatch", int64(s.ReadBatch)},
		{"Buffer", int64(s.Buffer)},
		{"CheckpointAfter in ms", s.CheckpointAfter.Milliseconds()},
		{"CheckpointMin", int64(s.CheckpointMin)},
		{"CheckpointMax", int64(s.CheckpointMax)},
		{"MaxConsumers", int64(s.MaxConsumers)},
	} {
		if f.value < 0 || f.value > math.MaxInt32 {
			return fmt.Errorf("%s is %d, want 0 to %d", f.name, f.value, math.MaxInt32)
		}
	}
	if s.StartFrom < -1 {
		return fmt.Errorf("StartFrom is %d, want -1 (now), 0 or more", s.StartFrom)
	}
	if s.Buffer <= s.ReadBatch {
		// Old servers never read what is there then, without a word.
		return fmt.Errorf("Buffer is %d and ReadBatch %d, want Buffer greater than ReadBatch", s.Buffer, s.ReadBatch)
	}
	return nil
}

func (s PersistentSettings) encode(stream, group string) *wirepb.PersistentSubscriptionSettings {
	n := func(v int) *int32 { return proto.Int32(int32(v)) }
	ms := func(d time.Duration) *int32 { return proto.Int32(int32(d.Milliseconds())) }
	return &wirepb.PersistentSubscriptionSettings{
		SubscriptionGroupName: &group, EventStreamId: &stream, ResolveLinkTos: &s.ResolveLinks, StartFrom: &s.StartFrom,
		MessageTimeoutMilliseconds: ms(s.MessageTimeout), RecordStatistics: &s.Statistics, LiveBufferSize: n(s.LiveBuffer),
		ReadBatchSize: n(s.ReadBatch), BufferSize: n(s.Buffer), MaxRetryCount: n(s.MaxRetries),
		PreferRoundRobin: proto.Bool(s.Strategy == RoundRobin), CheckpointAfterTime: ms(s.CheckpointAfter),
		CheckpointMaxCount: n(s.CheckpointMax), CheckpointMinCount: n(s.CheckpointMin), SubscriberMaxCount: n(s.MaxConsumers),
		NamedConsumerStrategy: proto.String(string(s.Strategy)),
	}
}

// CreatePersistent makes a group on a stream. It needs a user of $admins or $ops. Errors: [ErrAlreadyExists],
// [ErrAccessDenied].
func (c *Client) CreatePersistent(ctx context.Context, stream, group string, s PersistentSettings) error {
	const name = "create group"
	if err := checkGroup(name, stream, group); err != nil {
		return err
	}
	if err := s.validate(); err != nil {
		return invalidArgument(name, groupName(stream, group), "%w", err)
	}
	var o *op
	h := handlerFunc{wire.CreatePersistentSubscriptionCompleted, func(p *wire.Package, _ *wire.Reader) verdict {
		var m wirepb.CreatePersistentSubscriptionCompleted
		if err := proto.Unmarshal(p.Payload, &m); err != nil {
			return broken(p.Command, err)
		}
		e := &ServerError{Command: p.Command.String(), Result: m.GetResult().String(), Message: m.GetReason()}
		switch m.GetResult() {
		case wirepb.CreatePersistentSubscriptionCompleted_RESULT_SUCCESS:
			return done(nil)
		case wirepb.CreatePersistentSubscriptionCompleted_RESULT_ALREADY_EXISTS:
			if c.core.wasLost(o) {
				return done(nil) // by the first sending, whose answer was lost
			}
			e.is = ErrAlreadyExists
		case wirepb.CreatePersistentSubscriptionCompleted_RESULT_ACCESS_DENIED:
			e.is = ErrAccessDenied
		}
		return done(e)
	}}
	o = c.newOp(name, groupName(stream, group), wire.CreatePersistentSubscription, h, func(dst []byte) []byte {
		return appendProto(dst, s.encode(stream, group))
	})
	o.write = true
	return c.do(ctx, o)
}

// UpdatePersistent changes the settings of a group. Its consumers are dropped by the server, and connect again. Errors:
// [ErrNotFound], [ErrAccessDenied].
func (c *Client) UpdatePersistent(ctx context.Context, stream, group string, s PersistentSettings) error {
	const name = "update group"
	if err := checkGroup(name, stream, group); err != nil {
		return err
	}
	if err := s.validate(); err != nil {
		return invalidArgument(name, groupName(stream, group), "%w", err)
	}
	h := handlerFunc{wire.UpdatePersistentSubscriptionCompleted, func(p *wire.Package, _ *wire.Reader) verdict {
		return changedVerdict(p, false)
	}}
	o := c.newOp(name, groupName(stream, group), wire.UpdatePersistentSubscription, h, func(dst []byte) []byte {
		return appendProto(dst, s.encode(stream, group))
	})
	o.write = true
	return c.do(ctx, o)
}

// DeletePersistent deletes a group. Its consumers end with [ErrNotFound]. Errors: [ErrNotFound], [ErrAccessDenied].
func (c *Client) DeletePersistent(ctx context.Context, stream, group string) error {
	const name = "delete group"
	if err := checkGroup(name, stream, group); err != nil {
		return err
	}
	var o *op
	h := handlerFunc{wire.DeletePersistentSubscriptionCompleted, func(p *wire.Package, _ *wire.Reader) verdict {
		return changedVerdict(p, c.core.wasLost(o))
	}}
	o = c.newOp(name, groupName(stream, group), wire.DeletePersistentSubscription, h, func(dst []byte) []byte {
		return appendProto(dst, &wirepb.DeletePersistentSubscription{SubscriptionGroupName: &group, EventStreamId: &stream})
	})
	o.write = true
	return c.do(ctx, o)
}

// changedVerdict is what the answer to an update or a delete means. gone says that not finding the group is a success.
func changedVerdict(p *wire.Package, gone bool) verdict {
	var m wirepb.PersistentSubscriptionChanged
	if err := proto.Unmarshal(p.Payload, &m); err != nil {
		return broken(p.Command, err)
	}
	e := &ServerError{Command: p.Command.String(), Result: m.GetResult().String(), Message: m.GetReason()}
	switch m.GetResult() {
	case wirepb.PersistentSubscriptionChanged_RESULT_SUCCESS:
		return done(nil)
	case wirepb.PersistentSubscriptionChanged_RESULT_DOES_NOT_EXIST:
		if gone {
			return done(nil)
		}
		e.is = ErrNotFound
	case wirepb.PersistentSubscriptionChanged_RESULT_ACCESS_DENIED:
		e.is = ErrAccessDenied
	}
	return done(e)
}

// groupName is how the server names a group.
func groupName(stream, group string) string { return stream + "::" + group }

func checkGroup(op, stream, group string) error {
	if err := checkStream(op, stream); err != nil {
		return err
	}
	if group == "" {
		return invalidArgument(op, stream, "no group name")
	}
	return nil
}
