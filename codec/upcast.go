package codec

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ErrUpcast is in the chain of every mistake in a set of upcasters.
var ErrUpcast = errors.New("upcasters do not fit together")

// Schema is a version of a type of event.
type Schema struct {
	Type    string
	Version int // from 1
}

func (s Schema) String() string { return fmt.Sprintf("%s v%d", s.Type, s.Version) }

// Upcast turns the data of one version of an event into those of another, usually the next; the type may change too.
type Upcast struct {
	From, To Schema
	// Fn must not change data or metadata. It is called from several goroutines.
	Fn func(data, metadata []byte) ([]byte, error)
}

// Upcasters bring old events to the version that handlers know. They do not change and are safe for concurrent use.
type Upcasters struct {
	steps     map[Schema]Upcast
	types     map[string]bool // that have any step
	versionOf func(eventType string, metadata []byte) (int, error)
}

// UpcastOption configures [NewUpcasters].
type UpcastOption func(*Upcasters)

// VersionFrom sets how the version of an event is found. Defaults to [VersionInMetadata] "version".
func VersionFrom(fn func(eventType string, metadata []byte) (int, error)) UpcastOption {
	return func(u *Upcasters) { u.versionOf = fn }
}

// VersionInMetadata finds the version in a member of the metadata, an integer; without it the version is 1.
func VersionInMetadata(member string) func(eventType string, metadata []byte) (int, error) {
	return func(_ string, metadata []byte) (int, error) {
		if len(metadata) == 0 {
			return 1, nil
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(metadata, &members); err != nil {
			return 0, fmt.Errorf("version of the event: metadata: %w", err)
		}
		raw, ok := members[member]
		if !ok {
			return 1, nil
		}
		var version int
		if err := json.Unmarshal(raw, &version); err != nil || version < 1 {
			return 0, fmt.Errorf("version of the event: metadata %q is %s, want an integer from 1", member, raw)
		}
		return version, nil
	}
}

// NewUpcasters checks that every chain of upcasts ends in one of the current versions: no cycle, no gap, no dead end, no
// fork. All mistakes are reported at once.
func NewUpcasters(current []Schema, upcasts []Upcast, opts ...UpcastOption) (*Upcasters, error) {
	u := &Upcasters{steps: map[Schema]Upcast{}, types: map[string]bool{}, versionOf: VersionInMetadata("version")}
	for _, o := range opts {
		o(u)
	}
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: "+format, append([]any{ErrUpcast}, args...)...))
	}
	for _, step := range upcasts {
		if step.Fn == nil {
			fail("%v to %v has no function", step.From, step.To)
		}
		if step.From.Version < 1 || step.To.Version < 1 || step.From.Type == "" || step.To.Type == "" {
			fail("%v to %v: want a type and a version from 1 on both sides", step.From, step.To)
		}
		if _, twice := u.steps[step.From]; twice {
			fail("%v is upcast in two ways", step.From)
		}
		u.steps[step.From] = step
		u.types[step.From.Type] = true
	}
	for _, from := range slices.SortedFunc(maps.Keys(u.steps), compareSchemas) {
		if slices.Contains(current, from) {
			fail("%v is current, but is upcast to %v", from, u.steps[from].To)
			continue
		}
		if why := u.follow(from, current); why != "" {
			fail("%s", why)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return u, nil
}

func compareSchemas(a, b Schema) int {
	return cmp.Or(strings.Compare(a.Type, b.Type), a.Version-b.Version)
}

// follow says what is wrong with the chain that begins at from; empty = nothing.
func (u *Upcasters) follow(from Schema, current []Schema) string {
	seen := map[Schema]bool{}
	at := from
	for !seen[at] {
		seen[at] = true
		step, ok := u.steps[at]
		if ok {
			at = step.To
			continue
		}
		if slices.Contains(current, at) {
			return ""
		}
		if next := u.later(at); next.Version > 0 {
			return fmt.Sprintf("gap: %v leads to %v, from which nothing leads to %v", from, at, next)
		}
		return fmt.Sprintf("dead end: %v leads to %v, which is not current", from, at)
	}
	return fmt.Sprintf("cycle: %v leads back to %v", from, at)
}

// later returns the next version of the type of s for which there is a step.
func (u *Upcasters) later(s Schema) Schema {
	var next Schema
	for from := range u.steps {
		if from.Type == s.Type && from.Version > s.Version && (next.Version == 0 || from.Version < next.Version) {
			next = from
		}
	}
	return next
}

// Concerns reports whether events of this type may have to be upcast.
func (u *Upcasters) Concerns(eventType string) bool { return u.types[eventType] }

// Upcast returns the type and data of an event in its current version. Data that need no upcast are returned as they are.
func (u *Upcasters) Upcast(eventType string, data, metadata []byte) (currentType string, currentData []byte, err error) {
	if !u.types[eventType] {
		return eventType, data, nil
	}
	version, err := u.versionOf(eventType, metadata)
	if err != nil {
		return eventType, data, err
	}
	at := Schema{eventType, version}
	for {
		step, ok := u.steps[at]
		if !ok {
			return at.Type, data, nil
		}
		if data, err = step.Fn(data, metadata); err != nil {
			return eventType, data, fmt.Errorf("upcast %v to %v: %w", step.From, step.To, err)
		}
		at = step.To
	}
}
