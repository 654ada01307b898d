package checkpoint

import "context"

// SQLTx is a transaction of a database that knows SQL, whichever that is. The [Tx] of such a store is one. It does not end
// the transaction.
type SQLTx interface {
	// Dialect names the SQL of the database: "sqlite" or "postgres".
	Dialect() string
	// Exec runs one statement, in which the n-th value is written ?n in SQLite and $n in Postgres. It returns how many
	// rows have changed. A name without a schema is that of a table of the store.
	Exec(ctx context.Context, statement string, values ...SQLValue) (changed int64, err error)
	// ExecTraced is Exec that also tells which tables were used, by triggers as well, as far as the database tells. It is
	// slower.
	ExecTraced(ctx context.Context, statement string, values ...SQLValue) (SQLTrace, error)
}

// SQLValue is a value for a statement.
type SQLValue struct {
	Type  Type // the zero value leaves it to the database, and is for text and NULL only
	Value any  // of one of the Go types that Type names, or nil
}

// SQLTrace names the tables that a statement has used, in no order.
type SQLTrace struct {
	Reads  []string // only looked at
	Writes []string
}

// Canonical returns the value as a column of its type holds it, see [Column.Canonical]. The class of an error is
// [ClassData].
func (v *SQLValue) Canonical() (any, error) {
	column := Column{Type: v.Type}
	if v.Type == (Type{}) {
		column.Type.Base = Text
	}
	canonical, err := column.Canonical(v.Value)
	if err != nil {
		return nil, &ClassError{Class: ClassData, Err: err}
	}
	return canonical, nil
}
