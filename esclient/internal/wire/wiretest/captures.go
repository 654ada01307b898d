// Package wiretest holds conversations that were recorded from real servers, for the tests of client and node.
package wiretest

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"path"
	"strings"
	"testing"

	"github.com/photonpump/projector/esclient/internal/wire"
)

// captures.tar.gz has README.md, which describes the format, and conversations of servers 5.0.11, 4.1.4 and 3.9.4.
//
//go:embed captures.tar.gz
var captures []byte

// Conversation is one recorded scenario.
type Conversation struct {
	Name   string // such as "010-write-single", or "4.1.4/010-write-single"
	Server string // its version
	Lines  []Line
}

// Line is one line of a conversation: a frame if Dir is set, else an event such as "connect".
type Line struct {
	Number      int    // in the file, from 1
	Dir         string // "c2s" or "s2c"
	Conn        int
	Millis      int `json:"ms"`
	Event       string
	CommandName string                            `json:"command"`
	CommandByte string                            `json:"cmd"`
	FlagsByte   string                            `json:"flags"`
	Correlation string                            // hex
	AuthFields  *struct{ Login, Password string } `json:"auth"`
	PayloadHex  *string                           `json:"payload"`
	Raw         string                            // hex of a malformed frame, length included
	Volatile    map[string]string                 `json:"volatile_inputs"`
	Note        string
	Decoded     map[string]any
	Method      string // of event "http", as the following
	Path        string
	Status      int
	Request     any
	Response    any
}

// Package returns the recorded package; ok is false for events, raw bytes, and payloads that were not recorded.
func (l *Line) Package(tb testing.TB) (p wire.Package, ok bool) {
	tb.Helper()
	if l.Dir == "" || l.PayloadHex == nil || l.CommandByte == "" {
		return wire.Package{}, false
	}
	p.Command = wire.Command(unhex(tb, strings.TrimPrefix(l.CommandByte, "0x"))[0])
	p.Flags = wire.Flags(unhex(tb, strings.TrimPrefix(l.FlagsByte, "0x"))[0])
	copy(p.Correlation[:], unhex(tb, l.Correlation))
	p.Payload = unhex(tb, *l.PayloadHex)
	if l.AuthFields != nil {
		p.Auth = wire.Auth{Login: l.AuthFields.Login, Password: l.AuthFields.Password}
	}
	return p, true
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatalf("hex %q: %v", s, err)
	}
	return b
}

// Conversations returns all recorded conversations, ordered by name.
func Conversations(tb testing.TB) []Conversation {
	tb.Helper()
	var all []Conversation
	each(tb, ".jsonl", func(name string, content []byte) {
		c := Conversation{Name: strings.TrimSuffix(name, ".jsonl")}
		lines := bufio.NewScanner(bytes.NewReader(content))
		lines.Buffer(nil, len(content)+1)
		for n := 1; lines.Scan(); n++ {
			if n == 1 {
				if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
					tb.Fatalf("%s: %v", name, err)
				}
				continue
			}
			l := Line{Number: n}
			dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
			dec.UseNumber()
			if err := dec.Decode(&l); err != nil {
				tb.Fatalf("%s:%d: %v", name, n, err)
			}
			c.Lines = append(c.Lines, l)
		}
		all = append(all, c)
	})
	if len(all) == 0 {
		tb.Fatal("no conversations in captures.tar.gz")
	}
	return all
}

// HTTP returns the recorded HTTP answer of that name, such as "http-gossip".
func HTTP(tb testing.TB, name string) (body []byte) {
	tb.Helper()
	each(tb, ".json", func(file string, content []byte) {
		if file != name+".json" {
			return
		}
		var answer struct{ Body json.RawMessage }
		if err := json.Unmarshal(content, &answer); err != nil {
			tb.Fatalf("%s: %v", file, err)
		}
		body = answer.Body
	})
	if body == nil {
		tb.Fatalf("no recorded HTTP answer %q", name)
	}
	return body
}

func each(tb testing.TB, ext string, fn func(name string, content []byte)) {
	tb.Helper()
	unzip, err := gzip.NewReader(bytes.NewReader(captures))
	if err != nil {
		tb.Fatal(err)
	}
	files := tar.NewReader(unzip)
	for {
		head, err := files.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			tb.Fatal(err)
		}
		if path.Ext(head.Name) != ext {
			continue
		}
		content, err := io.ReadAll(files)
		if err != nil {
			tb.Fatal(err)
		}
		fn(path.Clean(head.Name), content)
	}
}
