package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/postgres"
	"github.com/photonpump/projector/projector/config"
)

// cleanUpTime bounds how long it may take to remove what was made for a measurement.
const cleanUpTime = 30 * time.Second

// openThrowAway opens a store like that of the configuration, on the same disk or server, that shares nothing with it. Remove
// closes it, and leaves nothing behind.
func openThrowAway(ctx context.Context, cfg *config.Config) (store checkpoint.Store, remove func() error, err error) {
	own := *cfg
	if path, isFile := strings.CutPrefix(cfg.Database.URL.Reveal(), "sqlite://"); isFile {
		return openThrowAwayFile(ctx, own, filepath.Dir(path))
	}
	own.Database.Schema = "projector_bench_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if store, err = openStore(ctx, &own); err != nil {
		return nil, nil, databaseError(cfg, err)
	}
	if err := store.Migrate(ctx); err != nil {
		err = databaseError(cfg, err)
		if denied, ok := errors.AsType[*pgconn.PgError](err); ok && denied.Code == insufficientPrivilege {
			err = fmt.Errorf("%w; a measurement makes a schema of its own: grant its user CREATE on the database, or name another one by --database", err)
		}
		return nil, nil, errors.Join(err, dropSchema(ctx, store, own.Database.Schema))
	}
	return store, func() error { return dropSchema(ctx, store, own.Database.Schema) }, nil
}

const insufficientPrivilege = "42501" // SQLSTATE

// dropSchema drops a schema that openThrowAway has made, and closes its store.
func dropSchema(ctx context.Context, store checkpoint.Store, schema string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	_, err := store.(*postgres.Store).Pool().Exec(ctx, "DROP SCHEMA IF EXISTS "+schema+" CASCADE")
	if err != nil {
		err = fmt.Errorf("schema %s is left behind, to be dropped by hand: %w", schema, err)
	}
	return errors.Join(err, store.Close())
}

// openThrowAwayFile makes a SQLite database on the disk where a folder is, or would be.
func openThrowAwayFile(ctx context.Context, cfg config.Config, folder string) (checkpoint.Store, func() error, error) {
	if _, err := os.Stat(folder); err != nil {
		folder = "" // that of the system for temporary files
	}
	dir, err := os.MkdirTemp(folder, ".projector-bench-")
	if err != nil {
		return nil, nil, err
	}
	cfg.Database.URL = config.NewSecret("sqlite://" + filepath.Join(dir, "bench.db"))
	store, err := openStore(ctx, &cfg)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return store, func() error { return errors.Join(store.Close(), os.RemoveAll(dir)) }, nil
}
