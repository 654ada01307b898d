package config

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// dialect is the SQL of a database.
type dialect string

// The dialects that statements are written in.
const (
	dialectSQLite   dialect = "sqlite"
	dialectPostgres dialect = "postgres"
)

// sqlToken is a piece of a statement.
type sqlToken struct {
	kind sqlKind
	text string // as it stands; of a word, name or parameter what it means
	raw  string // as it stands
	at   int    // byte in the text
}

type sqlKind uint8

const (
	sqlSpace     sqlKind = iota // and comments
	sqlWord                     // a keyword, or a name without quotes
	sqlName                     // a name in quotes
	sqlText                     // a text, a number: what is of no concern
	sqlParameter                // :name
	sqlSign                     // one character of anything else
)

// is reports whether the token is a keyword.
func (t sqlToken) is(word string) bool { return t.kind == sqlWord && strings.EqualFold(t.text, word) }

// sqlMistake says what is wrong in the text of a statement, and where.
type sqlMistake struct {
	at      int
	problem string
}

func (m *sqlMistake) Error() string { return m.problem }

// sqlLexer takes a text apart.
type sqlLexer struct {
	dialect dialect
	text    string
	at      int
}

// tokens returns all tokens of a text.
func (d dialect) tokens(text string) ([]sqlToken, error) {
	l := &sqlLexer{dialect: d, text: text}
	var tokens []sqlToken
	for l.at < len(text) {
		start := l.at
		t, err := l.next()
		if err != nil {
			return nil, err
		}
		t.at, t.raw = start, text[start:l.at]
		if t.text == "" && t.kind == sqlWord {
			t.text = t.raw
		}
		tokens = append(tokens, t)
	}
	return tokens, nil
}

func (l *sqlLexer) next() (sqlToken, error) {
	rest := l.text[l.at:]
	c := rest[0]
	switch {
	case strings.ContainsRune(" \t\r\n\f\v", rune(c)):
		l.at++
		return sqlToken{kind: sqlSpace}, nil
	case strings.HasPrefix(rest, "--"):
		end := strings.IndexByte(rest, '\n')
		if end < 0 {
			end = len(rest)
		}
		l.at += end
		return sqlToken{kind: sqlSpace}, nil
	case strings.HasPrefix(rest, "/*"):
		return sqlToken{kind: sqlSpace}, l.comment()
	case c == '\'':
		_, err := l.quoted('\'', false)
		return sqlToken{kind: sqlText}, err
	case c == '"', c == '`' && l.dialect == dialectSQLite, c == '[' && l.dialect == dialectSQLite:
		closing := c
		if c == '[' {
			closing = ']'
		}
		name, err := l.quoted(closing, false)
		return sqlToken{kind: sqlName, text: name}, err
	case l.dialect == dialectPostgres && (c == 'e' || c == 'E') && strings.HasPrefix(rest[1:], "'"):
		l.at++
		_, err := l.quoted('\'', true)
		return sqlToken{kind: sqlText}, err
	case c == '$':
		return l.dollar()
	case c == ':':
		return l.colon()
	case c == '?' && l.dialect == dialectSQLite, c == '@' && l.dialect == dialectSQLite:
		return sqlToken{}, l.fail("%c is no parameter here: write :name", c)
	case c >= '0' && c <= '9':
		l.at += len(rest) - len(strings.TrimLeftFunc(rest, func(r rune) bool { return isWordRune(r) || r == '.' }))
		return sqlToken{kind: sqlText}, nil
	}
	if r, n := utf8.DecodeRuneInString(rest); isWordRune(r) {
		l.at += len(rest) - len(strings.TrimLeftFunc(rest, isWordRune))
		return sqlToken{kind: sqlWord}, nil
	} else if r == utf8.RuneError || r == 0 {
		return sqlToken{}, l.fail("a character that is no text")
	} else {
		l.at += n
	}
	return sqlToken{kind: sqlSign, text: rest[:1]}, nil
}

func isWordRune(r rune) bool {
	return r == '_' || r == '$' || unicode.IsLetter(r) || unicode.IsDigit(r) || r > unicode.MaxASCII && r != utf8.RuneError
}

func (l *sqlLexer) fail(format string, args ...any) error {
	return &sqlMistake{l.at, fmt.Sprintf(format, args...)}
}

// comment passes over a comment, which in Postgres may have others within.
func (l *sqlLexer) comment() error {
	depth := 0
	for i := l.at; i < len(l.text); i++ {
		switch pair := l.text[i:min(i+2, len(l.text))]; {
		case pair == "/*" && (depth == 0 || l.dialect == dialectPostgres):
			depth++
			i++
		case pair == "*/":
			i++
			if depth--; depth == 0 {
				l.at = i + 1
				return nil
			}
		}
	}
	return l.fail("the comment is never closed")
}

// quoted passes over what is in quotes, which are doubled within, and returns it without them.
func (l *sqlLexer) quoted(closing byte, backslash bool) (string, error) {
	var b strings.Builder
	for i := l.at + 1; i < len(l.text); i++ {
		c := l.text[i]
		switch {
		case c == '\\' && backslash:
			i++
			continue
		case c != closing:
		case closing != ']' && i+1 < len(l.text) && l.text[i+1] == closing:
			i++
		default:
			l.at = i + 1
			return b.String(), nil
		}
		b.WriteByte(c)
	}
	return "", l.fail("%c is never closed", l.text[l.at])
}

// dollar passes over $tag$ text $tag$.
func (l *sqlLexer) dollar() (sqlToken, error) {
	if l.dialect == dialectPostgres {
		tag, rest, found := strings.Cut(l.text[l.at+1:], "$")
		if found && !strings.ContainsFunc(tag, func(r rune) bool { return !isWordRune(r) }) && (tag == "" || tag[0] < '0' || tag[0] > '9') {
			end := strings.Index(rest, "$"+tag+"$")
			if end < 0 {
				return sqlToken{}, l.fail("$%s$ is never closed", tag)
			}
			l.at += 1 + len(tag) + 1 + end + len(tag) + 2
			return sqlToken{kind: sqlText}, nil
		}
	}
	return sqlToken{}, l.fail("$ is no parameter here: write :name")
}

// colon is :name, or :: and := as they are.
func (l *sqlLexer) colon() (sqlToken, error) {
	rest := l.text[l.at+1:]
	if strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, "=") {
		l.at += 2
		return sqlToken{kind: sqlSign, text: ":"}, nil
	}
	name := rest[:len(rest)-len(strings.TrimLeftFunc(rest, isWordRune))]
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		l.at++
		return sqlToken{kind: sqlSign, text: ":"}, nil
	}
	l.at += 1 + len(name)
	return sqlToken{kind: sqlParameter, text: name}, nil
}
