package checkpoint

import (
	"slices"
	"strings"
)

// TableDiff is how a live table differs from its definition, and so what [Store.EnsureTables] does about it.
type TableDiff struct {
	Table   *Table
	Missing bool     // there is none: it is made
	Columns []Column // that are added; rows that are there hold Column.Default in them
	Indexes []Index  // that are made
	Drift   []string // what cannot be mended, each like `column "height": is text, wants float`; then nothing is done
}

// Empty reports whether the table is as defined.
func (d *TableDiff) Empty() bool {
	return !d.Missing && len(d.Columns) == 0 && len(d.Indexes) == 0 && len(d.Drift) == 0
}

// Err returns a *[DriftError] if there are differences that cannot be mended.
func (d *TableDiff) Err() error {
	if len(d.Drift) == 0 {
		return nil
	}
	return &DriftError{Table: d.Table.Name, Differences: d.Drift}
}

// Fingerprint makes the fingerprint of a definition: what its rows depend on, in one word without a +, and additions,
// each one word too, that rows built without them do not miss.
func Fingerprint(core string, additions ...string) string {
	additions = slices.Sorted(slices.Values(additions))
	return strings.Join(append([]string{core}, additions...), "+")
}

// ParseFingerprint is the inverse of [Fingerprint].
func ParseFingerprint(fingerprint string) (core string, additions []string) {
	words := strings.Split(fingerprint, "+")
	return words[0], words[1:]
}

// SameRows reports whether rows that a definition has built are those that another one wants: it is the same, or differs
// only by more additions, see [Fingerprint]. An empty fingerprint fits all.
func SameRows(built, wants string) bool {
	if built == wants || built == "" || wants == "" {
		return true
	}
	core, had := ParseFingerprint(built)
	wanted, has := ParseFingerprint(wants)
	return core == wanted && !slices.ContainsFunc(had, func(addition string) bool { return !slices.Contains(has, addition) })
}

// Fits reports whether the claimant may go on with rows that another definition has built up to a position: before the
// first event there are none.
func (c *Claim) Fits(fingerprint string, position Position) bool {
	return SameRows(fingerprint, c.Fingerprint) || position == c.Start
}
