package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/postgres"
	"github.com/photonpump/projector/checkpoint/sqlite"
	"github.com/photonpump/projector/projector/config"
)

// openDatabase connects to the database and makes sure that the framework's tables are there.
func (e *env) openDatabase(ctx context.Context, cfg *config.Config) (checkpoint.Store, error) {
	store, err := openStore(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", describeDatabase(cfg), err)
	}
	if err := store.Migrate(ctx); err != nil {
		_ = store.Close()
		return nil, fmt.Errorf("database %s: %w", describeDatabase(cfg), err)
	}
	return store, nil
}

func openStore(ctx context.Context, cfg *config.Config) (checkpoint.Store, error) {
	text := cfg.Database.URL.Reveal()
	scheme, path, _ := strings.Cut(text, "://")
	switch scheme {
	case "sqlite":
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		return sqlite.Open(ctx, path)
	case "postgres", "postgresql":
		var opts []postgres.Option
		if cfg.Database.Schema != "" {
			opts = append(opts, postgres.WithSchema(cfg.Database.Schema))
		}
		return postgres.Open(ctx, text, opts...)
	}
	return nil, usage(errors.New("want sqlite://path or postgres://user:password@host/name"))
}

// describeDatabase names the database without its password.
func describeDatabase(cfg *config.Config) string { return redact(cfg.Database.URL.Reveal()) }

// redact keeps of a URL what cannot be secret.
func redact(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" {
		return "(no valid URL)"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
