package codec_test

import (
	"bytes"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/photonpump/projector/codec"
)

type pony struct {
	Name   string    `json:"name" xml:"name,attr" cbor:"name" msgpack:"name"`
	Jumps  int64     `json:"jumps" xml:"jumps" cbor:"jumps" msgpack:"jumps"`
	Height float64   `json:"height" xml:"height" cbor:"height" msgpack:"height"`
	Tags   []string  `json:"tags" xml:"tag" cbor:"tags" msgpack:"tags"`
	Born   time.Time `json:"born" xml:"born" cbor:"born" msgpack:"born"`
}

func TestStructsRoundTrip(t *testing.T) {
	t.Parallel()
	want := pony{"Ap>le\x09jack", 9007199254740993, 0.1, []string{"a", "b"}, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	plain := []codec.Codec{codec.JSON(), codec.XML(), codec.Gob(), codec.CBOR(), codec.MessagePack()}
	for _, inner := range plain {
		for _, c := range []codec.Codec{inner, codec.Gzip(inner), codec.Zstd(inner), codec.Zstd(codec.Gzip(inner))} {
			t.Run(c.Name(), func(t *testing.T) {
				t.Parallel()
				data, err := c.Encode([]byte("before"), want)
				if err != nil || !bytes.HasPrefix(data, []byte("before")) {
					t.Fatalf("%q, %v", data, err)
				}
				data = data[len("before"):]
				kept := bytes.Clone(data)
				var got pony
				if err := c.Decode(data, &got); err != nil {
					t.Fatal(err)
				}
				for i := range data {
					data[i] ^= 0xff
				}
				got.Born = got.Born.UTC()
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				if err := c.Decode(nil, &got); err == nil {
					t.Error("no data: no error")
				}
				if err := c.Decode(kept[:len(kept)-1], &got); err == nil {
					t.Error("a byte is missing: no error")
				}
				if inner == c {
					if err := c.Decode(append(bytes.Clone(kept), kept...), &got); err == nil {
						t.Error("more data behind: no error")
					}
				}
				if _, err := c.Encode(nil, make(chan int)); err == nil {
					t.Error("encoded a channel")
				}
			})
		}
	}
}

func TestProtobuf(t *testing.T) {
	t.Parallel()
	c := codec.Zstd(codec.Protobuf())
	want := wrapperspb.String("Applejack")
	data, err := c.Encode(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	var value wrapperspb.StringValue
	var pointer *wrapperspb.StringValue
	if err := errors.Join(c.Decode(data, &value), c.Decode(data, &pointer)); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(want, &value) || !proto.Equal(want, pointer) {
		t.Errorf("%v, %v", &value, pointer)
	}
	var n int
	if err := codec.Protobuf().Decode(nil, &n); err == nil {
		t.Error("decoded into an int")
	}
	if err := codec.Protobuf().Decode([]byte{0xff}, &pointer); err == nil {
		t.Error("decoded garbage")
	}
	if _, err := codec.Protobuf().Encode(nil, (*timestamppb.Timestamp)(nil)); err == nil {
		t.Error("encoded nil")
	}
}

func TestBinary(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	data, err := codec.Binary().Encode(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	var value time.Time
	var pointer *url.URL
	if err := codec.Binary().Decode(data, &value); err != nil || !value.Equal(want) {
		t.Errorf("%v, %v", value, err)
	}
	if err := codec.Binary().Decode([]byte("http://a/b"), &pointer); err != nil || pointer.Host != "a" {
		t.Errorf("%v, %v", pointer, err)
	}
	if err := codec.Binary().Decode(nil, new(int)); err == nil {
		t.Error("decoded into an int")
	}
}

func TestCompressedBodiesHaveALimit(t *testing.T) {
	t.Parallel()
	for _, wrap := range []func(codec.Codec, ...codec.CompressOption) codec.Codec{codec.Gzip, codec.Zstd} {
		data, err := wrap(codec.Raw()).Encode(nil, bytes.Repeat([]byte("x"), 1<<20))
		if err != nil || len(data) > 1<<14 {
			t.Fatalf("%d bytes, %v", len(data), err)
		}
		var got []byte
		if err := wrap(codec.Raw(), codec.MaxSize(1<<20)).Decode(data, &got); err != nil || len(got) != 1<<20 {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		if err := wrap(codec.Raw(), codec.MaxSize(1<<20-1)).Decode(data, &got); !errors.Is(err, codec.ErrTooLarge) {
			t.Errorf("got %v", err)
		}
	}
}

func TestEveryBuiltinCodecIsRegistered(t *testing.T) {
	t.Parallel()
	names := codec.NewRegistry().Names()
	for _, name := range []string{"json", "raw", "text", "protobuf", "xml", "gob", "cbor", "msgpack", "binary", "json+gzip", "protobuf+zstd"} {
		if !strings.Contains(" "+strings.Join(names, " ")+" ", " "+name+" ") {
			t.Errorf("%q is missing in %v", name, names)
		}
	}
}

func TestEventsEncodeAndDecodeByOneRegistration(t *testing.T) {
	t.Parallel()
	events, err := codec.NewEvents(codec.Register[pony]("pony.born", codec.CBOR()), codec.Register[string]("pony.said", codec.JSON()))
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []any{pony{Name: "a"}, "hello"} {
		name, data, isJSON, err := events.Encode(body)
		if err != nil || isJSON != (name == "pony.said") {
			t.Fatalf("%q, %v, %v", name, isJSON, err)
		}
		back, err := events.Decode(name, data)
		if err != nil || cmp.Diff(body, back) != "" {
			t.Errorf("%+v, %v", back, err)
		}
	}
	if name, _, _, err := events.Encode(&pony{}); err != nil || name != "pony.born" {
		t.Errorf("pointer: %q, %v", name, err)
	}
	if _, _, _, err := events.Encode(1); !errors.Is(err, codec.ErrUnknownEvent) {
		t.Errorf("got %v", err)
	}
	if _, err := events.Decode("x", nil); !errors.Is(err, codec.ErrUnknownEvent) {
		t.Errorf("got %v", err)
	}
	_, err = codec.NewEvents(codec.Register[int]("a", nil), codec.Register[int]("a", codec.JSON()))
	for _, want := range []string{`event type "a" is registered twice`, `type int of Go is registered for "a" and "a"`, "want a type of event and a codec"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
}

func TestUpcasters(t *testing.T) {
	t.Parallel()
	v := func(eventType string, version int) codec.Schema {
		return codec.Schema{Type: eventType, Version: version}
	}
	add := func(s string) func(data, _ []byte) ([]byte, error) {
		return func(data, _ []byte) ([]byte, error) { return append(bytes.Clone(data), s...), nil }
	}
	boom := errors.New("boom")
	u, err := codec.NewUpcasters([]codec.Schema{v("b", 2)}, []codec.Upcast{
		{v("a", 1), v("a", 2), add("1")},
		{v("a", 2), v("b", 1), add("2")},
		{v("b", 1), v("b", 2), add("3")},
		{v("bad", 1), v("b", 2), func([]byte, []byte) ([]byte, error) { return nil, boom }},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ from, metadata, to, data string }{
		{"a", "", "b", "x123"},
		{"a", `{"version":2}`, "b", "x23"},
		{"b", `{"version":2}`, "b", "x"},
		{"b", `{"other":2}`, "b", "x3"},
		{"c", `nonsense`, "c", "x"},
	} {
		to, data, err := u.Upcast(tc.from, []byte("x"), []byte(tc.metadata))
		if err != nil || to != tc.to || string(data) != tc.data {
			t.Errorf("%s %s: %s %s, %v", tc.from, tc.metadata, to, data, err)
		}
	}
	if _, _, err := u.Upcast("bad", nil, nil); !errors.Is(err, boom) || !strings.Contains(err.Error(), "bad v1 to b v2") {
		t.Errorf("got %v", err)
	}
	for _, metadata := range []string{"nonsense", `{"version":"x"}`, `{"version":0}`} {
		if _, _, err := u.Upcast("a", nil, []byte(metadata)); err == nil {
			t.Errorf("%s: no error", metadata)
		}
	}
}

func TestUpcastersThatDoNotFitTogether(t *testing.T) {
	t.Parallel()
	fn := func(data, _ []byte) ([]byte, error) { return data, nil }
	v := func(eventType string, version int) codec.Schema {
		return codec.Schema{Type: eventType, Version: version}
	}
	for _, tc := range []struct {
		name    string
		current []codec.Schema
		steps   []codec.Upcast
		want    string
	}{
		{"cycle", nil, []codec.Upcast{{v("a", 1), v("a", 2), fn}, {v("a", 2), v("a", 1), fn}}, "cycle: a v1 leads back to a v1"},
		{"gap", []codec.Schema{v("a", 4)}, []codec.Upcast{{v("a", 1), v("a", 2), fn}, {v("a", 3), v("a", 4), fn}}, "gap: a v1 leads to a v2, from which nothing leads to a v3"},
		{"dead end", []codec.Schema{v("a", 3)}, []codec.Upcast{{v("a", 1), v("a", 2), fn}}, "dead end: a v1 leads to a v2, which is not current"},
		{"fork", []codec.Schema{v("a", 2), v("b", 1)}, []codec.Upcast{{v("a", 1), v("a", 2), fn}, {v("a", 1), v("b", 1), fn}}, "a v1 is upcast in two ways"},
		{"beyond", []codec.Schema{v("a", 1), v("a", 2)}, []codec.Upcast{{v("a", 1), v("a", 2), fn}}, "a v1 is current, but is upcast to a v2"},
		{"no function", []codec.Schema{v("a", 2)}, []codec.Upcast{{v("a", 1), v("a", 2), nil}}, "has no function"},
		{"no version", []codec.Schema{v("a", 2)}, []codec.Upcast{{v("a", 0), v("a", 2), fn}}, "want a type and a version from 1"},
	} {
		_, err := codec.NewUpcasters(tc.current, tc.steps)
		if !errors.Is(err, codec.ErrUpcast) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v", tc.name, err)
		}
	}
}

// No data may make a decoder panic: they come from anywhere.
func FuzzDecode(f *testing.F) {
	registry := codec.NewRegistry()
	for _, name := range registry.Names() {
		c, err := registry.Codec(name)
		if err != nil {
			f.Fatal(err)
		}
		if data, err := c.Encode(nil, pony{Name: "a"}); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, name := range registry.Names() {
			c, _ := registry.Codec(name)
			var p pony
			var a any
			var b []byte
			var w *wrapperspb.StringValue
			for _, v := range []any{&p, &a, &b, &w} {
				_ = c.Decode(data, v)
			}
		}
	})
}
