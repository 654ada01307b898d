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
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
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

// Conversations returns all recorded conversations, ordered by name. They are shared: nobody may change them.
func Conversations(tb testing.TB) []Conversation {
	tb.Helper()
	all, err := conversations()
	if err != nil || len(all) == 0 {
		tb.Fatalf("%d conversations in captures.tar.gz: %v", len(all), err)
	}
	return all
}

// conversations are read once for each test binary: parsing them takes longer than most tests.
var conversations = sync.OnceValues(func() (all []Conversation, err error) {
	err = each(".jsonl", func(name string, content []byte) error {
		c, err := parse(name, content)
		all = append(all, c)
		return err
	})
	return all, err
})

func parse(name string, content []byte) (Conversation, error) {
	c := Conversation{Name: strings.TrimSuffix(name, ".jsonl")}
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, len(content)+1)
	for n := 1; lines.Scan(); n++ {
		if n == 1 {
			if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
				return c, fmt.Errorf("%s: %w", name, err)
			}
			continue
		}
		l := Line{Number: n}
		dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		dec.UseNumber()
		if err := dec.Decode(&l); err != nil {
			return c, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		c.Lines = append(c.Lines, l)
	}
	return c, lines.Err()
}

// HTTP returns the recorded HTTP answer of that name, such as "http-gossip".
func HTTP(tb testing.TB, name string) (body []byte) {
	tb.Helper()
	err := each(".json", func(file string, content []byte) error {
		if file != name+".json" {
			return nil
		}
		var answer struct{ Body json.RawMessage }
		err := json.Unmarshal(content, &answer)
		body = answer.Body
		return err
	})
	if err != nil || body == nil {
		tb.Fatalf("recorded HTTP answer %q: %d bytes, %v", name, len(body), err)
	}
	return body
}

func each(ext string, fn func(name string, content []byte) error) error {
	unzip, err := gzip.NewReader(bytes.NewReader(captures))
	if err != nil {
		return err
	}
	files := tar.NewReader(unzip)
	for {
		head, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if path.Ext(head.Name) != ext {
			continue
		}
		content, err := io.ReadAll(files)
		if err != nil {
			return err
		}
		if err := fn(path.Clean(head.Name), content); err != nil {
			return err
		}
	}
}
