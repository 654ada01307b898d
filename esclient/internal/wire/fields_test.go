package wire_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// fields is a message by field number: int64, []byte, fields, or a list of these. Absent fields are absent.
type fields map[int]any

// fieldsOf shows what a decoded message holds, field by field, independent of how it would be encoded.
func fieldsOf(m message) fields {
	f := fields{}
	switch m := m.(type) {
	case generated:
		return fieldsOfGenerated(m.ProtoReflect())
	case *wire.WriteEventsBody:
		f[1], f[2], f[4] = []byte(m.Stream), m.ExpectedVersion, truth(m.RequireLeader)
		f.list(3, newEvents(m.Events))
	case *wire.TransactionWriteBody:
		f[1], f[3] = m.TransactionID, truth(m.RequireLeader)
		f.list(2, newEvents(m.Events))
	case *wire.WriteEventsCompletedBody:
		f[1], f[3], f[4] = int64(m.Result), m.First, m.Last
		f.text(2, m.Message)
		f.number(5, m.Prepare)
		f.number(6, m.Commit)
		f.number(7, m.CurrentVersion)
	case *wire.ReadEventCompletedBody:
		f[1] = int64(m.Result)
		if m.HasEvent {
			f[2] = resolved(&m.Event)
		}
		f.text(3, m.Error)
	case *wire.StreamPage:
		f.list(1, resolvedAll(m.Events))
		f[2], f[3], f[4], f[5], f[6] = int64(m.Result), m.Next, m.Last, truth(m.EndOfStream), m.LastCommit
		f.text(7, m.Error)
	case *wire.AllPage:
		f[1], f[2], f[4], f[5] = m.Commit, m.Prepare, m.NextCommit, m.NextPrepare
		f.list(3, resolvedAll(m.Events))
		f.result(6, m.Result)
		f.text(7, m.Error)
	case *wire.FilteredPage:
		f[1], f[2], f[4], f[5], f[6] = m.Commit, m.Prepare, m.NextCommit, m.NextPrepare, truth(m.EndOfStream)
		f.list(3, resolvedAll(m.Events))
		f.result(7, m.Result)
		f.text(8, m.Error)
	case *wire.StreamEventAppearedBody:
		f[1] = resolved(&m.Event)
	case *wire.PersistentEventAppearedBody:
		f[1] = resolved(&m.Event)
		f.number(2, m.RetryCount)
	}
	return f
}

func (f fields) list(num int, values []any) {
	if len(values) > 0 {
		f[num] = values
	}
}

func (f fields) number(num int, v wire.Opt[int64]) {
	if v.Set {
		f[num] = v.Value
	}
}

func (f fields) result(num int, v wire.Opt[wire.ReadAllResult]) {
	if v.Set {
		f[num] = int64(v.Value)
	}
}

func (f fields) text(num int, v wire.Opt[string]) {
	if v.Set {
		f[num] = []byte(v.Value)
	}
}

func newEvents(events []wire.Event) (all []any) {
	for _, e := range events {
		f := fields{1: e.ID, 2: e.Type, 3: int64(e.ContentType), 4: int64(e.MetadataContentType)}
		if e.Data != nil {
			f[5] = e.Data
		}
		if e.Metadata != nil {
			f[6] = e.Metadata
		}
		all = append(all, f)
	}
	return all
}

func resolvedAll(events []wire.Resolved) (all []any) {
	for i := range events {
		all = append(all, resolved(&events[i]))
	}
	return all
}

func resolved(r *wire.Resolved) fields {
	f := fields{}
	if r.HasEvent {
		f[1] = record(&r.Event)
	}
	if r.HasLink {
		f[2] = record(&r.Link)
	}
	if r.Positions {
		f[3], f[4] = r.Commit, r.Prepare
	}
	return f
}

