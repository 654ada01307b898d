package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/postgres"
	"github.com/photonpump/projector/checkpoint/sqlite"
	"github.com/photonpump/projector/projector/config"
)

// openExisting opens the database for a command that makes none: it looks at, or changes, what run has made. So a
// mistyped path is a mistake, and not an empty database.
func (e *env) openExisting(ctx context.Context, cfg *config.Config) (checkpoint.Store, error) {
	store, err := openStore(ctx, cfg, sqlite.WithExisting())
	if err == nil {
		if err = store.Check(ctx); err != nil {
			_ = store.Close()
		}
	}
	switch {
	case err == nil:
		return store, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, &absentError{fmt.Sprintf("database %s does not exist%s; `projector run` makes it", describeDatabase(cfg), nearDatabase(cfg))}
	case errors.Is(err, checkpoint.ErrNotMigrated):
		return nil, &absentError{fmt.Sprintf("database %s has no tables of this release: nothing has run here yet; `projector run` makes them",
			describeDatabase(cfg))}
	}
	return nil, databaseError(cfg, err)
}

// absentError says that there is no database, or nothing of ours in it.
type absentError struct{ text string }

func (e *absentError) Error() string { return e.text }

// openStore opens the database, whose tables may have to be made. SQLite's directory is made unless an option says that
// the file is there.
func openStore(ctx context.Context, cfg *config.Config, opts ...sqlite.Option) (checkpoint.Store, error) {
	text := cfg.Database.URL.Reveal()
	scheme, path, _ := strings.Cut(text, "://")
	switch scheme {
	case "sqlite":
		if len(opts) == 0 {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return nil, err
			}
		}
		return sqlite.Open(ctx, path, opts...)
	case "postgres", "postgresql":
		var opts []postgres.Option
		if cfg.Database.Schema != "" {
			opts = append(opts, postgres.WithSchema(cfg.Database.Schema))
		}
		return postgres.Open(ctx, text, opts...)
	}
	return nil, usage(errors.New("want sqlite://path or postgres://user:password@host/name"))
}

func databaseError(cfg *config.Config, err error) error {
	return fmt.Errorf("database %s: %w", describeDatabase(cfg), err)
}

// describeDatabase names the database without its password.
func describeDatabase(cfg *config.Config) string {
	text := redact(cfg.Database.URL.Reveal())
	if cfg.Database.Schema != "" && strings.HasPrefix(text, "postgres") {
		text += " schema " + cfg.Database.Schema
	}
	return text
}

// nearDatabase hints at the database files where one was looked for.
func nearDatabase(cfg *config.Config) string {
	_, path, isFile := strings.Cut(cfg.Database.URL.Reveal(), "sqlite://")
	if !isFile {
		return ""
	}
	place := filepath.Dir(path)
	if _, err := os.Stat(place); err != nil {
		return fmt.Sprintf(": there is no directory %s", place)
	}
	var names []string
	for _, pattern := range []string{"*.db", "*.sqlite", "*.sqlite3"} {
		found, _ := filepath.Glob(filepath.Join(place, pattern)) // a place with a bracket in its name finds nothing
		names = append(names, found...)
	}
	const shown = 5
	switch near := config.Nearest(path, names); {
	case near != "":
		return fmt.Sprintf("; did you mean sqlite://%s?", filepath.ToSlash(near))
	case len(names) > 0:
		return "; there is " + strings.Join(names[:min(shown, len(names))], ", ")
	}
	return ""
}

// redact keeps of a URL what cannot be secret.
func redact(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" {
		return "(no valid URL)"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
