package checkpointtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
)

// sqlBench is a store with SQL and a lease in it.
type sqlBench struct {
	t     *testing.T
	store checkpoint.Store
	lease checkpoint.Lease
	tx    checkpoint.Tx // open
	sql   checkpoint.SQLTx
}

// sql opens a store with SQL; nil if it has none.
func (db Database) sql(t *testing.T, tables ...*checkpoint.Table) *sqlBench {
	t.Helper()
	b := &sqlBench{t: t, store: db.open(t, tables...)}
	b.lease = acquire(t, b.store, "p", ttl)
	if b.begin(); b.sql == nil {
		return nil
	}
	return b
}

// begin opens a transaction, which is closed at the end of the test.
func (b *sqlBench) begin() {
	b.t.Helper()
	tx, err := b.lease.Begin(b.t.Context())
	check(b.t, err)
	b.t.Cleanup(func() { check(b.t, tx.Rollback(context.WithoutCancel(b.t.Context()))) })
	b.tx = tx
	b.sql, _ = tx.(checkpoint.SQLTx)
}

func (b *sqlBench) commit() {
	b.t.Helper()
	check(b.t, b.tx.Commit(b.t.Context(), checkpoint.Change{From: b.lease.Position(), To: b.lease.Position()}))
}

// place is the n-th value in a statement.
func (b *sqlBench) place(n int) string {
	if b.sql.Dialect() == "sqlite" {
		return fmt.Sprintf("?%d", n)
	}
	return fmt.Sprintf("$%d", n)
}

// testSQLValues writes each value that stores have trouble with by a statement, and finds it as if it had been written in
// the other way.
func testSQLValues(t *testing.T, db Database) {
	table := everything()
	b := db.sql(t, table)
	if b == nil {
		return
	}
	var want [][]any
	write := func(column string, v any) {
		row := make([]any, len(table.Columns))
		row[0] = int64(len(want))
		i := table.Column(column)
		row[i] = v
		want = append(want, canonical(t, table, row))
		n, err := b.sql.Exec(t.Context(), fmt.Sprintf(`INSERT INTO everything (id, "%s") VALUES (%s, %s)`, column, b.place(1), b.place(2)),
			checkpoint.SQLValue{Type: table.Columns[0].Type, Value: row[0]}, checkpoint.SQLValue{Type: table.Columns[i].Type, Value: v})
		check(t, err)
		equal(t, n, int64(1))
	}
	for base, values := range samples() {
		for _, v := range append(values, nil) {
			write(base.String(), v)
			if v != nil {
				write(base.String()+"_list", []any{v, v})
			}
		}
		write(base.String()+"_list", []any{})
		write(base.String()+"_list", nil)
	}
	b.commit()
	sameRows(t, "rows", rows(t, b.store, table), want)
}

func testSQLTrace(t *testing.T, db Database) {
	ponies, farms, others := ponies(), ponies(), everything()
	farms.Name = "the \"farms\""
	farms.Indexes = []checkpoint.Index{{Columns: []string{"jumps"}}}
	b := db.sql(t, ponies, farms, others)
	if b == nil {
		return
	}
	one, text := checkpoint.SQLValue{Type: checkpoint.Type{Base: checkpoint.Int}, Value: int64(1)}, checkpoint.SQLValue{Value: "a"}
	for _, test := range []struct {
		sql    string
		values []checkpoint.SQLValue
		writes string
		reads  string
	}{
		{"INSERT INTO ponies (name, jumps) VALUES (#1, #2)", []checkpoint.SQLValue{text, one}, "ponies", ""},
		{"UPDATE ponies SET jumps = jumps + #1 WHERE name = #2", []checkpoint.SQLValue{one, text}, "ponies", ""},
		{"DELETE FROM ponies", nil, "ponies", ""},
		{`DELETE FROM "the ""farms""" WHERE jumps > #1`, []checkpoint.SQLValue{one}, `the "farms"`, ""},
		{`INSERT INTO "the ""farms""" (name, jumps) SELECT name, jumps FROM ponies WHERE name = #1`, []checkpoint.SQLValue{text}, `the "farms"`, "ponies"},
		{"UPDATE ponies SET jumps = (SELECT count(*) FROM everything)", nil, "ponies", "everything"},
		{`WITH gone AS (SELECT name FROM "the ""farms""") DELETE FROM ponies WHERE name IN (SELECT name FROM gone)`, nil, "ponies", `the "farms"`},
	} {
		statement := strings.NewReplacer("#1", b.place(1), "#2", b.place(2)).Replace(test.sql)
		trace, err := b.sql.ExecTraced(t.Context(), statement, test.values...)
		check(t, err)
		slices.Sort(trace.Writes)
		if diff := cmp.Diff(test.writes+" < "+test.reads, strings.Join(trace.Writes, " ")+" < "+strings.Join(trace.Reads, " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.sql, diff)
		}
		check(t, b.tx.Rollback(t.Context()))
		b.begin()
	}
}

func testSQLErrors(t *testing.T, db Database) {
	table := ponies()
	b := db.sql(t, table)
	if b == nil {
		return
	}
	fail := func(class checkpoint.Class, statement string, values ...checkpoint.SQLValue) {
		t.Helper()
		_, err := b.sql.Exec(t.Context(), statement, values...)
		wantClass(t, b.store, err, class)
		check(t, b.tx.Rollback(t.Context()))
		_, err = b.sql.Exec(t.Context(), "DELETE FROM ponies")
		wantError(t, err, checkpoint.ErrTxDone)
		b.begin()
	}
	fail(checkpoint.ClassConfiguration, "INSERT INTO nowhere VALUES (1)")
	fail(checkpoint.ClassConfiguration, "INSERT INTO ponies (colour) VALUES (1)")
	fail(checkpoint.ClassConfiguration, "INSRT")
	fail(checkpoint.ClassData, "INSERT INTO ponies (name) VALUES ('a')") // jumps is NOT NULL
	fail(checkpoint.ClassData, "INSERT INTO ponies (name, jumps) VALUES ("+b.place(1)+", 1)", checkpoint.SQLValue{Value: "a\x00"})
	n, err := b.sql.Exec(t.Context(), "INSERT INTO ponies (name, jumps) VALUES ('a', 1), ('b', 2)")
	check(t, err)
	equal(t, n, int64(2))
	b.commit()
	equal(t, len(rows(t, b.store, table)), 2)
	b.begin()
	_, err = b.sql.Exec(t.Context(), "DELETE FROM ponies")
	check(t, err)
	check(t, b.tx.Rollback(t.Context()))
	equal(t, len(rows(t, b.store, table)), 2)
}
