package projector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/projector/source"
)

type config struct {
	settings // defaults of the projections
	once     bool
	tasks    int // projections of the runner
	logger   *slog.Logger
	owner    string
	instance uuid.UUID
	ttl      time.Duration
	shutdown time.Duration
	suspects chan struct{} // one slot: a task handles an event that may kill the process
	hooks    hooks
}

// settings of one projection.
type settings struct {
	codec      codec.Codec
	start      checkpoint.Position
	findStart  func(context.Context, source.Source) (checkpoint.Position, error) // nil = at start
	unhandled  Unhandled
	links      Unhandled
	gaps       Unhandled
	batchSize  int
	batchBytes int
	batchTime  time.Duration
	retry      RetryPolicy
	orderBy    func(*source.Event) (string, error)
	parkWhole  bool
	decode     *Action // nil = that of retry
	maxParked  int
	retention  Retention
	redact     func(*checkpoint.Parked)
	maxDeaths  int

	handlerTimeout time.Duration
	middleware     []Middleware // the first is outermost
	floor          checkpoint.Position
	workers        int
	stallAfter     time.Duration
	upcasters      *codec.Upcasters
	metadataCodec  *metadataCodec

	dedupe   time.Duration // of a group; 0 = without
	inFlight int           // of a group; 0 = as usual
	onceIdle time.Duration
	shards   int
}

// Defaults of the options.
const (
	DefaultLeaseTTL      = 10 * time.Second
	DefaultShutdownBound = 20 * time.Second
	DefaultBatchSize     = 5000
	DefaultBatchBytes    = 16 << 20
	DefaultBatchTime     = 100 * time.Millisecond
)

func defaults() config {
	return config{
		settings: settings{
			codec:      codec.JSON(),
			batchSize:  DefaultBatchSize,
			batchBytes: DefaultBatchBytes,
			batchTime:  DefaultBatchTime,
			retry:      DefaultRetryPolicy(),
			gaps:       UnhandledWarn,
			maxParked:  DefaultMaxParked,
			maxDeaths:  DefaultMaxDeaths,
			workers:    1,
			shards:     1,

			handlerTimeout: DefaultHandlerTimeout,
			stallAfter:     DefaultStallAfter,
			onceIdle:       DefaultOnceIdle,
		},
		logger:   slog.New(slog.DiscardHandler),
		owner:    defaultOwner(),
		instance: uuid.New(),
		ttl:      DefaultLeaseTTL,
		suspects: make(chan struct{}, 1),
		shutdown: DefaultShutdownBound,
	}
}

func defaultOwner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

func (c *config) validate() error {
	var errs []error
	fail := func(name string, value any, want string) {
		errs = append(errs, fmt.Errorf("%w: %s: %v: must be %s", ErrInvalidOption, name, value, want))
	}
	if c.ttl < 100*time.Millisecond {
		fail("WithLeaseTTL", c.ttl, "at least 100ms")
	}
	if c.shutdown <= 0 {
		fail("WithShutdownBound", c.shutdown, "positive")
	}
	if c.owner == "" {
		fail("WithOwner", `""`, "a name")
	}
	if c.logger == nil {
		fail("WithLogger", "nil", "a logger")
	}
	return errors.Join(append(errs, c.settings.validate())...)
}

func (s *settings) validate() error {
	var errs []error
	fail := func(name string, value any, want string) {
		errs = append(errs, fmt.Errorf("%w: %s: %v: must be %s", ErrInvalidOption, name, value, want))
	}
	if s.batchSize < 1 {
		fail("WithBatchSize", s.batchSize, "at least 1")
	}
	if s.batchBytes < 1 {
		fail("WithBatchBytes", s.batchBytes, "at least 1")
	}
	if s.batchTime <= 0 {
		fail("WithBatchTime", s.batchTime, "positive")
	}
	if s.codec == nil {
		fail("WithCodec", "nil", "a codec")
	}
	if s.maxParked < 0 {
		fail("WithMaxParked", s.maxParked, "0 or more")
	}
	if s.maxDeaths < 1 {
		fail("WithMaxDeaths", s.maxDeaths, "at least 1")
	}
	if s.handlerTimeout <= 0 {
		fail("WithHandlerTimeout", s.handlerTimeout, "positive")
	}
	if s.stallAfter <= 0 {
		fail("WithStallAfter", s.stallAfter, "positive")
	}
	for name, u := range map[string]Unhandled{"WithUnhandled": s.unhandled, "WithUnresolvedLinks": s.links, "WithGaps": s.gaps} {
		if u > UnhandledStop || u == UnhandledPark && name == "WithGaps" {
			fail(name, u, "an Unhandled that fits")
		}
	}
	if s.dedupe < 0 {
		fail("WithDedupe", s.dedupe, "positive")
	}
	if s.inFlight < 0 {
		fail("WithInFlight", s.inFlight, "at least 1")
	}
	if s.onceIdle <= 0 {
		fail("WithOnceIdle", s.onceIdle, "positive")
	}
	if s.shards < 1 || s.shards > MaxShards {
		fail("Shards", s.shards, fmt.Sprintf("1 to %d", MaxShards))
	}
	if s.workers < 1 {
		fail("WithWorkers", s.workers, "at least 1")
	}
	if s.decode != nil && *s.decode > ActionPark {
		fail("WithDecodeErrors", uint8(*s.decode), "an Action")
	}
	if s.parkWhole && s.orderBy != nil {
		errs = append(errs, fmt.Errorf("%w: OrderBy and ParkProjection: want one or the other", ErrInvalidOption))
	}
	if slices.ContainsFunc(s.middleware, func(m Middleware) bool { return m == nil }) {
		fail("WithMiddleware", "nil", "a function")
	}
	return errors.Join(append(errs, s.retention.validate(), s.retry.validate())...)
}

// decodeThen is what happens with an event that cannot be decoded.
func (s *settings) decodeThen() Action {
	if s.decode != nil {
		return *s.decode
	}
	return s.retry.Then
}
