package projector

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/photonpump/projector/checkpoint"
)

// Request is a command that was sent to the owner of a projection, or to those of its shards that it concerns.
type Request struct {
	store checkpoint.ParkingStore
	sent  []sent
}

// sent is the command to one owner.
type sent struct {
	to     string // the shard; empty = the projection
	number int64
}

// Send sends a command for parked events, see [NewCommand], to the owner of a projection. If that is divided into shards, the
// command goes to each shard that has such events. Its answer is there when the owners have executed it, between two batches.
func Send(ctx context.Context, store checkpoint.ParkingStore, projection string, c checkpoint.Command) (*Request, error) {
	st, err := storedStatus(ctx, store, projection)
	if err != nil {
		return nil, err
	}
	r := &Request{store: store}
	if st == nil || len(st.Shards) == 0 {
		return r, r.send(ctx, projection, "", c)
	}
	shards, err := concerned(ctx, store, st, &c)
	if err != nil {
		return nil, err
	}
	for _, i := range shards {
		if err := r.send(ctx, st.Shards[i].Name, fmt.Sprintf("shard %d", i), c); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *Request) send(ctx context.Context, lease, to string, c checkpoint.Command) error {
	number, err := r.store.Send(ctx, lease, c)
	r.sent = append(r.sent, sent{to, number})
	return err
}

// concerned returns the shards that a command is for; where there is none, the first says so.
func concerned(ctx context.Context, store checkpoint.ParkingStore, st *checkpoint.Status, c *checkpoint.Command) ([]int, error) {
	var which Which
	if len(c.Args) > 0 && json.Unmarshal(c.Args, &which) != nil {
		return []int{0}, nil
	}
	key := which.Key
	if which.Number != 0 {
		rows, err := store.Parked(ctx, st.Name, nil, which.Number-1, 1)
		if err != nil {
			return nil, err
		}
		if len(rows) > 0 && rows[0].Number == which.Number {
			key = &rows[0].Key
		}
	}
	if key != nil {
		return []int{ShardOf(*key, len(st.Shards))}, nil
	}
	var shards []int
	for i := range st.Shards {
		if st.Shards[i].Parked > 0 && which.Number == 0 {
			shards = append(shards, i)
		}
	}
	if len(shards) == 0 {
		shards = []int{0}
	}
	return shards, nil
}

// Answer returns the command with its answer, if there is one; with that of each shard if there are several, and refused if
// one of them has refused.
func (r *Request) Answer(ctx context.Context) (c checkpoint.Command, done bool, err error) {
	var texts []string
	answers := make([]checkpoint.Command, len(r.sent))
	for i, s := range r.sent {
		answer, err := r.store.Command(ctx, s.number)
		if err != nil || answer.Done.IsZero() {
			return answer, false, err
		}
		answers[i] = answer
		if len(r.sent) > 1 {
			texts = append(texts, s.to+": "+answer.Answer)
		} else {
			texts = append(texts, answer.Answer)
		}
	}
	c = answers[len(answers)-1]
	c.Answer = strings.Join(texts, "\n")
	c.Refused = slices.ContainsFunc(answers, func(a checkpoint.Command) bool { return a.Refused })
	return c, true, nil
}
