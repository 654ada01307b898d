package projector

import (
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
// Its parts may be mixed. For each batch, tables are folded in memory first, then the handlers of [On] run, event by
// event, then one transaction runs those of [OnTx], writes the rows and moves the position. So an effect of On may be
// seen before the rows of its event, and again after a crash; rows and what OnTx wrote count exactly once.
type Projection struct {
	name     string
	source   source.Source
	handlers map[string]*handlers // by event type
	folders  []Folder
	settings []Setting
	errs     []error
}

// handlers of one event type.
type handlers struct {
	effect *Handler // On
	tx     *Handler // OnTx
}

// New makes a projection that reads src. The name identifies its position in the store, so it must stay the same.
// Mistakes are reported by [NewRunner], all at once.
//
//	projector.New("ponies", src,
//		projector.On("pony.born", greet),
//		projector.On("pony.jumped", applaud))
func New(name string, src source.Source, parts ...Part) *Projection {
	p := &Projection{name: name, source: src, handlers: make(map[string]*handlers)}
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

// Source that the projection reads.
func (p *Projection) Source() source.Source { return p.source }

// Tables that the projection writes.
func (p *Projection) Tables() []*checkpoint.Table {
	var tables []*checkpoint.Table
	for _, f := range p.folders {
		tables = append(tables, f.Tables()...)
	}
	return tables
}

// Fingerprint identifies what the rows depend on: the source and the definitions of the tables. The code of handlers is
// not part of it. The store refuses to go on with rows of another fingerprint.
func (p *Projection) Fingerprint() string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "source %q\n", p.source.String())
	prints := make([]string, len(p.folders))
	for i, f := range p.folders {
		prints[i] = f.Fingerprint()
	}
	slices.Sort(prints)
	for _, f := range prints {
		_, _ = io.WriteString(h, f+"\n")
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
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
	of := p.handlers[h.eventType]
	if of == nil {
		of = &handlers{}
		p.handlers[h.eventType] = of
	}
	slot := &of.effect
	if h.accepts != nil {
		slot = &of.tx
	}
	if *slot != nil {
		p.errs = append(p.errs, fmt.Errorf("%v is registered twice", h))
		return
	}
	*slot = h
}

// handles reports whether any part wants events of this type.
func (p *Projection) handles(eventType string) bool {
	if p.handlers[eventType] != nil {
		return true
	}
	return slices.ContainsFunc(p.folders, func(f Folder) bool { return f.Handles(eventType) })
}

// transactional reports whether there are handlers that need an open transaction.
func (p *Projection) transactional() bool {
	for _, of := range p.handlers {
		if of.tx != nil {
			return true
		}
	}
	return false
}

// effectful reports whether there are handlers for side effects.
func (p *Projection) effectful() bool {
	for _, of := range p.handlers {
		if of.effect != nil {
			return true
		}
	}
	return false
}

// validate reports every mistake in the definition.
func (p *Projection) validate() error {
	errs := slices.Clone(p.errs)
	if p.name == "" {
		errs = append(errs, errors.New("has no name"))
	}
	if p.source == nil {
		errs = append(errs, errors.New("has no source"))
	}
	if len(p.handlers) == 0 && len(p.folders) == 0 && len(p.errs) == 0 {
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
