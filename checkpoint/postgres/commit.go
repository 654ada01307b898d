package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/photonpump/projector/checkpoint"
)

// commit is a change on its way to the database: one script, the row of the lease last.
type commit struct {
	lease  *lease
	change checkpoint.Change
	script script
	steps  []*checkpoint.Table // what each statement is about; nil for none
	moved  int                 // index of the statement that moves the position
	stored int                 // index of the statement that remembers events; -1 = none
	lookup bool                // the server has been told to look up each key
	guess  *guesses            // which tables get new rows only; nil = do not guess
	plain  map[int]bool        // the statements that rely on such a guess
}

// maxArrays bounds the bytes of the parameters of one statement; Postgres allows 1 GiB for a message.
const maxArrays = 64 << 20

// prepare adds the statements of the change to the script.
func (c *commit) prepare() error {
	for _, w := range c.change.Writes {
		if err := c.addDeletes(w); err != nil {
			return err
		}
		if err := c.addUpserts(w); err != nil {
			return err
		}
	}
	c.addParking()
	c.addDedupe()
	l, change := c.lease, &c.change
	id, position := any(encoded{oid: pgtype.UUIDOID}), any(nil)
	if change.Last != (checkpoint.EventRef{}) {
		id, position = change.Last.ID, change.Last.Position.String()
	}
	c.moved = len(c.script.statements)
	c.add(nil, l.store.sql.commit, l.name, l.epoch, change.From.String(), change.To.String(), micros(l.ttl),
		change.Handled, change.Ignored, id, position, change.Skipped)
	return nil
}

func (c *commit) add(table *checkpoint.Table, sql string, params ...any) {
	c.script.add(sql, params...)
	c.steps = append(c.steps, table)
}

func (c *commit) addDeletes(w checkpoint.TableWrite) error {
	if len(w.Deletes) == 0 {
		return nil
	}
	sql := c.lease.store.table(w.Table)
	params, err := keyArrays(w.Table, sql, w.Deletes)
	if err != nil {
		return err
	}
	if !c.lookup && len(w.Deletes) > 1 {
		c.lookup = true
		c.add(nil, c.lease.store.sql.lookup, "off")
	}
	c.add(w.Table, sql.remove, params...)
	return nil
}

func (c *commit) addUpserts(w checkpoint.TableWrite) error {
	sql := c.lease.store.table(w.Table)
	if len(w.Upserts) == 1 {
		row, err := w.Table.CanonicalRow(w.Upserts[0], 0)
		if err == nil {
			c.add(w.Table, sql.upsertOne, valueParams(sql.all, row)...)
		}
		return err
	}
	statement, plain := sql.upsert, c.guess.plain(&w)
	if plain {
		statement = sql.insert
	}
	add := func(arrays []*columnArray) {
		if plain {
			c.plain[len(c.script.statements)] = true
		}
		c.add(w.Table, statement, arrayParams(arrays)...)
	}
	var arrays []*columnArray
	for i, row := range w.Upserts {
		canonical, err := w.Table.CanonicalRow(row, i)
		if err != nil {
			return err
		}
		if arrays == nil {
			arrays = newArrays(sql.all, len(w.Upserts)-i)
		}
		size := 0
		for j, a := range arrays {
			a.append(canonical[j])
			size += len(a.bytes)
		}
		if size > maxArrays {
			add(arrays)
			arrays = nil
		}
	}
	if arrays != nil {
		add(arrays)
	}
	return nil
}

// run sends the script and tells what its failure means.
func (c *commit) run(ctx context.Context, conn *pgconn.PgConn) error {
	l := c.lease
	stop := l.store.evictBlockers(ctx, l.identity())
	_, failed, err := c.script.run(ctx, conn)
	stop()
	switch {
	case err == nil:
		l.position = c.change.To
		if c.change.Last != (checkpoint.EventRef{}) {
			l.last = c.change.Last
		}
		return nil
	case c.plain[failed] && isState(err, "23505"):
		c.guess.wrong(c.steps[failed])
		return errGuess
	case failed == c.moved && isState(err, "22012"), failed == c.stored && isState(err, "23505"):
		return l.fenced()
	case failed < len(c.steps) && c.steps[failed] != nil:
		return fmt.Errorf("projection %q: commit: %w", l.name, tableError(c.steps[failed], err))
	}
	return fmt.Errorf("projection %q: commit: %w", l.name, c.deferredError(err))
}

// deferredError is about a constraint that the server has checked at the end of the transaction.
func (c *commit) deferredError(err error) error {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		for _, w := range c.change.Writes {
			if w.Table.Name == server.TableName {
				return tableError(w.Table, err)
			}
		}
	}
	return err
}

// tableError says which table the server speaks of.
func tableError(t *checkpoint.Table, err error) error {
	var server *pgconn.PgError
	switch {
	case isState(err, "42P01"):
		return fmt.Errorf("%w: %q: %w", checkpoint.ErrNoTable, t.Name, err)
	case errors.As(err, &server) && classify(err) == checkpoint.ClassData:
		if server.Detail != "" {
			err = fmt.Errorf("%w: %s", err, server.Detail)
		}
		return &checkpoint.RowError{Table: t.Name, Column: server.ColumnName, Row: -1, Err: err}
	}
	return err
}

func keyArrays(t *checkpoint.Table, sql *tableSQL, keys [][]any) ([]any, error) {
	arrays := newArrays(sql.keys, len(keys))
	for i, key := range keys {
		canonical, err := t.CanonicalKey(key, i)
		if err != nil {
			return nil, err
		}
		for j, a := range arrays {
			a.append(canonical[j])
		}
	}
	return arrayParams(arrays), nil
}

// valueParams are parameters for one row.
func valueParams(columns []*checkpoint.Column, row []any) []any {
	params := make([]any, len(columns))
	for i, c := range columns {
		p := encoded{oid: elementOID(c.Type)}
		if row[i] != nil {
			p.bytes = appendElement([]byte{}, row[i])
		}
		params[i] = p
	}
	return params
}

func newArrays(columns []*checkpoint.Column, rows int) []*columnArray {
	arrays := make([]*columnArray, len(columns))
	for i, c := range columns {
		arrays[i] = newColumnArray(c, rows)
	}
	return arrays
}

func arrayParams(arrays []*columnArray) []any {
	params := make([]any, len(arrays))
	for i, a := range arrays {
		params[i] = a.param()
	}
	return params
}
