package config

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/readmodel"
	"github.com/photonpump/projector/projector/source"
)

// sqlPart is the part of a projection that writes tables by SQL. The framework makes, shows and resets those tables, and
// does not fold anything into them.
type sqlPart struct {
	projection string
	tables     []*checkpoint.Table
	rules      []*sqlRule
	version    string   // of the upcasters
	folded     []string // tables of the file that no statement may write, in lower case
	own        []string // those of them that are the projection's, which none may read

	raw []placedTable // until they are compiled
}

var _ projector.Folder = (*sqlPart)(nil)

// add takes a table whose rules are compiled once all tables of the file are known.
func (p *sqlPart) add(w *walker, t placedTable, def *checkpoint.Table) {
	p.tables = append(p.tables, def)
	p.raw = append(p.raw, t)
	(&tableCompiler{walker: w, placedTable: t, def: def, counters: make([]bool, len(def.Columns))}).defaults()
}

func (p *sqlPart) table(name string) *checkpoint.Table { return p.tables[p.index(name)] }

func (p *sqlPart) index(name string) int {
	return slices.IndexFunc(p.tables, func(t *checkpoint.Table) bool { return strings.EqualFold(t.Name, name) })
}

// writes reports whether the statements may write a table.
func (p *sqlPart) writes(table string) bool { return p.index(table) >= 0 }

// foldedElsewhere notes which tables are not the part's.
func (p *sqlPart) foldedElsewhere(d *document) {
	for _, other := range d.Projections {
		for _, t := range other.Tables() {
			if !p.writes(t.Name) {
				p.folded = append(p.folded, strings.ToLower(t.Name))
			}
			if other.Name == p.projection && !p.writes(t.Name) {
				p.own = append(p.own, strings.ToLower(t.Name))
			}
		}
	}
}

// Tables implements [projector.Folder].
func (p *sqlPart) Tables() []*checkpoint.Table { return p.tables }

// Handles implements [projector.Folder]. Events go to the handler.
func (*sqlPart) Handles(string) bool { return false }

