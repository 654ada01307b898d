// Package division is what all stores do alike with projections that are divided into shards.
package division

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/photonpump/projector/checkpoint"
)

// Row is a projection or a shard of one as a store keeps it.
type Row struct {
	checkpoint.Status
	Base   string // of a shard: the projection; else empty
	Shards int    // of a projection: into how many it is divided, 1 = it is not
	Fresh  bool   // starts where the next owner says
}

// Divided is what Fingerprint is of a projection that is divided, so that a release that knows no shards leaves it alone.
func Divided(shards int) string { return fmt.Sprintf("divided into %d shards", shards) }

// Plan works out from where the shards of a division begin, given the projection and its shards as they are. The counters
// are those of all of them together. Errors are those of [checkpoint.ShardStore.Divide].
func Plan(d *checkpoint.Division, base Row, shards []Row) (Row, error) {
	parts := shards
	slices.SortFunc(parts, byNumber)
	if base.Shards == 1 {
		parts = []Row{base}
	}
	first := parts[0]
	claim := checkpoint.Claim{Fingerprint: d.Fingerprint, Start: d.Start}
	if !first.Fresh && !claim.Fits(first.Fingerprint, first.Position) {
		return Row{}, &checkpoint.DefinitionError{Name: d.Name, Stored: first.Fingerprint, Wants: d.Fingerprint, Position: first.Position}
	}
	if reasons := against(parts); len(reasons) > 0 {
		return Row{}, &checkpoint.ShardsError{Name: d.Name, Stored: base.Shards, Wants: d.Shards, Reasons: reasons}
	}
	start := Row{Status: Sum(base, parts), Shards: d.Shards, Fresh: first.Fresh}
	if start.Fingerprint = first.Fingerprint; start.Fresh || start.Fingerprint == "" {
		start.Fingerprint = d.Fingerprint
	}
	if d.Shards > 1 && start.Fresh {
		start.Position, start.Fresh = d.Start, false
	}
	return start, nil
}

// maxReasons bounds how many reasons an error lists.
const maxReasons = 8

// against lists why the parts cannot be divided anew: what is the same for several shards is said once.
func against(parts []Row) []string {
	var order []string
	shards := map[string][]int{}
	note := func(why string, p *Row) {
		if shards[why] == nil {
			order = append(order, why)
		}
		shards[why] = append(shards[why], numberOf(p))
	}
	apart := slices.ContainsFunc(parts, func(p Row) bool { return p.Position != parts[0].Position || p.Fresh != parts[0].Fresh })
	for i := range parts {
		p := &parts[i]
		if p.Held {
			note("owned by "+p.Owner, p)
		}
		if p.Parked > 0 {
			note("waiting for parked events to be handled or dropped", p)
		}
		if apart {
			note("at "+p.Position.String(), p)
		}
	}
	var reasons []string
	for i, why := range order {
		if i == maxReasons {
			return append(reasons, fmt.Sprintf("and %d more reasons", len(order)-i))
		}
		reasons = append(reasons, nameOf(parts, shards[why])+" "+why)
	}
	return reasons
}

// nameOf names shards.
func nameOf(parts []Row, shards []int) string {
	if parts[0].Base == "" {
		return "it is"
	}
	if len(shards) == 1 {
		return fmt.Sprintf("shard %d is", shards[0])
	}
	return "shards " + ranges(shards) + " are"
}

// ranges writes ascending numbers as 0-3, 5.
func ranges(numbers []int) string {
	var b strings.Builder
	for i := 0; i < len(numbers); {
		k := i
		for k+1 < len(numbers) && numbers[k+1] == numbers[k]+1 {
			k++
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, numbers[i])
		if k > i {
			fmt.Fprintf(&b, "-%d", numbers[k])
		}
		i = k + 1
	}
	return b.String()
}

// List makes the list of projections out of all rows.
func List(rows []Row) []checkpoint.Status {
	shards := map[string][]Row{}
	for _, r := range rows {
		if r.Base != "" {
			shards[r.Base] = append(shards[r.Base], r)
		}
	}
	var list []checkpoint.Status
	for _, r := range rows {
		switch {
		case r.Base != "":
		case r.Shards > 1:
			list = append(list, Sum(r, shards[r.Name]))
		default:
			list = append(list, r.Status)
		}
	}
	slices.SortFunc(list, func(a, b checkpoint.Status) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Sum is the state of a projection that is divided, or was before; its own row counts what was done then.
func Sum(base Row, parts []Row) checkpoint.Status {
	if base.Shards == 1 {
		return base.Status
	}
	slices.SortFunc(parts, byNumber)
	sum := base.Status
	sum.Held, sum.Owner, sum.Expires, sum.State, sum.Reason, sum.Fingerprint = false, "", time.Time{}, "", "", ""
	var owners []string
	for i := range parts {
		p := &parts[i].Status
		sum.Shards = append(sum.Shards, *p)
		add(&sum, p, i == 0)
		if p.Held && !slices.Contains(owners, p.Owner) {
			owners = append(owners, p.Owner)
		}
	}
	slices.Sort(owners)
	sum.Owner = strings.Join(owners, ", ")
	return sum
}

func byNumber(a, b Row) int { return cmp.Compare(numberOf(&a), numberOf(&b)) }

func numberOf(r *Row) int {
	_, shard, _, _ := checkpoint.ParseShardName(r.Name)
	return shard
}

func add(sum, p *checkpoint.Status, first bool) {
	sum.Epoch = max(sum.Epoch, p.Epoch)
	sum.Held = sum.Held || p.Held
	sum.Handled += p.Handled
	sum.Ignored += p.Ignored
	sum.Skipped += p.Skipped
	sum.Parked += p.Parked
	if p.Updated.After(sum.Updated) {
		sum.Updated = p.Updated
	}
	if p.Held && (sum.Expires.IsZero() || p.Expires.Before(sum.Expires)) {
		sum.Expires = p.Expires
	}
	if order, ok := p.LastEvent.Position.Compare(sum.LastEvent.Position); first || ok && order > 0 {
		sum.LastEvent = p.LastEvent
	}
	if order, ok := p.Position.Compare(sum.Position); first || ok && order < 0 {
		sum.Position = p.Position
	}
	if sum.Fingerprint == "" {
		sum.Fingerprint = p.Fingerprint
	}
	switch {
	case first:
		sum.State, sum.Reason = p.State, p.Reason
	case p.State != sum.State:
		sum.State, sum.Reason = "", ""
	case p.Reason != sum.Reason:
		sum.Reason = ""
	}
}

// Refusal is the answer to commands for shards that are not there any more.
const Refusal = "the number of shards was changed; send the command again"
