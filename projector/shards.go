package projector

import (
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/photonpump/projector/checkpoint"
)

// MaxShards is how many shards a projection can have at most.
const MaxShards = checkpoint.MaxShards

// Shards divides a projection into so many shards, 1 to [MaxShards], which the live processes share evenly: each shard has a
// position, an owner and parked events of its own, and one process reads once for all that it owns. An event belongs to
// the shard that [ShardOf] gives its ordering key, so order is kept within a key, and events that change the same row, or
// need to be handled in order, must have the same key: see [OrderBy]. Take more shards than there will ever be processes.
// Defaults to 1: the projection has one owner.
//
// The number can be changed only while all shards are at one position with nothing parked and no owner; otherwise the
// projection stops and says so.
func Shards(n int) Setting { return setting(func(s *settings) { s.shards = n }) }

// ShardOf returns which of n shards the events of an ordering key belong to: the 64 bit FNV-1a hash of its bytes, modulo n.
// This never changes.
func ShardOf(key string, n int) int {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	return int(h.Sum64() % uint64(n)) //nolint:gosec // n is small and positive
}

// checkShards reports why a projection cannot be divided as its settings say.
func (p *Projection) checkShards(store checkpoint.Store, s *settings) error {
	if _, _, _, like := checkpoint.ParseShardName(p.name); like {
		return errors.New("is named like a shard: leave out what is behind the #")
	}
	if s.shards == 1 {
		return nil
	}
	const cure = "give every event one key with OrderBy, the same for all events that change the same row, or leave Shards at 1"
	if _, ok := store.(checkpoint.ShardStore); !ok && store != nil {
		return fmt.Errorf("%w: Shards: %d: the store does not keep shards; leave it at 1", ErrInvalidOption, s.shards)
	}
	switch crossing := p.crossing(); {
	case p.group != nil:
		return fmt.Errorf("%w: Shards: %d: the consumers of a group share its events anyway; leave it at 1", ErrInvalidOption, s.shards)
	case s.parkWhole:
		return fmt.Errorf("%w: Shards: %d: everything waits behind a parked event (ParkProjection), so nothing can be divided; %s",
			ErrInvalidOption, s.shards, cure)
	case crossing != "" && s.orderBy == nil:
		return fmt.Errorf("%w: Shards: %d: %s; %s", ErrInvalidOption, s.shards, crossing, cure)
	}
	return nil
}
