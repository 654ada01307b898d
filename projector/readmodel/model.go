package readmodel

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/projector"
)

// DefaultCacheRows is how many rows of each table are kept in memory between batches, unless [Model.CacheRows] says
// otherwise.
const DefaultCacheRows = 20_000

// Model is one or more tables that are folded together. It is a part of a projection, see [projector.New], and does not
// change once it is one.
type Model struct {
	tables    []*table
	cacheRows int
	version   string

	keying sync.Mutex // guards keys
	keys   *fold      // without a lease, to compute ordering keys; nil = not needed yet
}

var (
	_ projector.Folder = (*Model)(nil)
	_ projector.Keyer  = (*Model)(nil)
)

// keyedRule is a rule that knows the Go type of its key.
type keyedRule interface {
	rule
	keyOf() *keyShape
	// fill tells which columns the key fills.
	fill(key []string)
	// decodeWith sets the codec, or only where none is set.
	decodeWith(c *chosenCodec, always bool)
}

// Table makes a table whose rows are of struct type R, see the package's documentation for its columns. It panics on
// programming mistakes: fields that cannot be columns, keys of different types in one table.
func Table[R any](name string, parts ...Part[R]) *Model {
	s, err := shapeOf(reflect.TypeFor[R]())
	if err != nil {
		panic(fmt.Sprintf("readmodel: table %q: %v", name, err))
	}
	if len(parts) == 0 {
		panic(fmt.Sprintf("readmodel: table %q has no parts, so it would stay empty", name))
	}
	t := &table{def: &checkpoint.Table{Name: name}}
	var key []checkpoint.Column
	for _, f := range s.keyed() {
		key = append(key, f.column)
	}
	for i, p := range parts {
		r := p.build(name)
		if i == 0 && len(key) == 0 {
			key = keyColumns(r.keyOf())
			t.def.Columns = slices.Clone(key)
		}
		if err := r.keyOf().matches(key); err != nil {
			panic(fmt.Sprintf("readmodel: table %q, event type %q: %v", name, r.eventType(), err))
		}
		if p.codec != nil {
			r.decodeWith(&chosenCodec{p.codec}, true)
		}
		t.rules = append(t.rules, r)
	}
	s.describe(t.def, key)
	for _, r := range t.rules {
		r.(keyedRule).fill(t.def.Key)
	}
	if err := t.def.Validate(); err != nil {
		panic("readmodel: " + err.Error())
	}
	l := &layout{shape: s, keys: s.keyed(), table: name}
	t.newState = func() state { return &typedState[R]{layout: l} }
	return &Model{tables: []*table{t}, cacheRows: DefaultCacheRows}
}

// keyColumns returns the columns that a key brings along where the row has no key fields.
func keyColumns(s *keyShape) []checkpoint.Column {
	var columns []checkpoint.Column
	for _, f := range s.fields {
		c := f.column
		if c.Name == "" {
			c.Name = "key"
		}
		c.NotNull, c.Default = true, nil
		columns = append(columns, c)
	}
	return columns
}

// describe adds the columns, key and indexes of the struct to a table.
func (s *shape) describe(t *checkpoint.Table, key []checkpoint.Column) {
	for _, c := range key {
		t.Key = append(t.Key, c.Name)
	}
	for _, f := range s.fields {
		if f.key {
			f.column.NotNull, f.column.Default = true, nil
		}
		t.Columns = append(t.Columns, f.column)
		if f.indexed || f.unique {
			t.Indexes = append(t.Indexes, checkpoint.Index{Columns: []string{f.column.Name}, Unique: f.unique})
		}
	}
}

// Join makes one model of several, so that an event which changes several tables is decoded only once.
//
//	projector.New("ponies", src, readmodel.Join(ponies, jumps, farms))
func Join(models ...*Model) *Model {
	joined := &Model{cacheRows: DefaultCacheRows}
	for _, m := range models {
		joined.tables = append(joined.tables, m.tables...)
		joined.cacheRows = max(joined.cacheRows, m.cacheRows)
		joined.version += m.version
	}
	return joined
}

