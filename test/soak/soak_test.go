// Package soak kills processes and counts what is lost or repeated. The tests are small by default; with PROJECTOR_SOAK set
// they have their full size.
package soak

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/postgres"
	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
	"github.com/photonpump/projector/checkpoint/sqlite"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/readmodel"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

// The environment of a process that is to be killed.
const (
	envDatabase = "PROJECTOR_SOAK_DATABASE"
	envEvents   = "PROJECTOR_SOAK_EVENTS"
	envPause    = "PROJECTOR_SOAK_PAUSE" // between two pages, so that there is time to kill
)

func TestMain(m *testing.M) {
	if database := os.Getenv(envDatabase); database != "" {
		if err := child(context.Background(), database); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(pgtest.Main(m))
}

const ponies = 97

type jumped struct {
	Name   string `json:"name"`
	Height int64  `json:"height"`
}

type pony struct {
	Name  string `db:"name,key"`
	Jumps int64
	Best  int64
	Last  int64
}

// eventAt is the i-th event of a log that is the same in every process.
func eventAt(i int) (stream string, e source.Event) {
	name := fmt.Sprintf("pony-%d", i*i%ponies)
	e = sourcetest.JSON("pony.jumped", fmt.Sprintf(`{"name":%q,"height":%d}`, name, i*7919%1000))
	e.ID = uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, i))
	e.Created = time.Unix(int64(i), 0)
	return name, e
}

func table() *readmodel.Model {
	return readmodel.Table("ponies",
		readmodel.On("pony.jumped",
			func(e projector.Event[jumped]) string { return e.Body.Name },
			func(r *readmodel.Row[pony], e projector.Event[jumped]) error {
				r.Value.Jumps++
				r.Value.Best = max(r.Value.Best, e.Body.Height)
				r.Value.Last = e.Number
				return nil
			}))
}

// openStore opens "sqlite PATH" or "postgres URL SCHEMA".
func openStore(ctx context.Context, database string) (checkpoint.Store, error) {
	kind, where, _ := strings.Cut(database, " ")
	if kind == "sqlite" {
		return sqlite.Open(ctx, where)
	}
	url, schema, _ := strings.Cut(where, " ")
	return postgres.Open(ctx, url, postgres.WithSchema(schema))
}

// child runs the projection to its end, in a process of its own.
func child(ctx context.Context, database string) error {
	store, err := openStore(ctx, database)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // the process ends
	var events int
	if _, err := fmt.Sscan(os.Getenv(envEvents), &events); err != nil {
		return err
	}
	log := sourcetest.New()
	for i := range events {
		stream, e := eventAt(i)
		log.Append(stream, e)
	}
	pause, err := time.ParseDuration(os.Getenv(envPause))
	if err != nil {
		return err
	}
	log.Intercept(func(sourcetest.Op) error { time.Sleep(pause); return nil })
	src := log.All(nil)
	src.PageSize = 100
	p := projector.New("ponies", src, table(), audit(database)).
		With(projector.OrderBy(func(e *source.Event) string { return e.Stream }))
	r, err := projector.NewRunner(store, []*projector.Projection{p}, projector.Once(), projector.WithLeaseTTL(300*time.Millisecond),
		projector.WithBatchSize(250), projector.WithBatchTime(5*time.Millisecond), projector.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))))
	if err != nil {
		return err
	}
	return r.Run(ctx)
}

// audit writes a line for every event, in the transaction of its batch. Its table has no key, so that it shows repetitions.
func audit(database string) *projector.Handler {
	if strings.HasPrefix(database, "sqlite") {
		return projector.OnTx("pony.jumped", func(ctx context.Context, tx *sql.Tx, e projector.Event[jumped]) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO audit VALUES (?, ?)", e.Stream, e.Number)
			return err
		})
	}
	return projector.OnTx("pony.jumped", func(ctx context.Context, tx pgx.Tx, e projector.Event[jumped]) error {
		schema := strings.Fields(database)[2]
		_, err := tx.Exec(ctx, "INSERT INTO "+pgx.Identifier{schema, "audit"}.Sanitize()+" VALUES ($1, $2)", e.Stream, e.Number)
		return err
	})
}
