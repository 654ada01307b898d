package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/photonpump/projector/checkpoint"
)

// migration is one step of the framework's own tables. A step only adds: tables, and columns that may be left out of an
// INSERT, so that a process of the previous release goes on working while the first of the new one is started.
type migration struct {
	statements string
	// oldest is the version of the software that can still work with the tables after this step.
	oldest int64
}

// migrations returns all steps for a schema (a quoted identifier); step i leads to version i+1.
func migrations(schema string) []migration {
	return []migration{
		{oldest: 1, statements: `
CREATE TABLE ` + schema + `.projector_projections (
	name          text COLLATE "C" PRIMARY KEY,
	epoch         bigint NOT NULL,
	owner         text NOT NULL DEFAULT '',
	expires       timestamptz,                 -- null: nobody owns it
	position      text,                        -- null: starts where the next owner says
	last_id       uuid,                        -- the event seen last
	last_position text NOT NULL DEFAULT 'start',
	fingerprint   text NOT NULL DEFAULT '',
	handled       bigint NOT NULL DEFAULT 0,
	ignored       bigint NOT NULL DEFAULT 0,
	state         text NOT NULL DEFAULT '',
	reason        text NOT NULL DEFAULT '',
	updated       timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);
`},
		{oldest: 1, statements: `
ALTER TABLE ` + schema + `.projector_projections
	ADD COLUMN skipped       bigint NOT NULL DEFAULT 0,
	ADD COLUMN instance      uuid,                     -- process of the owner
	ADD COLUMN deaths        bigint NOT NULL DEFAULT 0, -- owners that did not release it, since the position moved
	ADD COLUMN marker_id     uuid,                     -- the event that is being handled on its own
	ADD COLUMN marker_deaths bigint NOT NULL DEFAULT 0;
CREATE TABLE ` + schema + `.projector_parked (
	number          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	projection      text COLLATE "C" NOT NULL,
	key             text COLLATE "C" NOT NULL,    -- what text cannot hold is written with a backslash, here and below
	position        text NOT NULL,
	id              uuid NOT NULL,
	type            text NOT NULL,
	stream          text NOT NULL,
	event_no        bigint NOT NULL,
	data            bytea,
	metadata        bytea,
	json            boolean NOT NULL,
	created         timestamptz,
	link_id         uuid,
	link_stream     text,
	link_no         bigint,
	link_unresolved boolean,
	class           text NOT NULL,                -- empty: waits behind another event of its key
	error           text NOT NULL,
	attempts        bigint NOT NULL,
	tried           timestamptz,
	at              timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX projector_parked_number ON ` + schema + `.projector_parked (projection, number);
CREATE TABLE ` + schema + `.projector_commands (
	number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	projection text COLLATE "C" NOT NULL,
	name       text NOT NULL,
	args       bytea,
	by         text NOT NULL,
	sent       timestamptz NOT NULL DEFAULT clock_timestamp(),
	done       timestamptz,                       -- null: not executed yet
	answer     text NOT NULL DEFAULT '',
	refused    boolean NOT NULL DEFAULT false
);
CREATE INDEX projector_commands_waiting ON ` + schema + `.projector_commands (projection, number) WHERE done IS NULL;
CREATE INDEX projector_commands_done ON ` + schema + `.projector_commands (done);
`},
		{oldest: 1, statements: `
CREATE TABLE ` + schema + `.projector_handled (                -- events of a projection that reads a group
	projection text COLLATE "C" NOT NULL,
	id         uuid NOT NULL,
	at         timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (projection, id)
);
CREATE INDEX projector_handled_at ON ` + schema + `.projector_handled (projection, at);
`},
		{oldest: 1, statements: `
ALTER TABLE ` + schema + `.projector_parked ADD COLUMN first_tried timestamptz;
`},
		{oldest: 1, statements: `
ALTER TABLE ` + schema + `.projector_projections
	ADD COLUMN shards bigint NOT NULL DEFAULT 1,      -- into so many it is divided
	ADD COLUMN base   text COLLATE "C";               -- of a shard: the projection
CREATE INDEX projector_projections_base ON ` + schema + `.projector_projections (base) WHERE base IS NOT NULL;
CREATE TABLE ` + schema + `.projector_members (
	projection text COLLATE "C" NOT NULL,
	instance   uuid NOT NULL,
	owner      text NOT NULL,
	joined     timestamptz NOT NULL DEFAULT clock_timestamp(),
	expires    timestamptz NOT NULL,
	PRIMARY KEY (projection, instance)
) WITH (fillfactor = 50);
`},
	}
}