// CacheRows sets how many rows of each table are kept in memory between batches, and returns m. 0 keeps none.
func (m *Model) CacheRows(n int) *Model {
	m.cacheRows = max(n, 0)
	return m
}

// WithCodec sets how bodies are decoded where a part does not say, and returns m. Defaults to JSON.
func (m *Model) WithCodec(c codec.Codec) *Model {
	chosen := &chosenCodec{c}
	for _, t := range m.tables {
		for _, r := range t.rules {
			if r, ok := r.(keyedRule); ok {
				r.decodeWith(chosen, false)
			}
		}
	}
	return m
}

// Version makes the definition another one, and returns m. Change it when functions change in a way that rows already
// built do not show: the projection then refuses to go on with them until it is reset.
func (m *Model) Version(v string) *Model {
	m.version = v
	return m
}

// Tables returns the descriptions of the tables.
func (m *Model) Tables() []*checkpoint.Table {
	tables := make([]*checkpoint.Table, len(m.tables))
	for i, t := range m.tables {
		tables[i] = t.def
	}
	return tables
}

// Handles reports whether events of this type change a table.
func (m *Model) Handles(eventType string) bool {
	for _, t := range m.tables {
		for _, r := range t.rules {
			if matches(r.eventType(), eventType) {
				return true
			}
		}
	}
	return false
}

// Fingerprint changes with the columns and keys of the tables, the event types, and the version. What functions do is not
// part of it. A column of a [DynamicTable] that no rule changes is an addition: rows do not depend on it.
func (m *Model) Fingerprint() string {
	h := sha256.New()
	var additions []string
	add := func(v any) { h.Write(encoded(v)) }
	add(m.version)
	tables := slices.SortedFunc(slices.Values(m.tables), func(a, b *table) int { return strings.Compare(a.def.Name, b.def.Name) })
	for _, t := range tables {
		columns := slices.SortedFunc(slices.Values(t.def.Columns), func(a, b checkpoint.Column) int {
			return strings.Compare(a.Name, b.Name)
		})
		add(t.def.Name)
		for _, c := range columns {
			print := []any{c.Name, c.Type.String(), c.NotNull, c.Default}
			if !t.untouched[c.Name] {
				add(print)
				continue
			}
			sum := sha256.Sum256(append(encoded(t.def.Name), encoded(print)...))
			additions = append(additions, hex.EncodeToString(sum[:4]))
		}
		add(t.def.Key)
		if t.def.Prune != nil {
			add(t.def.Prune)
		}
		for _, r := range t.rules {
			add([2]string{r.eventType(), r.fingerprint()})
		}
	}
	return checkpoint.Fingerprint(hex.EncodeToString(h.Sum(nil)[:8]), additions...)
}

func encoded(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain values and strings
	}
	return append(b, '\n')
}

// NewFold starts folding under a lease.
func (m *Model) NewFold(projection string, lease checkpoint.Lease) projector.Fold {
	return newFold(m, projection, lease)
}

// Matches reports whether an event type fits a pattern, in which * stands for any text.
func Matches(pattern, eventType string) bool { return matches(pattern, eventType) }

// matches reports whether an event type fits a pattern, in which * stands for any text. Nothing fits the empty type: an
// event that was parked or skipped has it when it comes again, and no body.
func matches(pattern, eventType string) bool {
	if eventType == "" {
		return false
	}
	first, rest, glob := strings.Cut(pattern, "*")
	if !glob {
		return pattern == eventType
	}
	if !strings.HasPrefix(eventType, first) {
		return false
	}
	eventType = eventType[len(first):]
	for {
		part, more, again := strings.Cut(rest, "*")
		if !again {
			return strings.HasSuffix(eventType, part)
		}
		i := strings.Index(eventType, part)
		if i < 0 {
			return false
		}
		eventType, rest = eventType[i+len(part):], more
	}
}
