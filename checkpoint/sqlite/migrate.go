package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"modernc.org/sqlite"

	"github.com/photonpump/projector/checkpoint"
)

// migration is one step of the framework's own tables. A step only adds: tables, and columns that may be left out of an
// INSERT, so that a process of the previous release goes on working while the first of the new one is started.
type migration struct {
	statements string
	// oldest is the version of the software that can still work with the tables after this step.
	oldest int64
}

// migrations returns all steps; step i leads to version i+1.
func migrations() []migration {
	return []migration{
		{oldest: 1, statements: `
CREATE TABLE projector_projections (
	name          TEXT PRIMARY KEY NOT NULL,
	epoch         INTEGER NOT NULL,
	owner         TEXT NOT NULL DEFAULT '',
	expires       INTEGER,                     -- milliseconds since 1970; null: nobody owns it
	position      TEXT,                        -- null: starts where the next owner says
	last_id       TEXT,                        -- the event seen last
	last_position TEXT NOT NULL DEFAULT 'start',
	fingerprint   TEXT NOT NULL DEFAULT '',
	handled       INTEGER NOT NULL DEFAULT 0,
	ignored       INTEGER NOT NULL DEFAULT 0,
	state         TEXT NOT NULL DEFAULT '',
	reason        TEXT NOT NULL DEFAULT '',
	updated       INTEGER NOT NULL             -- milliseconds since 1970
) WITHOUT ROWID;
`},
		{oldest: 1, statements: `
ALTER TABLE projector_projections ADD COLUMN skipped INTEGER NOT NULL DEFAULT 0;
ALTER TABLE projector_projections ADD COLUMN instance TEXT;                       -- process of the owner
ALTER TABLE projector_projections ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;   -- owners that did not release it, since the position moved
ALTER TABLE projector_projections ADD COLUMN marker_id TEXT;                      -- the event that is being handled on its own
ALTER TABLE projector_projections ADD COLUMN marker_deaths INTEGER NOT NULL DEFAULT 0;
CREATE TABLE projector_parked (
	number          INTEGER PRIMARY KEY AUTOINCREMENT,
	projection      TEXT NOT NULL,
	key             TEXT NOT NULL,             -- what text cannot hold is written with a backslash, here and below
	position        TEXT NOT NULL,
	id              TEXT NOT NULL,
	type            TEXT NOT NULL,
	stream          TEXT NOT NULL,
	event_no        INTEGER NOT NULL,
	data            BLOB,
	metadata        BLOB,
	json            INTEGER NOT NULL,
	created         INTEGER,                   -- microseconds since 1970
	link_id         TEXT,
	link_stream     TEXT,
	link_no         INTEGER,
	link_unresolved INTEGER,
	class           TEXT NOT NULL,             -- empty: waits behind another event of its key
	error           TEXT NOT NULL,
	attempts        INTEGER NOT NULL,
	tried           INTEGER,                   -- microseconds since 1970
	at              INTEGER NOT NULL           -- milliseconds since 1970
);
CREATE INDEX projector_parked_number ON projector_parked (projection, number);
CREATE TABLE projector_commands (
	number     INTEGER PRIMARY KEY AUTOINCREMENT,
	projection TEXT NOT NULL,
	name       TEXT NOT NULL,
	args       BLOB,
	by         TEXT NOT NULL,
	sent       INTEGER NOT NULL,               -- milliseconds since 1970
	done       INTEGER,                        -- null: not executed yet
	answer     TEXT NOT NULL DEFAULT '',
	refused    INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX projector_commands_waiting ON projector_commands (projection, number) WHERE done IS NULL;
CREATE INDEX projector_commands_done ON projector_commands (done);
`},
		{oldest: 1, statements: `
CREATE TABLE projector_handled (              -- events of a projection that reads a group
	projection TEXT NOT NULL,
	id         TEXT NOT NULL,
	at         INTEGER NOT NULL,               -- milliseconds since 1970
	PRIMARY KEY (projection, id)
) WITHOUT ROWID;
CREATE INDEX projector_handled_at ON projector_handled (projection, at);
`},
		{oldest: 1, statements: `
ALTER TABLE projector_parked ADD COLUMN first_tried INTEGER;  -- microseconds since 1970
`},
		{oldest: 1, statements: `
ALTER TABLE projector_projections ADD COLUMN shards INTEGER NOT NULL DEFAULT 1;   -- into so many it is divided
ALTER TABLE projector_projections ADD COLUMN base TEXT;                           -- of a shard: the projection
CREATE INDEX projector_projections_base ON projector_projections (base) WHERE base IS NOT NULL;
CREATE TABLE projector_members (
	projection TEXT NOT NULL,
	instance   TEXT NOT NULL,
	owner      TEXT NOT NULL,
	joined     INTEGER NOT NULL,               -- in the order in which they came
	expires    INTEGER NOT NULL,               -- milliseconds since 1970
	PRIMARY KEY (projection, instance)
) WITHOUT ROWID;
`},
	}
}

