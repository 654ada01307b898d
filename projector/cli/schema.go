package cli

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/postgres"
	"github.com/photonpump/projector/checkpoint/sqlite"
	"github.com/photonpump/projector/projector/config"
)

const schemaLong = `Prints the schema of the file, or that of the database.

  --json  the JSON Schema of projector.yaml, with which editors complete it and show mistakes as they are made
  --sql   the statements that make every table, index and view in an empty database, those that projector needs for itself
          among them: for a database where run may not create anything, or for who reviews it. run then has nothing to make`

// Values of --dialect.
const (
	dialectSQLite   = "sqlite"
	dialectPostgres = "postgres"
)

func newSchema(e *env) *cobra.Command {
	var asJSON, asSQL bool
	var dialect string
	c := e.command(&cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of the file, or the SQL of the database", Long: schemaLong,
		Example: `  projector schema --json > projector.schema.json   # then begin the file with: # yaml-language-server: $schema=projector.schema.json
  projector schema --sql | psql app
  projector schema --sql --dialect postgres > tables.sql`,
	}, func(context.Context, []string) error {
		if asJSON {
			_, err := e.stdout.Write(config.JSONSchema())
			return err
		}
		cfg, err := e.config(false)
		if err != nil {
			return err
		}
		sql, err := e.sqlOf(cfg, dialect)
		if err != nil {
			return usage(err)
		}
		e.printf("%s", sql)
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, "print the JSON Schema of the file")
	c.Flags().BoolVar(&asSQL, "sql", false, "print the SQL of all tables")
	c.Flags().StringVar(&dialect, "dialect", "", "`name` of the SQL: sqlite or postgres; that of the database if it is absent")
	c.MarkFlagsOneRequired("json", "sql")
	c.MarkFlagsMutuallyExclusive("json", "sql")
	c.MarkFlagsMutuallyExclusive("json", "dialect")
	completeFlag(c, "dialect", cobra.FixedCompletions([]string{dialectSQLite, dialectPostgres}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// sqlOf returns the statements that make everything that the projections of file and program need.
func (e *env) sqlOf(cfg *config.Config, dialect string) (string, error) {
	defined, err := e.define(cfg, nil)
	if err != nil {
		return "", err
	}
	var tables []*checkpoint.Table
	for _, p := range defined {
		tables = append(tables, p.Tables()...)
	}
	if dialect = cmp.Or(dialect, dialectOf(cfg)); dialect == "" {
		return "", errors.New("which SQL? want --dialect sqlite or postgres, or a database sqlite://path or postgres://host/name")
	}
	if known := []string{dialectSQLite, dialectPostgres}; !slices.Contains(known, dialect) {
		return "", errUnknown("dialect", dialect, known)
	}
	views, err := cfg.ViewsFor(dialect)
	if err != nil {
		return "", err
	}
	if dialect == dialectSQLite {
		ddl, err := sqlite.DDL(tables...)
		return ddl + sqlite.ViewDDL(views...), err
	}
	schema := cmp.Or(cfg.Database.Schema, "public")
	ddl, err := postgres.DDL(schema, tables...)
	return ddl + postgres.ViewDDL(schema, views...), err
}

// dialectOf is empty if the URL of the database is none.
func dialectOf(cfg *config.Config) string {
	scheme, _, _ := strings.Cut(cfg.Database.URL.Reveal(), "://")
	switch scheme {
	case "sqlite":
		return dialectSQLite
	case "postgres", "postgresql":
		return dialectPostgres
	}
	return ""
}
