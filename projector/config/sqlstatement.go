package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// sqlStatement is one statement in the SQL of one database.
type sqlStatement struct {
	text       string   // with the parameters as the database writes them
	parameters []string // their names, in order
	plain      string   // without comments and formatting, for fingerprints
	writes     []sqlToken
	reads      []sqlToken
	restless   []sqlToken // what gives another result another day

	traced atomic.Bool // what it uses was seen to be allowed
}

// statements takes a text apart into statements.
func (d dialect) statements(text string) ([]*sqlStatement, error) {
	tokens, err := d.tokens(text)
	if err != nil {
		return nil, err
	}
	var all []*sqlStatement
	for len(tokens) > 0 {
		end := slices.IndexFunc(tokens, func(t sqlToken) bool { return t.kind == sqlSign && t.text == ";" })
		one, rest := tokens, tokens[len(tokens):]
		if end >= 0 {
			one, rest = tokens[:end], tokens[end+1:]
		}
		tokens = rest
		if !slices.ContainsFunc(one, func(t sqlToken) bool { return t.kind != sqlSpace }) {
			continue
		}
		s, err := d.statement(one)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	if len(all) == 0 {
		return nil, &sqlMistake{0, "there is no statement"}
	}
	return all, nil
}

// allowedStatements are the words that a statement may begin with.
var allowedStatements = []string{"INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "WITH", "SELECT"}

func (d dialect) statement(tokens []sqlToken) (*sqlStatement, error) {
	s := &sqlStatement{}
	var text strings.Builder
	var words []sqlToken // without spaces
	var plain []string
	place := map[dialect]string{dialectSQLite: "?", dialectPostgres: "$"}[d]
	for _, t := range tokens {
		raw := t.raw
		if t.kind == sqlParameter {
			i := slices.Index(s.parameters, t.text)
			if i < 0 {
				i = len(s.parameters)
				s.parameters = append(s.parameters, t.text)
			}
			raw = place + strconv.Itoa(i+1)
		}
		text.WriteString(raw)
		if t.kind != sqlSpace {
			words = append(words, t)
			plain = append(plain, t.raw)
		}
	}
	first := words[0]
	if !slices.ContainsFunc(allowedStatements, first.is) {
		return nil, &sqlMistake{first.at, fmt.Sprintf("a statement that begins with %s is not allowed: want %s", first.raw, oneOf(allowedStatements))}
	}
	s.text, s.plain = strings.TrimSpace(text.String()), strings.Join(plain, " ")
	u := &sqlUses{words: words}
	if err := u.find(); err != nil {
		return nil, err
	}
	s.writes, s.reads, s.restless = u.writes, u.reads, u.restless
	return s, nil
}

// sqlUses finds the tables that a statement names.
type sqlUses struct {
	words                   []sqlToken // without spaces
	writes, reads, restless []sqlToken
	local                   []string // names of WITH
}

// word returns the i-th word; an empty one if there is none.
func (u *sqlUses) word(i int) sqlToken {
	if i < 0 || i >= len(u.words) {
		return sqlToken{}
	}
	return u.words[i]
}

// restlessWords give another result another day.
var restlessWords = []string{
	"now", "current_timestamp", "current_date", "current_time", "localtime", "localtimestamp", "clock_timestamp", "statement_timestamp",
	"transaction_timestamp", "timeofday", "random", "randomblob", "gen_random_uuid", "uuid_generate_v4", "nextval",
}

func (u *sqlUses) find() error {
	for i, w := range u.words {
		isName := w.kind == sqlWord || w.kind == sqlName
		if next := u.word(i + 1); isName && next.is("AS") && (u.word(i+2).raw == "(" || u.word(i+2).is("MATERIALIZED") || u.word(i+2).is("NOT")) {
			u.local = append(u.local, w.text)
		}
		if w.kind == sqlWord && slices.ContainsFunc(restlessWords, w.is) || strings.EqualFold(w.raw, "'now'") {
			u.restless = append(u.restless, w)
		}
	}
	for i := range u.words {
		if err := u.at(i); err != nil {
			return err
		}
	}
	u.reads = slices.DeleteFunc(u.reads, func(t sqlToken) bool {
		return slices.ContainsFunc(u.local, func(l string) bool { return strings.EqualFold(l, t.text) })
	})
	return nil
}

// at looks at one word for what follows it.
func (u *sqlUses) at(i int) error {
	w := u.words[i]
	switch {
	case w.is("INTO"):
		return u.target(i + 1)
	case w.is("UPDATE"):
		if u.word(i-1).is("FOR") || u.word(i-1).is("KEY") || u.word(i-1).is("DO") {
			return nil // a lock, or ON CONFLICT … DO UPDATE
		}
		if i++; u.word(i).is("OR") {
			i += 2
		}
		return u.target(i)
	case w.is("FROM") && u.word(i-1).is("DELETE"):
		return u.target(i + 1)
	case w.is("FROM") && !u.word(i-1).is("DISTINCT"), w.is("USING"):
		u.list(i + 1)
	case w.is("JOIN"):
		u.name(i+1, &u.reads)
	}
	return nil
}

// target notes a table that is written.
func (u *sqlUses) target(i int) error {
	if u.word(i).is("ONLY") {
		i++
	}
	if before := len(u.writes); u.name(i, &u.writes) && len(u.writes) > before {
		return nil
	}
	at := u.word(i)
	if u.word(i+1).raw == "." {
		return &sqlMistake{at.at, "a table is written without its schema: it is that of the database"}
	}
	return &sqlMistake{at.at, "the name of a table is missing"}
}

// name notes the table at a place, if there is one, whose schema is not said.
func (u *sqlUses) name(i int, into *[]sqlToken) bool {
	if u.word(i).is("ONLY") || u.word(i).is("LATERAL") {
		i++
	}
	w := u.word(i)
	if w.kind != sqlWord && w.kind != sqlName || u.word(i+1).raw == "." {
		return false
	}
	*into = append(*into, w)
	return true
}

// list notes the tables of a list: a, b AS c, (SELECT …).
func (u *sqlUses) list(i int) {
	depth := 0
	u.name(i, &u.reads)
	for ; i < len(u.words); i++ {
		w := u.words[i]
		switch {
		case w.raw == "(":
			depth++
		case w.raw == ")":
			if depth--; depth < 0 {
				return
			}
		case depth > 0:
		case w.raw == ",":
			u.name(i+1, &u.reads)
		case slices.ContainsFunc([]string{"WHERE", "GROUP", "ORDER", "SET", "HAVING", "LIMIT", "UNION", "EXCEPT", "INTERSECT", "RETURNING", "ON", "WINDOW", "WHEN"}, w.is):
			return
		}
	}
}