// versionTable holds one row: the version of the tables, and the oldest version of the software that can use them.
func versionTable(schema string) string {
	return `CREATE TABLE IF NOT EXISTS ` + schema + `.projector_version (
	one     boolean PRIMARY KEY DEFAULT true CHECK (one),
	version bigint NOT NULL,
	oldest  bigint NOT NULL
);
`
}

// DDL returns the statements that make everything the store needs: the schema, if it does not exist, the framework's own
// tables, and those of read models. They are for a database whose owner wants to run them by hand; [Store.Migrate] and
// [Store.EnsureTables] then have nothing to do, and need no right to create anything.
func DDL(schema string, tables ...*checkpoint.Table) (string, error) {
	quoted, steps := quote(schema), migrations(quote(schema))
	errs := []error{checkIdentifier("schema", schema)}
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE SCHEMA IF NOT EXISTS %s;\n%s", quoted, versionTable(quoted))
	for _, step := range steps {
		b.WriteString(strings.TrimPrefix(step.statements, "\n"))
	}
	fmt.Fprintf(&b, "INSERT INTO %s.projector_version (version, oldest) VALUES (%d, %d);\n", quoted, len(steps), steps[len(steps)-1].oldest)
	for _, t := range tables {
		errs = append(errs, checkTable(t))
		b.WriteString(createTable(schema, t) + ";\n")
	}
	return b.String(), errors.Join(errs...)
}

// migrateAttempts bounds how often Migrate starts again because another process made the same schema or table.
const migrateAttempts = 20

// Migrate implements [checkpoint.Store]. The lock is that of the version table, held by one transaction.
func (s *Store) Migrate(ctx context.Context) error {
	var err error
	for range migrateAttempts {
		var done bool
		if done, err = s.migrated(ctx); done || err != nil {
			break
		}
		// CREATE … IF NOT EXISTS does not wait for another transaction that creates the same.
		if err = s.migrate(ctx); !isState(err, "23505", "42P06", "42P07", "XX000") {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("postgres: migrate schema %q: %w", s.schema, err)
	}
	return nil
}

// Check implements [checkpoint.Store].
func (s *Store) Check(ctx context.Context) error {
	done, err := s.migrated(ctx)
	if err == nil && !done {
		err = checkpoint.ErrNotMigrated
	}
	if err != nil {
		return fmt.Errorf("postgres: schema %q: %w", s.schema, err)
	}
	return nil
}

// migrated reports whether there is nothing to do, without a lock.
func (s *Store) migrated(ctx context.Context) (bool, error) {
	rows, err := s.exec(ctx, s.sql.version)
	if isState(err, "42P01", "3F000") { // no such table, no such schema
		return false, nil
	}
	if err != nil || len(rows) == 0 {
		return false, err
	}
	return s.checkVersion(decodeInt(rows[0][0]), decodeInt(rows[0][1]))
}

func (s *Store) checkVersion(version, oldest int64) (current bool, err error) {
	ours := int64(len(migrations("")))
	if oldest > ours {
		return false, fmt.Errorf("%w: its tables have version %d, which works with releases from version %d on; this one has %d",
			checkpoint.ErrVersion, version, oldest, ours)
	}
	return version >= ours, nil
}

func (s *Store) migrate(ctx context.Context) error {
	schema := quote(s.schema)
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var exists bool
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, s.schema).Scan(&exists)
		if err != nil {
			return err
		}
		if !exists { // CREATE SCHEMA IF NOT EXISTS wants the right to create one even where it exists
			if _, err := tx.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS `+schema); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, versionTable(schema)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `LOCK TABLE `+schema+`.projector_version IN EXCLUSIVE MODE`); err != nil {
			return err
		}
		var version, oldest int64
		err = tx.QueryRow(ctx, s.sql.version).Scan(&version, &oldest)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if _, err := s.checkVersion(version, oldest); err != nil {
			return err
		}
		return s.runMigrations(ctx, tx, version)
	})
}

func (s *Store) runMigrations(ctx context.Context, tx pgx.Tx, version int64) error {
	steps := migrations(quote(s.schema))
	if version >= int64(len(steps)) {
		return nil
	}
	for _, step := range steps[version:] {
		if _, err := tx.Exec(ctx, step.statements); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, fmt.Sprintf(`INSERT INTO %s.projector_version AS v (version, oldest) VALUES (%d, %d)
		ON CONFLICT (one) DO UPDATE SET version = excluded.version, oldest = greatest(v.oldest, excluded.oldest)`,
		quote(s.schema), len(steps), steps[len(steps)-1].oldest))
	return err
}
