package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/expr-lang/expr/types"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"gopkg.in/yaml.v3"
)

// rawProtobuf names a message in a file of descriptors.
type rawProtobuf struct {
	descriptors string
	message     string
	node        *yaml.Node
}

func protobufSpec() *object[rawProtobuf] {
	return &object[rawProtobuf]{
		fields: []field[rawProtobuf]{
			of("descriptors", text{what: "a file"}, func(p *rawProtobuf) *string { return &p.descriptors },
				"A file made by `protoc --include_imports --descriptor_set_out=FILE`. A relative path is relative to this file.").required(),
			of("message", name{"the name of a message"}, func(p *rawProtobuf) *string { return &p.message },
				"Full name of the message, such as `stable.PonyJumped`.").required(),
		},
		check: func(_ *walker, n *yaml.Node, _ string, p *rawProtobuf) { p.node = n },
	}
}

// load finds the message. It returns nil after it has noted a mistake.
func (p *rawProtobuf) load(w *walker, path string) protoreflect.MessageDescriptor {
	if p.node == nil || p.descriptors == "" || p.message == "" {
		return nil // its mistake is noted already
	}
	files, err := readDescriptors(w.beside(p.descriptors))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		w.fail(p.node, join(path, "descriptors"), "there is no file %s", p.descriptors)
		return nil
	case err != nil:
		w.fail(p.node, join(path, "descriptors"), "%s: %v", p.descriptors, err)
		return nil
	}
	d, err := files.FindDescriptorByName(protoreflect.FullName(p.message))
	message, isMessage := d.(protoreflect.MessageDescriptor)
	if err != nil || !isMessage {
		w.fail(p.node, join(path, "message"), "%s has no message %q%s", p.descriptors, p.message, didYouMean(p.message, messageNames(files)))
		return nil
	}
	return message
}

var (
	errNoDescriptors = errors.New("is no file of descriptors")
	errIncomplete    = errors.New("refers to files that are not in it: make it with --include_imports")
)

func readDescriptors(file string) (*protoregistry.Files, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(data, &set); err != nil {
		return nil, errNoDescriptors // what it wraps is not the same text in every build
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		return nil, errIncomplete
	}
	return files, nil
}

func messageNames(files *protoregistry.Files) []string {
	var names []string
	files.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Messages().Len() {
			names = append(names, string(f.Messages().Get(i).FullName()))
		}
		return true
	})
	return names
}

// decodeProtobuf decodes a message into what decoded JSON consists of, times and bytes.
func decodeProtobuf(d protoreflect.MessageDescriptor, data []byte) (any, error) {
	m := dynamicpb.NewMessage(d)
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("not a valid %s: %w", d.FullName(), err)
	}
	return messageValue(m), nil
}

// encodeProtobuf makes a message of its JSON form.
func encodeProtobuf(d protoreflect.MessageDescriptor, asJSON []byte) ([]byte, error) {
	m := dynamicpb.NewMessage(d)
	if err := protojson.Unmarshal(asJSON, m); err != nil {
		return nil, err
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// messageValue returns a message as an object. Fields without presence are always there; others only if they are set.
func messageValue(m protoreflect.Message) any {
	switch d := m.Descriptor(); {
	case d.FullName() == "google.protobuf.Timestamp":
		return time.Unix(m.Get(d.Fields().ByName("seconds")).Int(), m.Get(d.Fields().ByName("nanos")).Int()).UTC()
	case isWrapper(d):
		field := d.Fields().ByName("value")
		return scalarValue(field, m.Get(field))
	}
	object := make(map[string]any)
	for i := range m.Descriptor().Fields().Len() {
		if f := m.Descriptor().Fields().Get(i); m.Has(f) || !f.HasPresence() {
			object[string(f.Name())] = fieldValue(f, m.Get(f))
		}
	}
	return object
}

func isWrapper(d protoreflect.MessageDescriptor) bool {
	return strings.HasPrefix(string(d.FullName()), "google.protobuf.") && strings.HasSuffix(string(d.Name()), "Value") &&
		d.Fields().Len() == 1 && d.Fields().ByName("value") != nil
}

func fieldValue(f protoreflect.FieldDescriptor, v protoreflect.Value) any {
	switch {
	case f.IsMap():
		object := make(map[string]any)
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			object[k.String()] = scalarValue(f.MapValue(), v)
			return true
		})
		return object
	case f.IsList():
		list := make([]any, v.List().Len())
		for i := range list {
			list[i] = scalarValue(f, v.List().Get(i))
		}
		return list
	}
	return scalarValue(f, v)
}

func scalarValue(f protoreflect.FieldDescriptor, v protoreflect.Value) any {
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return messageValue(v.Message())
	case protoreflect.EnumKind:
		if known := f.Enum().Values().ByNumber(v.Enum()); known != nil {
			return string(known.Name())
		}
		return int64(v.Enum())
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind,
		protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return v.Int()
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return int64(v.Uint())
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return v.Float()
	case protoreflect.BytesKind:
		return append([]byte{}, v.Bytes()...)
	}
	return v.Interface() // bool, string, uint64
}

// messageType is how expressions see a message.
func messageType(d protoreflect.MessageDescriptor, within map[protoreflect.FullName]bool) types.Type {
	if d.FullName() == "google.protobuf.Timestamp" {
		return types.TypeOf(time.Time{})
	}
	if isWrapper(d) || within[d.FullName()] {
		return types.Any
	}
	within[d.FullName()] = true
	defer delete(within, d.FullName())
	fields := types.Map{}
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		switch {
		case f.IsMap():
			fields[string(f.Name())] = types.Any
		case f.IsList():
			fields[string(f.Name())] = types.Array(fieldType(f, within))
		default:
			fields[string(f.Name())] = fieldType(f, within)
		}
	}
	return fields
}

func fieldType(f protoreflect.FieldDescriptor, within map[protoreflect.FullName]bool) types.Type {
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return messageType(f.Message(), within)
	case protoreflect.StringKind, protoreflect.EnumKind:
		return types.String
	case protoreflect.BoolKind:
		return types.Bool
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return types.Float64
	case protoreflect.BytesKind:
		return types.TypeOf([]byte(nil))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return types.Uint64
	}
	return types.Int64
}
