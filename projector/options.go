package projector

import (
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/projector/source"
)

// ErrInvalidOption is in the chain of every error about the value of an option.
var ErrInvalidOption = errors.New("invalid option")

// Option configures a [Runner].
type Option interface{ applyRunner(*config) }

// Setting configures one projection, see [Projection.With].
type Setting interface{ applyProjection(*settings) }

// HandlerOption configures one handler.
type HandlerOption interface{ applyHandler(*Handler) }

// Tuning is both: given to a [Runner] it is the default for all projections, given to a projection it holds for that one.
type Tuning interface {
	Option
	Setting
}

type option func(*config)

func (o option) applyRunner(c *config) { o(c) }

type setting func(*settings)

func (s setting) applyProjection(t *settings) { s(t) }

type tuning func(*settings)

func (t tuning) applyRunner(c *config)       { t(&c.settings) }
func (t tuning) applyProjection(s *settings) { t(s) }

// Once makes [Runner.Run] return when every projection has reached the end that its source had when Run began.
func Once() Option { return option(func(c *config) { c.once = true }) }

// WithLogger sets the logger. Defaults to none.
func WithLogger(l *slog.Logger) Option { return option(func(c *config) { c.logger = l }) }

// WithOwner sets the name under which leases are held, for people to read. Defaults to host name and process id.
func WithOwner(name string) Option { return option(func(c *config) { c.owner = name }) }

// WithLeaseTTL sets how long a lease lives without a commit or renewal, and so how long a takeover from a dead process
// takes at most. At least 100ms. Defaults to [DefaultLeaseTTL].
func WithLeaseTTL(d time.Duration) Option { return option(func(c *config) { c.ttl = d }) }

// WithShutdownBound sets how long [Runner.Run] may take to finish and commit what is in hand after its context has
// ended; then the work is abandoned. Defaults to [DefaultShutdownBound].
func WithShutdownBound(d time.Duration) Option { return option(func(c *config) { c.shutdown = d }) }

// WithHooks adds observers, see [Hook].
func WithHooks(h ...Hook) Option { return option(func(c *config) { c.hooks = append(c.hooks, h...) }) }

// WithBatchSize sets how many events one commit holds at most. A projection begins with 1000 and doubles that as long as commits
// take more than a quarter of the time in which their events are gathered; when it is less than a 32nd, it is halved again. While
// one batch is committed the next is gathered, so at most twice as many are in memory, and a few pages of the source. All
// projections of a runner gather 20,000 at most, or 1000 each. Defaults to [DefaultBatchSize].
func WithBatchSize(n int) Tuning { return tuning(func(s *settings) { s.batchSize = n }) }

// WithBatchBytes sets from which size of data and metadata on no more is gathered for one commit. A page of the source is never
// divided. Defaults to [DefaultBatchBytes], 16 MiB.
func WithBatchBytes(n int) Tuning { return tuning(func(s *settings) { s.batchBytes = n }) }

// WithBatchTime sets how long events are gathered for one commit at most while catching up; when live, events are committed as
// soon as they are handled. Defaults to [DefaultBatchTime].
func WithBatchTime(d time.Duration) Tuning { return tuning(func(s *settings) { s.batchTime = d }) }

// WithRetry sets what happens when a handler fails. Defaults to [DefaultRetryPolicy].
func WithRetry(p RetryPolicy) Tuning { return tuning(func(s *settings) { s.retry = p }) }

// WithMaxParked sets how many events of a projection are parked at most; the next one stops it, unless [WithParkedRetention]
// has the oldest go. Defaults to [DefaultMaxParked].
func WithMaxParked(n int) Tuning { return tuning(func(s *settings) { s.maxParked = n }) }

// WithParkedRetention sets how long parked events are kept. Defaults to for ever.
func WithParkedRetention(r Retention) Tuning { return tuning(func(s *settings) { s.retention = r }) }

// WithMaxDeaths sets how often the process must die at the same event, tried on its own, before the event is parked.
// Defaults to [DefaultMaxDeaths].
func WithMaxDeaths(n int) Tuning { return tuning(func(s *settings) { s.maxDeaths = n }) }

// WithRedaction has fn change parked events before they are stored, to remove what must not be kept. What it removes is
// not there either when the event is tried again.
func WithRedaction(fn func(*checkpoint.Parked)) Tuning {
	return tuning(func(s *settings) { s.redact = fn })
}

// WithHandlerTimeout sets how long one call of a handler may take; then its context ends, and if it does not return soon the
// projection stops. Defaults to [DefaultHandlerTimeout].
func WithHandlerTimeout(d time.Duration) Tuning {
	return tuning(func(s *settings) { s.handlerTimeout = d })
}

