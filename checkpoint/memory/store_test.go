package memory_test

import (
	"testing"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/memory"
)

func TestCommitMovesRowsAndPosition(t *testing.T) {
	t.Parallel()
	s := memory.Open()
	ponies := &checkpoint.Table{
		Name:    "ponies",
		Columns: []checkpoint.Column{{Name: "name", Type: checkpoint.Type{Base: checkpoint.Text}}, {Name: "jumps", Type: checkpoint.Type{Base: checkpoint.Int}}},
		Key:     []string{"name"},
	}
	if err := s.EnsureTables(t.Context(), ponies); err != nil {
		t.Fatal(err)
	}
	lease, err := s.Acquire(t.Context(), checkpoint.Claim{Name: "p", Owner: "me", TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	err = lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(3), Writes: []checkpoint.TableWrite{
		{Table: ponies, Upserts: [][]any{{"b", int64(1)}, {"a", int64(2)}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := lease.Load(t.Context(), ponies, [][]any{{"a"}, {"x"}})
	if err != nil || rows[0][1] != int64(2) || rows[1] != nil {
		t.Fatalf("got %v, %v", rows, err)
	}
	list, err := s.List(t.Context())
	if err != nil || list[0].Position != checkpoint.AtNumber(3) || !list[0].Held {
		t.Fatalf("got %+v, %v", list, err)
	}
}
