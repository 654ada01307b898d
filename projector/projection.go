package projector

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// Projection is a name, a source of events and what is done with them. It does nothing until a [Runner] runs it.
//
// Its parts may be mixed. For each batch, tables are folded in memory and the handlers of [On] run, in the order of the
// events; then one transaction runs those of [OnTx], writes the rows and moves the position. So an effect of On may be seen
// before the rows of its event, and again after a crash; rows and what OnTx wrote count exactly once.
type Projection struct {
	name     string
	source   source.Source // nil = reads a group
	group    source.Group
	effects  map[string]*Handler // On, by event type; "" = OnAny
	txs      map[string]*Handler // OnTx, likewise
	folders  []Folder
	settings []Setting
	errs     []error
}

// New makes a projection that reads from: a [source.Source] or a [source.Group]. The name identifies its position in the store, so it must stay the same.
// Mistakes are reported by [NewRunner], all at once.
//
//	projector.New("ponies", src,
//		projector.On("pony.born", greet),
//		projector.On("pony.jumped", applaud))
func New(name string, from source.Feed, parts ...Part) *Projection {
	p := &Projection{name: name, effects: make(map[string]*Handler), txs: make(map[string]*Handler)}
	switch from := from.(type) {
	case nil:
	case source.Source:
		p.source = from
	case source.Group:
		p.group = from
	default:
		p.errs = append(p.errs, fmt.Errorf("a %T is neither a source nor a group", from))
	}
	for _, part := range parts {
		p.add(part)
	}
	return p
}

// With applies settings and returns p.
func (p *Projection) With(settings ...Setting) *Projection {
	p.settings = append(p.settings, settings...)
	return p
}

// Name of the projection.
func (p *Projection) Name() string { return p.name }

// Source is what the projection reads, nil if there is none.
func (p *Projection) Source() source.Feed {
	switch {
	case p.source != nil:
		return p.source
	case p.group != nil:
		return p.group
	}
	return nil
}

// Shards is into how many shards the projection is divided, see the function [Shards]; 1 = it is not.
func (p *Projection) Shards() int {
	s := defaults().settings
	for _, set := range p.settings {
		set.applyProjection(&s)
	}
	return s.shards
}

// RetryPolicy is what happens with events of the projection that fail.
func (p *Projection) RetryPolicy() RetryPolicy {
	s := defaults().settings
	for _, set := range p.settings {
		set.applyProjection(&s)
	}
	return s.retry
}

// Start returns where the projection starts if the store does not know it. It asks the source where that depends on the
// log, see [StartAtEnd].
func (p *Projection) Start(ctx context.Context) (checkpoint.Position, error) {
	var s settings
	for _, set := range p.settings {
		set.applyProjection(&s)
	}
	if s.findStart != nil && p.source != nil {
		return s.findStart(ctx, p.source)
	}
	return s.start, nil
}

// Tables that the projection writes.
func (p *Projection) Tables() []*checkpoint.Table {
	var tables []*checkpoint.Table
	for _, f := range p.folders {
		tables = append(tables, f.Tables()...)
	}
	return tables
}

// Fingerprint identifies what the rows depend on: the source and the definitions of the tables. The code of handlers is
// not part of it. The store refuses to go on with rows of another fingerprint, see [checkpoint.SameRows].
func (p *Projection) Fingerprint() string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "source %q\n", p.Source().String())
	cores := make([]string, len(p.folders))
	var additions []string
	for i, f := range p.folders {
		core, more := checkpoint.ParseFingerprint(f.Fingerprint())
		cores[i], additions = core, append(additions, more...)
	}
	slices.Sort(cores)
	for _, f := range cores {
		_, _ = io.WriteString(h, f+"\n")
	}
	return checkpoint.Fingerprint(hex.EncodeToString(h.Sum(nil)[:8]), additions...)
}

// EnsureTables makes the tables that are missing in a store, and adds columns and indexes. If the rows that are there were
// built by another definition, nothing is changed, and the error is a *[checkpoint.DefinitionError]. A [Runner] does this
// by itself; it is for programs that want the tables before.
func (p *Projection) EnsureTables(ctx context.Context, store checkpoint.Store) error {
	return p.ensureTables(ctx, store, checkpoint.Position{})
}

