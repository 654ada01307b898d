package postgres

import (
	"errors"

	"github.com/photonpump/projector/checkpoint"
)

// guesses say which tables get new rows only. Such rows are written by a plain INSERT, in a third of the time that
// ON CONFLICT takes. Where that fails since a row is there, nothing of the transaction stays; it is done again without
// the guess, and for that table none is made for a while: for twice as many commits each time.
type guesses struct {
	tables map[*checkpoint.Table]*guess
}

type guess struct {
	pause int // commits until the next one
	next  int // length of the next pause
}

// errGuess says that a commit must be done again.
var errGuess = errors.New("guessed wrongly that rows are new")

// worthGuessing is the number of rows from which on a guess saves more than it may cost.
const worthGuessing = 64

// plain reports whether all upserts are taken to be new rows.
func (g *guesses) plain(w *checkpoint.TableWrite) bool {
	if g == nil || len(w.Upserts) < worthGuessing {
		return false
	}
	known := g.tables[w.Table]
	if known == nil || known.pause == 0 {
		return true
	}
	known.pause--
	return false
}

func (g *guesses) wrong(t *checkpoint.Table) {
	if g.tables == nil {
		g.tables = map[*checkpoint.Table]*guess{}
	}
	if g.tables[t] == nil {
		g.tables[t] = &guess{next: 8}
	}
	g.tables[t].pause = g.tables[t].next
	g.tables[t].next *= 2
}
