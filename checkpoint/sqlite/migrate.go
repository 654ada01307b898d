package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

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
	}
}

// versionTable holds one row: the version of the tables, and the oldest version of the software that can use them.
const versionTable = `CREATE TABLE IF NOT EXISTS projector_version (
	one     INTEGER PRIMARY KEY NOT NULL DEFAULT 1 CHECK (one = 1),
	version INTEGER NOT NULL,
	oldest  INTEGER NOT NULL
);
`

// DDL returns the statements that make the framework's own tables in an empty file.
func (s *Store) DDL() string {
	steps := migrations()
	var b strings.Builder
	b.WriteString(versionTable)
	for _, step := range steps {
		b.WriteString(step.statements)
	}
	fmt.Fprintf(&b, "INSERT INTO projector_version (version, oldest) VALUES (%d, %d);\n", len(steps), steps[len(steps)-1].oldest)
	return b.String()
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

func (w *writer) migrate(ctx context.Context, version, oldest int64) error {
	steps := migrations()
	ours := int64(len(steps))
	switch {
	case oldest > ours:
		return fmt.Errorf("%w: its tables have version %d, which works with releases from version %d on; this one has %d",
			checkpoint.ErrVersion, version, oldest, ours)
	case version >= ours:
		return nil
	}
	for _, step := range steps[version:] {
		if err := w.run(ctx, step.statements); err != nil {
			return err
		}
	}
	return w.run(ctx, fmt.Sprintf(`INSERT INTO projector_version (version, oldest) VALUES (%d, %d)
		ON CONFLICT (one) DO UPDATE SET version = excluded.version, oldest = max(oldest, excluded.oldest)`,
		ours, steps[ours-1].oldest))
}

// run executes statements that are not cached. The caller holds the token.
func (w *writer) run(ctx context.Context, statements string) error {
	_, err := w.conn.ExecContext(ctx, statements)
	return err
}