// versionTable holds one row: the version of the tables, and the oldest version of the software that can use them.
const versionTable = `CREATE TABLE IF NOT EXISTS projector_version (
	one     INTEGER PRIMARY KEY NOT NULL DEFAULT 1 CHECK (one = 1),
	version INTEGER NOT NULL,
	oldest  INTEGER NOT NULL
);
`

// DDL returns the statements that make everything the store needs in an empty file: the framework's own tables, and
// those of read models.
func DDL(tables ...*checkpoint.Table) (string, error) {
	steps := migrations()
	var errs []error
	var b strings.Builder
	b.WriteString(versionTable)
	for _, step := range steps {
		b.WriteString(strings.TrimPrefix(step.statements, "\n"))
	}
	fmt.Fprintf(&b, "INSERT INTO projector_version (one, version, oldest) VALUES (1, %d, %d);\n", len(steps), steps[len(steps)-1].oldest)
	for _, t := range tables {
		errs = append(errs, checkTable(t))
		b.WriteString(createTable(t))
	}
	return b.String(), errors.Join(errs...)
}

// Migrate implements [checkpoint.Store]. The lock is the write lock of the file.
func (s *Store) Migrate(ctx context.Context) error {
	err := s.writer.tx(ctx, func() error {
		if err := s.writer.run(ctx, versionTable); err != nil {
			return err
		}
		var version, oldest int64
		err := s.writer.conn.QueryRowContext(ctx, `SELECT version, oldest FROM projector_version`).Scan(&version, &oldest)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return s.writer.migrate(ctx, version, oldest)
	})
	if err != nil {
		return fmt.Errorf("sqlite: migrate: %w", err)
	}
	return nil
}

// Check implements [checkpoint.Store].
func (s *Store) Check(ctx context.Context) error {
	var version, oldest int64
	err := s.reader.QueryRowContext(ctx, `SELECT version, oldest FROM projector_version`).Scan(&version, &oldest)
	var refused *sqlite.Error
	switch {
	case errors.Is(err, sql.ErrNoRows), errors.As(err, &refused) && strings.Contains(refused.Error(), "no such table"):
		err = checkpoint.ErrNotMigrated
	case err == nil:
		var current bool
		if current, err = isCurrent(version, oldest); err == nil && !current {
			err = checkpoint.ErrNotMigrated
		}
	}
	if err != nil {
		return fmt.Errorf("sqlite: %w", classed(err))
	}
	return nil
}

// isCurrent reports whether tables of a version are those of this release or a later one that it can work with.
func isCurrent(version, oldest int64) (bool, error) {
	ours := int64(len(migrations()))
	if oldest > ours {
		return false, fmt.Errorf("%w: its tables have version %d, which works with releases from version %d on; this one has %d",
			checkpoint.ErrVersion, version, oldest, ours)
	}
	return version >= ours, nil
}

func (w *writer) migrate(ctx context.Context, version, oldest int64) error {
	if current, err := isCurrent(version, oldest); current || err != nil {
		return err
	}
	steps := migrations()
	ours := len(steps)
	for _, step := range steps[version:] {
		if err := w.run(ctx, step.statements); err != nil {
			return err
		}
	}
	return w.run(ctx, fmt.Sprintf(`INSERT INTO projector_version (one, version, oldest) VALUES (1, %d, %d)
		ON CONFLICT (one) DO UPDATE SET version = excluded.version, oldest = max(oldest, excluded.oldest)`,
		ours, steps[ours-1].oldest))
}

// run executes statements that are not cached. The caller holds the token.
func (w *writer) run(ctx context.Context, statements string) error {
	_, err := w.conn.ExecContext(ctx, statements)
	return err
}
