package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// wanted says which parts of a JSON value are used.
type wanted struct {
	all   bool
	names []string // of members of an object
	inner []*wanted
}

// add makes a path wanted, and all below it.
func (w *wanted) add(path []step) {
	for _, s := range path {
		if w.all {
			return
		}
		i := slices.Index(w.names, s.name)
		if i < 0 {
			i = len(w.names)
			w.names, w.inner = append(w.names, s.name), append(w.inner, &wanted{})
		}
		w = w.inner[i]
	}
	*w = wanted{all: true}
}

// partial is an object of which only some members are wanted. It is seen by paths only: what a path ends at is whole.
type partial struct {
	want   *wanted
	values []any // of want.names; nil also where there is no such member
	few    [4]any
}

func newPartial(want *wanted) *partial {
	p := &partial{want: want}
	if p.values = p.few[:]; len(want.names) > len(p.few) {
		p.values = make([]any, len(want.names))
	}
	return p
}

// member returns the value of a member, nil if there is none.
func (p *partial) member(name string) any {
	if i := slices.Index(p.want.names, name); i >= 0 {
		return p.values[i]
	}
	return nil
}

// whole returns a value in which partial objects are maps, for the machine.
func whole(v any) any {
	p, ok := v.(*partial)
	if !ok {
		return v
	}
	object := make(map[string]any, len(p.want.names))
	for i, name := range p.want.names {
		object[name] = whole(p.values[i])
	}
	return object
}

// scan decodes what is wanted of a JSON value, and checks all of it: it fails where encoding/json does. Objects are
// map[string]any, or *partial, lists []any, numbers int64, or float64 where they have a fraction or do not fit.
func scan(data []byte, want *wanted) (any, error) {
	s := scanner{data: data}
	s.space()
	if s.at == len(data) {
		return nil, errors.New("no data where JSON is wanted")
	}
	v, err := s.value(want)
	if err != nil {
		return nil, err
	}
	if s.space(); s.at < len(data) {
		return nil, s.wrong("the end")
	}
	return v, nil
}

// maxDepth of nested values, as in encoding/json.
const maxDepth = 10000

type scanner struct {
	data  []byte
	at    int
	depth int
}

func (s *scanner) space() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// peek returns the byte at hand, 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

func (s *scanner) wrong(want string) error {
	if s.at >= len(s.data) {
		return fmt.Errorf("not valid JSON: ends where %s is wanted", want)
	}
	return fmt.Errorf("not valid JSON: %q at byte %d, where %s is wanted", s.data[s.at], s.at, want)
}

// value decodes the value at hand; it is nil if it is not wanted.
func (s *scanner) value(want *wanted) (any, error) {
	switch c := s.peek(); {
	case c == '{':
		return s.nested(want, s.object)
	case c == '[':
		return s.nested(want, s.list)
	case c == '"':
		return s.text(want)
	case c == '-' || c >= '0' && c <= '9':
		return s.number(want)
	case c == 't':
		return true, s.word("true")
	case c == 'f':
		return false, s.word("false")
	case c == 'n':
		return nil, s.word("null")
	}
	return nil, s.wrong("a value")
}

func (s *scanner) word(w string) error {
	if rest := s.data[s.at:]; len(rest) < len(w) || string(rest[:len(w)]) != w {
		return s.wrong(w)
	}
	s.at += len(w)
	return nil
}

func (s *scanner) nested(want *wanted, read func(*wanted) (any, error)) (any, error) {
	if s.depth++; s.depth > maxDepth {
		return nil, errors.New("not valid JSON: nested too deep")
	}
	s.at++
	v, err := read(want)
	s.depth--
	return v, err
}

func (s *scanner) object(want *wanted) (any, error) {
	var members map[string]any
	var some *partial
	var result any
	switch {
	case want == nil:
	case want.all:
		members = map[string]any{}
		result = members
	default:
		some = newPartial(want)
		result = some
	}
	if s.space(); s.peek() == '}' {
		s.at++
		return result, nil
	}
	for {
		var err error
		if members != nil {
			err = s.member(members)
		} else {
			err = s.pass(some)
		}
		if err != nil {
			return nil, err
		}
		switch s.space(); s.peek() {
		case ',':
			s.at++
		case '}':
			s.at++
			return result, nil
		default:
			return nil, s.wrong(", or }")
		}
	}
}