func (p *Projection) ensureTables(ctx context.Context, store checkpoint.Store, start checkpoint.Position) error {
	diffs, err := store.Diff(ctx, p.Tables()...)
	if err != nil {
		return err
	}
	adds := func(d checkpoint.TableDiff) bool { return len(d.Columns)+len(d.Drift) > 0 }
	if !slices.ContainsFunc(diffs, adds) {
		return store.EnsureTables(ctx, p.Tables()...)
	}
	stored, err := storedStatus(ctx, store, p.name)
	if err != nil {
		return err
	}
	var changed error
	claim := checkpoint.Claim{Fingerprint: p.Fingerprint(), Start: start}
	if stored != nil && !claim.Fits(stored.Fingerprint, stored.Position) {
		changed = &checkpoint.DefinitionError{
			Name: p.name, Stored: stored.Fingerprint, Wants: claim.Fingerprint, Position: stored.Position,
		}
	}
	if changed == nil {
		err := store.EnsureTables(ctx, p.Tables()...)
		if errors.Is(err, checkpoint.ErrDrift) {
			return fmt.Errorf("%w; change it by hand, or run `projector reset %s` to make it anew and build its rows again", err, p.name)
		}
		return err
	}
	for i := range diffs {
		changed = errors.Join(changed, diffs[i].Err())
	}
	return changed
}

// storedStatus returns what a store knows of a projection; nil if nothing.
func storedStatus(ctx context.Context, store checkpoint.Store, name string) (*checkpoint.Status, error) {
	all, err := store.List(ctx)
	i := slices.IndexFunc(all, func(st checkpoint.Status) bool { return st.Name == name })
	if err != nil || i < 0 {
		return nil, err
	}
	return &all[i], nil
}

func (p *Projection) add(part Part) {
	switch part := part.(type) {
	case nil:
		p.errs = append(p.errs, errors.New("a part is nil"))
	case *Handler:
		p.addHandler(part)
	case Folder:
		p.folders = append(p.folders, part)
	default:
		p.errs = append(p.errs, fmt.Errorf("a %T is neither a handler nor a Folder", part))
	}
}

func (p *Projection) addHandler(h *Handler) {
	if h.err != nil {
		p.errs = append(p.errs, h.err)
		return
	}
	slots := p.effects
	if h.accepts != nil {
		slots = p.txs
	}
	if slots[h.eventType] != nil {
		p.errs = append(p.errs, fmt.Errorf("%v is registered twice", h))
		return
	}
	slots[h.eventType] = h
}

// effect returns the handler for side effects of a type of event, or nil.
func (p *Projection) effect(eventType string) *Handler { return find(p.effects, eventType) }

// tx returns the handler of a type of event that wants the transaction, or nil.
func (p *Projection) tx(eventType string) *Handler { return find(p.txs, eventType) }

// find returns the handler of a type, else the one for any. Events without a type are links that lead nowhere, or are
// parked instead of handled.
func find(handlers map[string]*Handler, eventType string) *Handler {
	if eventType == "" {
		return nil
	}
	if h := handlers[eventType]; h != nil {
		return h
	}
	if h := handlers[""]; h != nil && h.Handles(eventType) {
		return h
	}
	return nil
}

// handles reports whether any part wants events of this type.
func (p *Projection) handles(eventType string) bool {
	if eventType == "" {
		return false
	}
	if p.effect(eventType) != nil || p.tx(eventType) != nil {
		return true
	}
	return slices.ContainsFunc(p.folders, func(f Folder) bool { return f.Handles(eventType) })
}

// validate reports every mistake in the definition.
func (p *Projection) validate() error {
	errs := slices.Clone(p.errs)
	if p.name == "" {
		errs = append(errs, errors.New("has no name"))
	}
	if p.Source() == nil && len(p.errs) == 0 {
		errs = append(errs, errors.New("has no source"))
	}
	if len(p.effects)+len(p.txs)+len(p.folders) == 0 && len(p.errs) == 0 {
		errs = append(errs, errors.New("has neither handlers nor tables"))
	}
	for _, t := range p.Tables() {
		if err := t.Validate(); err != nil {
			errs = append(errs, err)
		}
	}
	for i, err := range errs {
		errs[i] = fmt.Errorf("projection %q: %w", p.name, err)
	}
	return errors.Join(errs...)
}
