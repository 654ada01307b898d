package readmodel

import (
	"fmt"
	"strings"

	"github.com/photonpump/projector/projector"
)

var _ projector.Crosser = (*Model)(nil)

// singleRule is a rule that may know that an event has one key.
type singleRule interface {
	rule
	// oneKey identifies the one key that an event has by this rule: rules for which it is the same give an event the same
	// key. It is empty if nobody knows. why says why an event may have several keys by this rule alone; empty if it has one.
	oneKey() (id, why string)
}

// ownRule is a rule that may change only rows of its event, which no other event changes: they wait for nothing.
type ownRule interface{ ownRows() bool }

func ownsRows(v any) bool {
	o, ok := v.(ownRule)
	return ok && o.ownRows()
}

// Crossing says why an event may change, or look at, rows with different keys; empty if each event has one key. It does not
// look at events: two functions that name a row may well name different ones.
func (m *Model) Crossing() string {
	var seen []rule
	for _, t := range m.tables {
		for _, r := range t.rules {
			if ownsRows(r) {
				continue
			}
			id, why := r.(singleRule).oneKey()
			if why != "" {
				return fmt.Sprintf("an event of type %q %s of table %q", r.eventType(), why, t.def.Name)
			}
			for _, other := range seen {
				if before, _ := other.(singleRule).oneKey(); (id == "" || id != before) && overlap(r.eventType(), other.eventType()) {
					return fmt.Sprintf("an event of type %q may change rows with different keys", r.eventType())
				}
			}
			seen = append(seen, r)
		}
	}
	return ""
}

func (r *oneRule[B, K, R]) oneKey() (id, why string)    { return "", "" }
func (r *insertRule[B, K, R]) oneKey() (id, why string) { return "", "" }
func (r *eachRule[B, T, K, R]) oneKey() (id, why string) {
	return "", "may change several rows"
}

func (r *dynamicRule[E]) oneKey() (id, why string) {
	if r.OneKey == "" {
		return "", "may change or look at several rows"
	}
	return r.OneKey, ""
}

func (r *dynamicRule[E]) ownRows() bool { return r.OwnRows }

// overlap reports whether an event type may fit two patterns.
func overlap(a, b string) bool {
	switch aGlob, bGlob := strings.Contains(a, "*"), strings.Contains(b, "*"); {
	case !bGlob:
		return matches(a, b)
	case !aGlob:
		return matches(b, a)
	}
	startA, startB := a[:strings.Index(a, "*")], b[:strings.Index(b, "*")]
	endA, endB := a[strings.LastIndex(a, "*")+1:], b[strings.LastIndex(b, "*")+1:]
	return (strings.HasPrefix(startA, startB) || strings.HasPrefix(startB, startA)) &&
		(strings.HasSuffix(endA, endB) || strings.HasSuffix(endB, endA))
}