// WithStallAfter sets after how long a subscription is replaced that delivers nothing although the log is known to go on.
// Defaults to [DefaultStallAfter].
func WithStallAfter(d time.Duration) Tuning { return tuning(func(s *settings) { s.stallAfter = d }) }

// WithMiddleware wraps the calls of handlers. The first is outermost, and that of the runner is around that of a projection.
func WithMiddleware(m ...Middleware) Tuning {
	return tuning(func(s *settings) { s.middleware = slices.Concat(s.middleware, m) })
}

// WithWorkers sets how many handlers of [On] run at once. Events of one ordering key are handled in order, see [OrderBy].
// Defaults to 1.
func WithWorkers(n int) Tuning { return tuning(func(s *settings) { s.workers = n }) }

// EffectsAfter keeps the handlers of [On] from running for events up to and including a position, because they ran for them
// before: when a projection is built anew, its mails are not sent again. The events are counted as handled.
func EffectsAfter(floor checkpoint.Position) Setting {
	return setting(func(s *settings) { s.floor = floor })
}

// OrderBy sets the ordering key of events: events of one key are handled in order, and once one is parked, later ones of
// its key wait behind it. All events that change a row must have the same key. An event for which the function returns an
// error is of the decode class, and cannot be parked.
//
// Defaults to the row of the table, if each event changes one, and to the stream of the event if there are handlers only.
// Otherwise the projection has one key for all events, see [ParkProjection].
func OrderBy[F func(e *source.Event) string | func(e *source.Event) (string, error)](key F) Setting {
	return setting(func(s *settings) {
		switch key := any(key).(type) {
		case func(*source.Event) string:
			s.orderBy = func(e *source.Event) (string, error) { return key(e), nil }
		case func(*source.Event) (string, error):
			s.orderBy = key
		}
	})
}

// ParkProjection gives all events one ordering key, for projections in which one event changes several rows: once an event is
// parked, everything waits behind it. The projection is then paused until the event is retried or dropped. An error of a
// handler that an outage may have caused is also tried again by itself, with the delays of the policy, and once whenever the
// projection starts. With [Once], the projection stops with [ErrWaitsBehindParked].
//
// It is the default where an event may change rows with different keys, or the projection has both tables and handlers.
// [WithWorkers] then has no effect, as there is nothing that may run beside anything else.
func ParkProjection() Setting { return setting(func(s *settings) { s.parkWhole = true }) }

// WithDecodeErrors sets what happens with an event whose body cannot be decoded or upcast. It is not tried again. Defaults to
// what the policy of [WithRetry] has in the end.
func WithDecodeErrors(a Action) Tuning { return tuning(func(s *settings) { s.decode = &a }) }

// WithUpcasters brings old versions of events to those that handlers and tables know, before anything else sees them.
func WithUpcasters(u *codec.Upcasters) Tuning { return tuning(func(s *settings) { s.upcasters = u }) }

// WithCodecFromMetadata chooses the codec of a body by its name in a member of the event's metadata. Without it there, the
// handler's or projection's codec is used. It holds for handlers; tables have codecs of their own.
func WithCodecFromMetadata(member string, r *codec.Registry) Tuning {
	return tuning(func(s *settings) { s.metadataCodec = &metadataCodec{member, r} })
}

// WithRetryDelays sets the delays of the retry policy and leaves the rest of it as it is.
func WithRetryDelays(delay, maxDelay time.Duration) Tuning {
	return tuning(func(s *settings) { s.retry.Delay, s.retry.MaxDelay = delay, maxDelay })
}

// WithUnhandled sets what is done about events of types that no part wants. Defaults to [UnhandledIgnore].
func WithUnhandled(u Unhandled) Tuning { return tuning(func(s *settings) { s.unhandled = u }) }

// WithUnresolvedLinks sets what is done about links whose target is not there any more. Defaults to [UnhandledIgnore].
func WithUnresolvedLinks(u Unhandled) Tuning { return tuning(func(s *settings) { s.links = u }) }

// WithGaps sets what is done when the numbers of a stream jump, because events between were truncated or scavenged before
// they were read: warn, ignore or stop. The jumps are counted in [Status] all the same. Defaults to [UnhandledWarn].
func WithGaps(u Unhandled) Tuning { return tuning(func(s *settings) { s.gaps = u }) }

// CodecOption chooses a codec, for one handler, one projection or all of a runner.
type CodecOption struct{ codec codec.Codec }

// WithCodec sets how bodies are decoded. Defaults to JSON.
func WithCodec(c codec.Codec) CodecOption { return CodecOption{c} }

func (o CodecOption) applyHandler(h *Handler)     { h.codec = o.codec }
func (o CodecOption) applyRunner(c *config)       { c.codec = o.codec }
func (o CodecOption) applyProjection(s *settings) { s.codec = o.codec }