// name reads the name of a member up to its value.
func (s *scanner) name() (raw []byte, plain bool, err error) {
	if s.space(); s.peek() != '"' {
		return nil, false, s.wrong("a name in quotes")
	}
	if raw, plain, err = s.quoted(); err != nil {
		return nil, false, err
	}
	if s.space(); s.peek() != ':' {
		return nil, false, s.wrong(":")
	}
	s.at++
	s.space()
	return raw, plain, nil
}

// member reads a member of an object that is wanted whole.
func (s *scanner) member(object map[string]any) error {
	raw, plain, err := s.name()
	if err != nil {
		return err
	}
	name, err := unquote(raw, plain)
	if err != nil {
		return err
	}
	object[name], err = s.value(&everything)
	return err
}

// everything is wanted.
var everything = wanted{all: true}

// pass reads a member of an object of which some members are wanted, or none if some is nil.
func (s *scanner) pass(some *partial) error {
	raw, plain, err := s.name()
	if err != nil {
		return err
	}
	i := -1
	switch {
	case some == nil:
	case plain:
		for j, name := range some.want.names {
			if string(raw[1:len(raw)-1]) == name {
				i = j
				break
			}
		}
	default:
		name, err := unquote(raw, plain)
		if err != nil {
			return err
		}
		i = slices.Index(some.want.names, name)
	}
	if i < 0 {
		_, err = s.value(nil)
		return err
	}
	some.values[i], err = s.value(some.want.inner[i])
	return err
}

func (s *scanner) list(want *wanted) (any, error) {
	var list []any
	if want != nil {
		list = []any{}
		want = &everything // a path that goes on from a list fails anyway
	}
	if s.space(); s.peek() == ']' {
		s.at++
		return list, nil
	}
	for {
		s.space()
		v, err := s.value(want)
		if err != nil {
			return nil, err
		}
		if want != nil {
			list = append(list, v)
		}
		switch s.space(); s.peek() {
		case ',':
			s.at++
		case ']':
			s.at++
			return list, nil
		default:
			return nil, s.wrong(", or ]")
		}
	}
}

func (s *scanner) text(want *wanted) (any, error) {
	raw, plain, err := s.quoted()
	if err != nil || want == nil {
		return nil, err
	}
	return unquote(raw, plain)
}

// quoted returns the text at hand with its quotes. plain says that it is ASCII without escapes.
func (s *scanner) quoted() (raw []byte, plain bool, err error) {
	from := s.at
	plain = true
	for s.at++; s.at < len(s.data); s.at++ {
		switch c := s.data[s.at]; {
		case c == '"':
			s.at++
			return s.data[from:s.at], plain, nil
		case c == '\\':
			plain = false
			if err := s.escape(); err != nil {
				return nil, false, err
			}
		case c < ' ':
			return nil, false, s.wrong("a character of a text")
		case c >= utf8.RuneSelf:
			plain = false
		}
	}
	return nil, false, s.wrong(`"`)
}

// escape checks what follows a backslash, and stops at its last byte.
func (s *scanner) escape() error {
	s.at++
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
		for range 4 {
			s.at++
			c := s.peek()
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return s.wrong("a hexadecimal digit")
			}
		}
		return nil
	}
	return s.wrong("an escape")
}

func unquote(raw []byte, plain bool) (string, error) {
	if plain {
		return string(raw[1 : len(raw)-1]), nil
	}
	var text string
	err := json.Unmarshal(raw, &text)
	return text, err
}

func (s *scanner) digits() bool {
	from := s.at
	for s.at < len(s.data) && s.data[s.at]-'0' <= 9 {
		s.at++
	}
	return s.at > from
}

func (s *scanner) number(want *wanted) (any, error) {
	from := s.at
	if s.peek() == '-' {
		s.at++
	}
	if s.peek() == '0' {
		s.at++
	} else if !s.digits() {
		return nil, s.wrong("a digit")
	}
	whole := true
	if s.peek() == '.' {
		whole = false
		if s.at++; !s.digits() {
			return nil, s.wrong("a digit")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		whole = false
		s.at++
		if c := s.peek(); c == '+' || c == '-' {
			s.at++
		}
		if !s.digits() {
			return nil, s.wrong("a digit")
		}
	}
	if want == nil {
		return nil, nil
	}
	return numberOf(s.data[from:s.at], whole)
}

// numberOf decodes a valid JSON number.
func numberOf(text []byte, whole bool) (any, error) {
	if whole {
		if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			return n, nil
		}
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, fmt.Errorf("number %s is beyond the range of 64 bits", text)
	}
	return f, nil
}
