// Package postgres is a store in one schema of a PostgreSQL database, 13 or later, through pgx.
//
//	store, err := postgres.Open(ctx, "postgres://app@db/app", postgres.WithSchema("readmodels"))
//
// It works behind a transaction pooler such as pgbouncer: every call is one transaction, and nothing is kept in a
// session. Statements are prepared only on connections where the server itself answers, which is found out. What
// handlers run through [checkpoint.Tx] follows the mode of the pool, which [Open] sets to one without named statements
// unless the URL names another in default_query_exec_mode; whoever brings a pool to [New] behind such a pooler must do
// likewise.
//
// # Takeovers
//
// A commit is one round trip: all rows, and last the row that holds lease and position, in one implicit transaction. So
// a process that is paused holds no locks, unless it is paused while it sends a commit or inside [checkpoint.Lease.Begin].
// An open transaction is ended by the server (idle_in_transaction_session_timeout, shorter than the ttl of the lease),
// and a new owner that is kept waiting by an older one of the same projection terminates that one's backend. It
// recognises it by its application_name, "projector", a hash of schema and projection, and the epoch, which is set for
// the length of each transaction.
//
// # Types
//
//	text     text (in a key: COLLATE "C")      bool   boolean       bytes  bytea
//	int      bigint                            time   timestamptz   json   jsonb
//	float    double precision                  uuid   uuid          list   an array of the type
//	decimal  numeric
package postgres
