package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// MaxShards is how many shards a projection can have at most.
const MaxShards = 128

// ErrShards is what a *[ShardsError] is.
var ErrShards = errors.New("number of shards cannot be changed")

// ShardStore is what a [Store] can do that divides projections into shards. Each shard has a lease and a position of its
// own, under the name that [ShardName] gives it, so that several processes share the work. The store has one layout of a
// projection at a time: while it has 8 shards, the projection itself cannot be acquired, nor one of 4 shards.
type ShardStore interface {
	ParkingStore

	// Divide gives a projection so many shards; with 1 it has a lease of its own again. Nothing is done if it has that
	// many. All shards begin where those before stood, or at Division.Start if the projection was never run. That wants
	// all of them at one position, owned by nobody and with nothing parked: else the error is a *[ShardsError] and
	// nothing changes. Counters are kept, and epochs go on from the highest. It is safe to call from many processes at
	// once.
	Divide(ctx context.Context, d Division) error

	// Meet notes that a process takes part in a divided projection for another ttl, by the clock of the database, and
	// tells who does and who owns which shard.
	Meet(ctx context.Context, projection string, m Member, ttl time.Duration) (Meeting, error)

	// Leave notes that a process does not take part any more. It is not an error if it did not.
	Leave(ctx context.Context, projection string, instance uuid.UUID) error
}

// Division asks for a number of shards.
type Division struct {
	Name        string   // of the projection
	Shards      int      // 1 to MaxShards
	Fingerprint string   // of the definition, for shards of a projection that was never run
	Start       Position // of a projection that was never run
}

// Validate reports every mistake, joined, as [ErrInvalid].
func (d *Division) Validate() error {
	var errs []error
	if d.Name == "" {
		errs = append(errs, fmt.Errorf("%w: division has no name of a projection", ErrInvalid))
	}
	if _, _, _, ok := ParseShardName(d.Name); ok {
		errs = append(errs, fmt.Errorf("%w: projection %q: is named like a shard, so it cannot be divided", ErrInvalid, d.Name))
	}
	if d.Shards < 1 || d.Shards > MaxShards {
		errs = append(errs, fmt.Errorf("%w: projection %q: %d shards: must be 1 to %d", ErrInvalid, d.Name, d.Shards, MaxShards))
	}
	return errors.Join(errs...)
}

// Member is a process that takes part in a divided projection.
type Member struct {
	Instance uuid.UUID // see Claim.Instance
	Owner    string    // for people to read
}

// Meeting says who takes part in a divided projection.
type Meeting struct {
	Members []Member // in the order in which they came
	Shards  []Member // who owns each shard, by its number; the zero value is nobody. Not as long as expected: divided anew
}

// ShardName is the name of the lease of a shard, counted from 0: `orders#3/8`. No projection may be named like that.
func ShardName(projection string, shard, shards int) string {
	return fmt.Sprintf("%s#%d/%d", projection, shard, shards)
}

var shardName = regexp.MustCompile(`(?s)^(.*)#([0-9]{1,9})/([0-9]{1,9})$`)

// ParseShardName splits what [ShardName] has made. ok is false for every other name.
func ParseShardName(name string) (projection string, shard, shards int, ok bool) {
	m := shardName.FindStringSubmatch(name)
	if m == nil {
		return "", 0, 0, false
	}
	shard, _ = strconv.Atoi(m[2])  // so few digits always can
	shards, _ = strconv.Atoi(m[3]) // likewise
	return m[1], shard, shards, true
}

// ShardsError says why a projection is not divided as wanted.
type ShardsError struct {
	Name          string
	Stored, Wants int      // numbers of shards; Stored is 0 if the shards wanted are not there
	Reasons       []string // each like `shards 1-3 are at 41`; empty where nobody has tried to change the number
}

func (e *ShardsError) Error() string {
	reasons := ""
	if len(e.Reasons) > 0 {
		reasons = ": " + strings.Join(e.Reasons, ", ")
	}
	return fmt.Sprintf("projection %q: %v from %s in the database to %d%s; end all processes that run it, handle or drop what is parked, and "+
		"run it once to its end with the number that the database has (`projector run --once`), or build it anew (`projector reset %s`)",
		e.Name, ErrShards, stored(e.Stored), e.Wants, reasons, e.Name)
}

func stored(n int) string {
	if n == 0 {
		return "another one"
	}
	return strconv.Itoa(n)
}

// Is makes errors.Is(err, ErrShards) true.
func (e *ShardsError) Is(target error) bool { return target == ErrShards }
