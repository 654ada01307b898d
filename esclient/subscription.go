package esclient

// From says where a subscription starts. The zero value is the start of the stream or log.
type From struct {
	kind     fromKind
	number   int64
	position Position
}

type fromKind uint8

const (
	fromStart fromKind = iota
	fromEnd
	fromNumber
	fromPosition
)

// FromStart starts with the first event there is.
func FromStart() From { return From{} }

// FromEnd starts with the first event written after the subscription was confirmed.
func FromEnd() From { return From{kind: fromEnd} }

// AfterNumber starts with the event of a stream that follows number n.
func AfterNumber(n int64) From { return From{kind: fromNumber, number: n} }

// AfterPosition starts with the event of $all that follows position p.
func AfterPosition(p Position) From { return From{kind: fromPosition, position: p} }

// SubscribeOptions say how to subscribe. The zero value resolves links.
type SubscribeOptions struct {
	KeepLinks bool    // do not resolve links
	PageSize  int     // events per request while catching up, 1 to [MaxPageSize]; 0 = [DefaultPageSize]
	LiveQueue int     // live events held for a slow consumer, at most; 0 = [DefaultLiveQueue]
	Filter    *Filter // $all only, from server 20.6 on
}

// DefaultLiveQueue is how many live events are held for a slow consumer. A catch-up subscription that gets more goes
// back to reading pages; a volatile one ends with [ErrFellBehind].
const DefaultLiveQueue = 10_000

// Batch is a run of events as a subscription received them.
type Batch struct {
	Events   []Event  // valid until the next call of Next; the events themselves stay valid
	Number   int64    // subscriptions of a stream: everything up to this number has been delivered; -1 = nothing
	Position Position // subscriptions of $all: everything up to here has been delivered or passed over
	Live     bool     // nothing more was waiting when this batch was made
}
