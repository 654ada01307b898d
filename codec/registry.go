package codec

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ErrUnknown means that no codec of that name is registered.
var ErrUnknown = errors.New("unknown codec")

// Registry finds codecs by name. It does not change once made, and is safe for concurrent use.
type Registry struct {
	byName map[string]Codec
}

// NewRegistry returns a registry of the built-in codecs and the given ones, which win over built-in ones of the same
// name.
func NewRegistry(more ...Codec) *Registry {
	r := &Registry{byName: make(map[string]Codec)}
	for _, c := range slices.Concat(builtin(), more) {
		r.byName[c.Name()] = c
	}
	return r
}

// builtin are the codecs that need no settings, and those of them that are worth it compressed.
func builtin() []Codec {
	plain := []Codec{JSON(), Raw(), Text(), Protobuf(), XML(), Gob(), CBOR(), MessagePack(), Binary()}
	all := slices.Clone(plain)
	for _, c := range plain {
		all = append(all, Gzip(c), Zstd(c))
	}
	return all
}

// Codec returns the codec of that name, or [ErrUnknown].
func (r *Registry) Codec(name string) (Codec, error) {
	if c, ok := r.byName[name]; ok {
		return c, nil
	}
	return nil, fmt.Errorf("%w %q: want one of %s", ErrUnknown, name, strings.Join(r.Names(), ", "))
}

// Names returns the names of all codecs, sorted.
func (r *Registry) Names() []string { return slices.Sorted(maps.Keys(r.byName)) }
