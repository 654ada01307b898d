package cli

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/postgres"
	"github.com/photonpump/projector/checkpoint/sqlite"
	"github.com/photonpump/projector/projector/config"
)

func newDDL(e *env) *cobra.Command {
	return e.command(&cobra.Command{
		Use: "ddl", Short: "Print the SQL that makes all tables, for a database where run may not create any",
		Example: "  projector ddl | psql app",
	}, func(context.Context, []string) error {
		cfg, err := e.config(false)
		if err != nil {
			return err
		}
		ddl, err := ddl(cfg)
		if err != nil {
			return usage(err)
		}
		e.printf("%s", ddl)
		return nil
	})
}

func ddl(cfg *config.Config) (string, error) {
	var tables []*checkpoint.Table
	for _, p := range cfg.Projections {
		tables = append(tables, p.Tables()...)
	}
	scheme, _, _ := strings.Cut(cfg.Database.URL.Reveal(), "://")
	switch scheme {
	case "sqlite":
		return sqlite.DDL(tables...)
	case "postgres", "postgresql":
		return postgres.DDL(cmp.Or(cfg.Database.Schema, "public"), tables...)
	}
	return "", errors.New("want sqlite://path or postgres://user:password@host/name")
}
