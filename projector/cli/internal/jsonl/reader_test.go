package jsonl

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

const sample = "\xef\xbb\xbf" + `{"stream":"a","type":"t","data":{"x": 1.50}}` + "\r\n" +
	"\n" +
	`{"stream":"a","type":"t","data":"text","metadata":{"m":1},"id":"01020304-0506-0708-090a-0b0c0d0e0f10"}`

func TestRead(t *testing.T) {
	t.Parallel()
	want := []Line{
		{Number: 1, Stream: "a", Type: "t", Data: []byte(`{"x": 1.50}`)},
		{
			Number: 3, Stream: "a", Type: "t", Data: []byte(`"text"`), Metadata: []byte(`{"m":1}`),
			ID: uuid.MustParse("01020304-0506-0708-090a-0b0c0d0e0f10"),
		},
	}
	plain, compressed := writeFile(t, "e.jsonl", sample), writeGzip(t, "e.jsonl.gz", sample)
	gotPlain, plainDigest := readAll(t, plain)
	gotCompressed, compressedDigest := readAll(t, compressed)
	if diff := cmp.Diff(want, gotPlain); diff != "" {
		t.Error("plain:", diff)
	}
	if diff := cmp.Diff(want, gotCompressed); diff != "" {
		t.Error("compressed:", diff)
	}
	if plainDigest != compressedDigest {
		t.Error("the digest depends on the compression")
	}
}

func TestReadLinesOfRead(t *testing.T) {
	t.Parallel()
	lines, _ := readAll(t, writeFile(t, "e.jsonl",
		`{"stream":"a","number":7,"type":"t","id":"01020304-0506-0708-090a-0b0c0d0e0f10","created":"2024-03-01T06:00:00Z","position":"9/9","data":1}`))
	if len(lines) != 1 || lines[0].Stream != "a" || lines[0].ID == uuid.Nil {
		t.Errorf("got %+v", lines)
	}
}

func TestEventIDIsStable(t *testing.T) {
	t.Parallel()
	_, d := readAll(t, writeFile(t, "e.jsonl", sample))
	// Imports that were interrupted before an upgrade must find their events again: these values never change.
	if got := d.EventID(1).String(); got != "b438ea1a-9bc2-5996-9927-78249668f496" {
		t.Error("line 1:", got)
	}
	if got := d.EventID(3).String(); got != "bdec8926-3d86-53d6-9d79-0a4d10d1cf0c" {
		t.Error("line 3:", got)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ content, want string }{
		"syntax":        {`{"stream":"a",}`, `:1:15: invalid character '}' looking for beginning of object key string; want`},
		"second line":   {`{"stream":"a","type":"t","data":1}` + "\n[]", `:2:1: a JSON array; want`},
		"cut":           {`{"stream":"a"`, `:1: the line ends in the middle of a value; want`},
		"unknown field": {`{"stream":"a","type":"t","data":1,"meta":{}}`, `:1: unknown field "meta"; want`},
		"no stream":     {`{"type":"t","data":1}`, ":1: no stream; want"},
		"no type":       {`{"stream":"a","type":"","data":1}`, ":1: no type; want"},
		"no data":       {`{"stream":"a","type":"t"}`, ":1: no data; want"},
		"type of field": {`{"stream":7}`, `"stream" is a JSON number, want a string`},
		"bad id":        {`{"stream":"a","type":"t","data":1,"id":"x"}`, `:1: id "x" is not a UUID`},
		"zero id":       {`{"stream":"a","type":"t","data":1,"id":"00000000-0000-0000-0000-000000000000"}`, `is not a UUID other than zero`},
		"two values":    {`{"stream":"a","type":"t","data":1} {}`, `:1:35: more than one value; want`},
		"long":          {strings.Repeat(" ", MaxLine+1), ":1: longer than 32 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := writeFile(t, "e.jsonl", tt.content)
			r, err := Open(path, path)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close() //nolint:errcheck // read only
			for err == nil {
				_, err = r.Next()
			}
			if !strings.HasPrefix(err.Error(), path) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, want %q in it", err, tt.want)
			}
		})
	}
}

func TestCutGzip(t *testing.T) {
	t.Parallel()
	path := writeGzip(t, "e.jsonl.gz", strings.Repeat(sample[3:]+"\n", 1000))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(writeFile(t, "cut.jsonl.gz", string(whole[:len(whole)-20])), "cut")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // read only
	for err == nil {
		_, err = r.Next()
	}
	if want := "ends in the middle"; !strings.Contains(err.Error(), want) {
		t.Errorf("got %q, want %q in it", err, want)
	}
}

func readAll(t *testing.T, path string) ([]Line, Digest) {
	t.Helper()
	r, err := Open(path, path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // read only
	var lines []Line
	for {
		l, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines, r.Digest()
		}
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeGzip(t *testing.T, name, content string) string {
	t.Helper()
	var b strings.Builder
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return writeFile(t, name, b.String())
}