// Fingerprint implements [projector.Folder].
func (p *sqlPart) Fingerprint() string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%s\n", p.version)
	for _, t := range p.tables {
		_, _ = fmt.Fprintf(h, "%q %q\n", t.Name, t.Key)
		columns := slices.SortedFunc(slices.Values(t.Columns), func(a, b checkpoint.Column) int { return strings.Compare(a.Name, b.Name) })
		for _, c := range columns {
			_, _ = fmt.Fprintf(h, "%q %v %t %v\n", c.Name, c.Type, c.NotNull, c.Default)
		}
	}
	for _, r := range p.rules {
		_, _ = fmt.Fprintf(h, "%s\n", r.fingerprint())
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// NewFold implements [projector.Folder].
func (*sqlPart) NewFold(string, checkpoint.Lease) projector.Fold { return noFold{} }

// noFold folds nothing.
type noFold struct{}

func (noFold) Fold(context.Context, []source.Event) error { return nil }
func (noFold) Writes() []checkpoint.TableWrite            { return nil }
func (noFold) Committed()                                 {}
func (noFold) Rollback()                                  {}

// rawTypes returns the event types of rules that are not compiled yet.
func (p *sqlPart) rawTypes() []string {
	var eventTypes []string
	for _, t := range p.raw {
		for _, o := range t.sql {
			eventTypes = append(eventTypes, o.Name)
		}
	}
	return eventTypes
}

// wants reports whether there is a rule for a type of event.
func (p *sqlPart) wants(eventType string) bool {
	return slices.ContainsFunc(p.rules, func(r *sqlRule) bool { return readmodel.Matches(r.eventType, eventType) })
}

// handler runs the statements of an event in the transaction that also moves the position.
func (p *sqlPart) handler() *projector.Handler {
	return projector.OnTxTypes(p.wants, func(ctx context.Context, tx checkpoint.SQLTx, e projector.Event[[]byte]) error {
		return p.run(ctx, tx, &e.Event)
	})
}

func (p *sqlPart) run(ctx context.Context, tx checkpoint.SQLTx, e *source.Event) error {
	for _, r := range p.rules {
		if !readmodel.Matches(r.eventType, e.Type) {
			continue
		}
		if err := p.runRule(ctx, tx, r, e); err != nil {
			return fmt.Errorf("sql of table %q: %w", r.table, err)
		}
	}
	return nil
}

func (p *sqlPart) runRule(ctx context.Context, tx checkpoint.SQLTx, r *sqlRule, e *source.Event) error {
	statements := r.statements[dialect(tx.Dialect())]
	if statements == nil {
		return projector.Stop(fmt.Errorf("there is no statement for %s; write statement: {sqlite: …, postgres: …}", tx.Dialect()))
	}
	var in env
	if err := r.decoder.Decode(e, &in); err != nil {
		return &projector.EventError{Class: projector.ClassDecode, Err: err}
	}
	items := []any{nil}
	if r.each != nil {
		v, err := r.each.value(&in)
		if err != nil {
			return fmt.Errorf("each: %w", err)
		}
		var ok bool
		if items, ok = asList(v); !ok {
			return fmt.Errorf("each: %s: want a list, got %s", r.each.source, kindName(v))
		}
	}
	for _, item := range items {
		in.item = item
		if r.when != nil {
			if yes, err := isTrue(r.when, &in); err != nil {
				return fmt.Errorf("when: %w", err)
			} else if !yes {
				continue
			}
		}
		values, err := r.values(&in)
		if err != nil {
			return err
		}
		for i, s := range statements {
			if err := p.exec(ctx, tx, s, values); err != nil {
				if len(statements) > 1 {
					return fmt.Errorf("statement %d: %w", i+1, err)
				}
				return err
			}
		}
	}
	return nil
}

// values evaluates the parameters.
func (r *sqlRule) values(in *env) (map[string]checkpoint.SQLValue, error) {
	values := make(map[string]checkpoint.SQLValue, len(r.params))
	for _, p := range r.params {
		v, err := p.value.value(in)
		if err != nil {
			return nil, fmt.Errorf(":%s: %w", p.name, err)
		}
		typ := p.typ
		if typ.Base == 0 {
			typ = typeOf(v)
		}
		if v, err = readmodel.Convert(typ, whole(v)); err != nil {
			return nil, fmt.Errorf(":%s: %w", p.name, err)
		}
		if typ.Base == checkpoint.Text && p.typ.Base == 0 {
			typ = checkpoint.Type{} // the database finds out what the text is
		}
		values[p.name] = checkpoint.SQLValue{Type: typ, Value: v}
	}
	return values, nil
}

// typeOf is the type of a value of which nothing else is known.
func typeOf(v any) checkpoint.Type {
	base := checkpoint.JSON
	switch v.(type) {
	case nil, string:
		base = checkpoint.Text
	case bool:
		base = checkpoint.Bool
	case int, int64:
		base = checkpoint.Int
	case float64:
		base = checkpoint.Float
	case time.Time:
		base = checkpoint.Time
	case uuid.UUID:
		base = checkpoint.UUID
	case []byte:
		base = checkpoint.Bytes
	}
	return checkpoint.Type{Base: base}
}

// exec runs a statement. What it uses is looked at the first time.
func (p *sqlPart) exec(ctx context.Context, tx checkpoint.SQLTx, s *sqlStatement, values map[string]checkpoint.SQLValue) error {
	args := make([]checkpoint.SQLValue, len(s.parameters))
	for i, name := range s.parameters {
		args[i] = values[name]
	}
	if s.traced.Load() {
		_, err := tx.Exec(ctx, s.text, args...)
		return err
	}
	trace, err := tx.ExecTraced(ctx, s.text, args...)
	if err != nil {
		return err
	}
	for _, name := range trace.Writes {
		if slices.Contains(p.folded, strings.ToLower(name)) || strings.HasPrefix(name, "projector_") {
			return projector.Stop(fmt.Errorf("writes table %q, which is not for sql to write, in: %s", name, s.text))
		}
	}
	for _, name := range trace.Reads {
		if slices.Contains(p.own, strings.ToLower(name)) {
			return projector.Stop(fmt.Errorf("reads table %q, whose rows are written in batches, so that what it finds is by chance, in: %s", name, s.text))
		}
	}
	s.traced.Store(true)
	return nil
}
