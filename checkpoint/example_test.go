package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/memory"
)

func Example() {
	ctx := context.Background()
	store := memory.Open() // or sqlite.Open, postgres.Open
	ponies := &checkpoint.Table{
		Name: "ponies",
		Columns: []checkpoint.Column{
			{Name: "name", Type: checkpoint.Type{Base: checkpoint.Text}},
			{Name: "jumps", Type: checkpoint.Type{Base: checkpoint.Int}, NotNull: true},
		},
		Key: []string{"name"},
	}
	if err := errors.Join(store.Migrate(ctx), store.EnsureTables(ctx, ponies)); err != nil {
		panic(err)
	}

	lease, err := store.Acquire(ctx, checkpoint.Claim{Name: "ponies", Owner: "host-1", TTL: 10 * time.Second})
	if err != nil {
		panic(err)
	}
	err = lease.Commit(ctx, checkpoint.Change{
		From: lease.Position(), To: checkpoint.AtNumber(41), Handled: 42,
		Writes: []checkpoint.TableWrite{{Table: ponies, Upserts: [][]any{{"Applejack", int64(42)}}}},
	})
	fmt.Println("committed:", err == nil, "at", lease.Position())

	_, err = store.Acquire(ctx, checkpoint.Claim{Name: "ponies", Owner: "host-2", TTL: 10 * time.Second})
	fmt.Println("somebody else gets it:", !errors.Is(err, checkpoint.ErrHeld))
	// Output:
	// committed: true at 41
	// somebody else gets it: false
}
