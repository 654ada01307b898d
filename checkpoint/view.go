package checkpoint

import "context"

// View is a query that a database keeps beside the tables, under a name.
type View struct {
	Name  string
	Query string // one SELECT, in the SQL of the database
}

// ViewStore is a [Store] whose database knows SQL, and so can keep views.
type ViewStore interface {
	Store

	// Dialect names the SQL of the database: "sqlite" or "postgres".
	Dialect() string

	// EnsureViews makes the views, and replaces those whose query is another. A view may use tables and the views before
	// it. A table of the same name is an error.
	EnsureViews(ctx context.Context, views ...View) error

	// ViewRows calls yield with the rows of a view in its own order, until yield returns false. At most limit rows; 0
	// means all. Values have the Go types that [Type] names for a column of the same kind, where the database tells
	// them apart; numbers of any size are text. The slices are valid during the call only.
	ViewRows(ctx context.Context, view string, limit int, yield func(columns []string, row []any) bool) error
}
