package eventlog

import (
	"bytes"
	"encoding/json"
	"math"
	"time"
)

// Metadata is what the metadata of a stream says. The zero value says nothing.
type Metadata struct {
	MaxCount       int64         // 0: all
	MaxAge         time.Duration // 0: for ever
	TruncateBefore int64         // 0: nothing
	ACL            *ACL          // nil: the default
}

// ACL names who may do what with a stream. A nil list means the default, an empty one nobody but $admins.
type ACL struct {
	Read, Write, Delete, MetaRead, MetaWrite []string
}

// parsedMetadata remembers what the event at a place of the metadata stream says.
type parsedMetadata struct {
	at   loc
	data Metadata
}

// ParseMetadata decodes the JSON of a metadata event. Anything that is not a JSON object, or has a known key with a value
// of a wrong type, says nothing at all; a number that is not positive counts as absent.
func ParseMetadata(data []byte) Metadata {
	var m map[string]json.RawMessage
	if json.Unmarshal(data, &m) != nil {
		return Metadata{}
	}
	var out Metadata
	var age, cache int64
	var tmp bool
	if !parseInt(m["$maxCount"], &out.MaxCount) || !parseInt(m["$maxAge"], &age) || !parseInt(m["$tb"], &out.TruncateBefore) ||
		!parseInt(m["$cacheControl"], &cache) || m["$tmp"] != nil && json.Unmarshal(m["$tmp"], &tmp) != nil {
		return Metadata{}
	}
	acl, ok := ParseACL(m["$acl"])
	if !ok {
		return Metadata{}
	}
	out.ACL = acl
	out.MaxCount, out.TruncateBefore = max(out.MaxCount, 0), max(out.TruncateBefore, 0)
	out.MaxAge = time.Duration(min(max(age, 0), math.MaxInt64/int64(time.Second))) * time.Second
	return out
}

func parseInt(raw json.RawMessage, into *int64) bool {
	return raw == nil || !bytes.Equal(raw, []byte("null")) && json.Unmarshal(raw, into) == nil
}

// ParseACL decodes an ACL object; each right is a name or a list of names. ok is false if it has another shape.
func ParseACL(raw json.RawMessage) (acl *ACL, ok bool) {
	if raw == nil {
		return nil, true
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil || m == nil {
		return nil, false
	}
	acl = &ACL{}
	for key, into := range map[string]*[]string{"$r": &acl.Read, "$w": &acl.Write, "$d": &acl.Delete, "$mr": &acl.MetaRead, "$mw": &acl.MetaWrite} {
		v, present := m[key]
		if !present {
			continue
		}
		var one string
		if json.Unmarshal(v, &one) == nil && !bytes.Equal(v, []byte("null")) {
			*into = []string{one}
			continue
		}
		list := []string{}
		if json.Unmarshal(v, &list) != nil || list == nil {
			return nil, false
		}
		*into = list
	}
	return acl, true
}

// withTruncateBefore returns the JSON object with $tb set, the other keys as they are and in their order.
func withTruncateBefore(data []byte, from int64) []byte {
	value, _ := json.Marshal(from)
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return append(append([]byte(`{"$tb":`), value...), '}')
	}
	out := []byte{'{'}
	for dec.More() {
		key, err := dec.Token()
		var v json.RawMessage
		if err != nil || dec.Decode(&v) != nil {
			return append(append([]byte(`{"$tb":`), value...), '}')
		}
		if key == "$tb" {
			continue
		}
		name, _ := json.Marshal(key)
		out = append(append(append(out, name...), ':'), v...)
		out = append(out, ',')
	}
	return append(append(append(out, `"$tb":`...), value...), '}')
}

// metadataAt returns what the last of these metadata events of a stream says. The caller holds the lock at least for
// reading.
func (l *Log) metadataAt(s *stream, events []loc) (Metadata, error) {
	if len(events) == 0 {
		return Metadata{}, nil
	}
	at := events[len(events)-1]
	if known := s.settings.Load(); known != nil && known.at == at {
		return known.data, nil
	}
	var buf []byte
	r, err := l.recordAt(at, &buf)
	if err != nil {
		return Metadata{}, err
	}
	var m Metadata
	if e, ok := ParseEvent(r.event()); ok && e.JSON {
		m = ParseMetadata(e.Data)
	}
	s.settings.Store(&parsedMetadata{at: at, data: m})
	return m, nil
}

// metadata returns what the metadata of a stream says, pending events included. The caller holds the lock for writing.
func (l *Log) metadata(s *stream) (Metadata, error) {
	if s == nil || s.meta == nil {
		return Metadata{}, nil
	}
	return l.metadataAt(s, s.meta.events)
}

// metadataJSON returns the current metadata as it was written, pending events included.
func (l *Log) metadataJSON(s *stream) []byte {
	var buf []byte
	r, err := l.recordAt(s.meta.events[s.meta.last()], &buf)
	if err != nil {
		return nil
	}
	e, _ := ParseEvent(r.event())
	return e.Data
}

// softDeleted reports whether the metadata hides every event there is or will be.
func (l *Log) softDeleted(s *stream) (bool, error) {
	m, err := l.metadata(s)
	return m.TruncateBefore == DeletedNumber, err
}

// Metadata returns what the committed metadata of a stream says.
func (l *Log) Metadata(name string) (Metadata, error) {
	head := l.head.Load()
	l.mu.RLock()
	defer l.mu.RUnlock()
	s := l.stream(name)
	if s == nil || s.meta == nil {
		return Metadata{}, nil
	}
	return l.metadataAt(s, s.meta.visible(head))
}
