package checkpoint_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
)

func TestBases(t *testing.T) {
	t.Parallel()
	for i, name := range checkpoint.Bases() {
		base, ok := checkpoint.ParseBase(name)
		if !ok || base != checkpoint.Base(i+1) || base.String() != name {
			t.Errorf("%s is %v, %v", name, base, ok)
		}
	}
	if _, ok := checkpoint.ParseBase("varchar"); ok {
		t.Error("varchar is a type")
	}
	if got := (checkpoint.Type{Base: checkpoint.Int, List: true}).String(); got != "list of int" {
		t.Error(got)
	}
}

func TestValidateNamesEveryMistake(t *testing.T) {
	t.Parallel()
	table := &checkpoint.Table{
		Name: "t",
		Columns: []checkpoint.Column{
			{Name: "a", Type: checkpoint.Type{Base: checkpoint.Text, List: true}}, {Name: "a"}, {Type: checkpoint.Type{Base: checkpoint.Int}},
		},
		Key:     []string{"a", "b", "a"},
		Indexes: []checkpoint.Index{{Name: "i", Columns: []string{"c"}}, {Name: "j"}},
	}
	err := table.Validate()
	if !errors.Is(err, checkpoint.ErrInvalid) {
		t.Fatal(err)
	}
	for _, want := range []string{
		`column "a" occurs twice`, `column "a" has no type`, `a column has no name`, `column "a" of type list of text cannot be part of the primary key`,
		`primary key names "b", which is no column`, `index "i" names "c", which is no column`, `index "j" has no columns`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in\n%v", want, err)
		}
	}
}

func TestCanonicalRow(t *testing.T) {
	t.Parallel()
	table := &checkpoint.Table{Name: "t", Key: []string{"k"}, Columns: []checkpoint.Column{
		{Name: "k", Type: checkpoint.Type{Base: checkpoint.Text}},
		{Name: "d", Type: checkpoint.Type{Base: checkpoint.Decimal, List: true}},
		{Name: "t", Type: checkpoint.Type{Base: checkpoint.Time}},
	}}
	row := []any{"a", []any{"+01.50", "-0.0"}, time.Date(2026, 1, 1, 1, 0, 0, 1999, time.FixedZone("", 3600))}
	got, err := table.CanonicalRow(row, 3)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{"a", []any{"1.50", "0.0"}, time.Date(2026, 1, 1, 0, 0, 0, 1000, time.UTC)}, got); diff != "" {
		t.Fatal(diff)
	}
	if diff := cmp.Diff([]any{"+01.50", "-0.0"}, row[1]); diff != "" {
		t.Fatal("the row given has changed: ", diff)
	}
	_, err = table.CanonicalRow([]any{"a", []any{"1", "x"}, nil}, 3)
	var bad *checkpoint.RowError
	if !errors.As(err, &bad) || bad.Table != "t" || bad.Column != "d" || bad.Row != 3 ||
		err.Error() != `table "t": column "d": element 1: "x" is not a decimal: want digits with an optional sign and fraction` {
		t.Fatal(err)
	}
}

func BenchmarkCanonicalRow(b *testing.B) {
	table := &checkpoint.Table{Name: "t", Key: []string{"k"}, Columns: []checkpoint.Column{
		{Name: "k", Type: checkpoint.Type{Base: checkpoint.Text}},
		{Name: "n", Type: checkpoint.Type{Base: checkpoint.Int}},
		{Name: "f", Type: checkpoint.Type{Base: checkpoint.Float}},
		{Name: "m", Type: checkpoint.Type{Base: checkpoint.Int}},
	}}
	row := []any{"pony-0133", int64(1000), 1.826, int64(12345)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := table.CanonicalRow(row, 0); err != nil {
			b.Fatal(err)
		}
	}
}
