package readmodel_test

import (
	"context"
	"fmt"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/readmodel"
	"github.com/photonpump/projector/projector/source"
)

type PonyJumped struct {
	Name    string
	HeightM float64 `json:"height_m"`
}

type Pony struct {
	Name  string `db:"name,key"`
	Jumps int64
	BestM float64
}

func Example() {
	ponies := readmodel.Table("ponies",
		readmodel.On("pony.jumped",
			func(e projector.Event[PonyJumped]) string { return e.Body.Name },
			func(r *readmodel.Row[Pony], e projector.Event[PonyJumped]) error {
				r.Value.Jumps++
				r.Value.BestM = max(r.Value.BestM, e.Body.HeightM)
				return nil
			}))

	// What follows is done by a projector.Runner, for projector.New("ponies", source, ponies).
	ctx, store := context.Background(), memory.Open()
	must(store.Migrate(ctx))
	must(store.EnsureTables(ctx, ponies.Tables()...))
	lease, err := store.Acquire(ctx, checkpoint.Claim{Name: "ponies", Owner: "example", TTL: time.Minute})
	must(err)
	fold := ponies.NewFold("ponies", lease)
	must(fold.Fold(ctx, []source.Event{
		{Type: "pony.jumped", Data: []byte(`{"name": "Applejack", "height_m": 0.6}`)},
		{Type: "pony.jumped", Data: []byte(`{"name": "Rarity", "height_m": 1.1}`)},
		{Type: "pony.jumped", Data: []byte(`{"name": "Applejack", "height_m": 0.9}`)},
	}))
	must(lease.Commit(ctx, checkpoint.Change{To: checkpoint.AtNumber(2), Writes: fold.Writes()}))

	must(store.Rows(ctx, ponies.Tables()[0], 0, func(row []any) bool {
		fmt.Println(row...)
		return true
	}))
	// Output:
	// Applejack 2 0.9
	// Rarity 1 1.1
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