func record(r *wire.Record) fields {
	f := fields{
		1: r.Stream, 2: r.Number, 3: r.ID, 4: r.Type, 5: int64(r.ContentType), 6: int64(r.MetadataContentType), 7: r.Data,
		9: r.CreatedTicks, 10: r.CreatedMillis,
	}
	if r.Metadata != nil {
		f[8] = r.Metadata
	}
	return f
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func fieldsOfGenerated(m protoreflect.Message) fields {
	f := fields{}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		num := int(fd.Number())
		if fd.IsList() {
			var all []any
			for i := range v.List().Len() {
				all = append(all, scalar(fd, v.List().Get(i)))
			}
			f[num] = all
			return true
		}
		f[num] = scalar(fd, v)
		if fd.FullName() == "eventstore.tcp.NotHandled.additional_info" {
			var info wirepb.LeaderInfo
			if proto.Unmarshal(v.Bytes(), &info) == nil {
				f[num] = fieldsOfGenerated(info.ProtoReflect())
			}
		}
		return true
	})
	f.unknown(m.GetUnknown())
	return f
}

func (f fields) unknown(b []byte) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		size := protowire.ConsumeFieldValue(num, typ, b[n:])
		switch value := b[n : n+size]; typ {
		case protowire.VarintType:
			v, _ := protowire.ConsumeVarint(value)
			f[int(num)] = int64(v)
		case protowire.BytesType:
			f[int(num)], _ = protowire.ConsumeBytes(value)
		}
		b = b[n+size:]
	}
}

func scalar(fd protoreflect.FieldDescriptor, v protoreflect.Value) any {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return truth(v.Bool())
	case protoreflect.EnumKind:
		return int64(v.Enum())
	case protoreflect.StringKind:
		return []byte(v.String())
	case protoreflect.BytesKind:
		return v.Bytes()
	case protoreflect.MessageKind:
		return fieldsOfGenerated(v.Message())
	default:
		return v.Int()
	}
}

// diffFields compares what was decoded with how the recording describes it. Fields that the recording does not have
// must be zero.
func diffFields(t *testing.T, path string, got fields, want map[string]any) {
	t.Helper()
	for num, g := range got {
		w, ok := want[strconv.Itoa(num)]
		where := fmt.Sprintf("%s.%d", path, num)
		if !ok {
			if b, isBytes := g.([]byte); g != int64(0) && (!isBytes || len(b) > 0) {
				if f, isFields := g.(fields); !isFields || len(f) > 0 {
					t.Errorf("%s: got %v, want it absent", where, g)
				}
			}
			continue
		}
		diffValue(t, where, g, w)
	}
	for num := range want {
		n, err := strconv.Atoi(num)
		if err != nil {
			t.Errorf("%s: field %q of the recording is no number", path, num)
		}
		if _, ok := got[n]; !ok {
			t.Errorf("%s.%s: got nothing, want %v", path, num, want[num])
		}
	}
}

func diffValue(t *testing.T, where string, got, want any) {
	t.Helper()
	switch want := want.(type) {
	case json.Number:
		if fmt.Sprint(got) != want.String() {
			t.Errorf("%s: got %v, want %v", where, got, want)
		}
	case string:
		b, ok := got.([]byte)
		if !ok || (string(b) != want && "hex:"+hex.EncodeToString(b) != want) {
			t.Errorf("%s: got %q, want %q (valid UTF-8: %v)", where, got, want, utf8.Valid(b))
		}
	case map[string]any:
		f, ok := got.(fields)
		if !ok {
			t.Errorf("%s: got %v, want a message", where, got)
			return
		}
		diffFields(t, where, f, want)
	case []any:
		all, ok := got.([]any)
		if !ok || len(all) != len(want) {
			t.Errorf("%s: got %v, want %d elements", where, got, len(want))
			return
		}
		for i := range want {
			diffValue(t, fmt.Sprintf("%s[%d]", where, i), all[i], want[i])
		}
	default:
		t.Errorf("%s: cannot compare with %T", where, want)
	}
}
