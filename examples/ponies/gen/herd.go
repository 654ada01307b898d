package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Streams: everything that happens to a pony is in one stream, and each race has its own.
const (
	ponyStream = "pony_stream"
	raceStream = "race-%03d"
)

type line struct {
	Stream   string         `json:"stream"`
	Type     string         `json:"type"`
	Data     map[string]any `json:"data"`
	Metadata map[string]any `json:"metadata,omitempty"`
}

// herd makes up the lives of ponies.
type herd struct {
	rng    *rand.Rand
	now    time.Time
	unborn []string
	ponies []*pony // alive and not retired
	races  int
}

type pony struct {
	name  string
	farm  string
	skill float64 // metres it jumps on a usual day
}

func newHerd(seed uint64) *herd {
	h := &herd{
		rng: rand.New(rand.NewPCG(seed, seed)),
		now: time.Date(2024, 3, 1, 6, 0, 0, 0, time.UTC),
	}
	for _, second := range secondNames {
		for _, first := range firstNames {
			h.unborn = append(h.unborn, first+second)
		}
	}
	return h
}

// live returns exactly n events in the order in which they happened.
func (h *herd) live(n int) []line {
	var lines []line
	for len(h.ponies) < 20 {
		lines = append(lines, h.born())
	}
	for len(lines) < n {
		h.now = h.now.Add(time.Duration(10+h.rng.IntN(3600)) * time.Second)
		lines = append(lines, h.next()...)
	}
	return lines[:n]
}

func (h *herd) next() []line {
	switch dice := h.rng.IntN(1000); {
	case dice < 36 && len(h.unborn) > 0:
		return []line{h.born()}
	case dice < 40 && len(h.ponies) > 20:
		return []line{h.retired()}
	case dice < 80:
		return []line{h.moved()}
	case dice < 95:
		return h.race()
	case dice < 300:
		return []line{h.fed()}
	}
	return []line{h.jumped()}
}

func (h *herd) born() line {
	p := &pony{name: h.unborn[0], farm: pick(h.rng, farms), skill: 0.4 + h.rng.Float64()*0.6}
	h.unborn = h.unborn[1:]
	h.ponies = append(h.ponies, p)
	return h.line("pony.born", map[string]any{"name": p.name, "colour": pick(h.rng, colours), "farm": p.farm})
}

func (h *herd) jumped() line {
	p := pick(h.rng, h.ponies)
	height := max(0.1, p.skill+h.rng.NormFloat64()*0.15)
	return h.line("pony.jumped", map[string]any{"name": p.name, "height_m": round(height)})
}

func (h *herd) fed() line {
	p := pick(h.rng, h.ponies)
	return h.line("pony.fed", map[string]any{"name": p.name, "food": pick(h.rng, foods), "grams": 50 * (1 + h.rng.IntN(40))})
}

func (h *herd) moved() line {
	p := pick(h.rng, h.ponies)
	from := p.farm
	p.farm = pick(h.rng, farms)
	return h.line("pony.moved", map[string]any{"name": p.name, "from": from, "farm": p.farm})
}

func (h *herd) retired() line {
	i := h.rng.IntN(len(h.ponies))
	p := h.ponies[i]
	h.ponies = append(h.ponies[:i], h.ponies[i+1:]...)
	return h.line("pony.retired", map[string]any{"name": p.name})
}

// race lets five to eight ponies run; one event for each that arrives.
func (h *herd) race() []line {
	h.races++
	lines := make([]line, 5+h.rng.IntN(4))
	runners := h.rng.Perm(len(h.ponies))
	seconds := 60 + h.rng.Float64()*5
	for i := range lines {
		seconds += h.rng.Float64() * 3
		lines[i] = h.line("race.finished", map[string]any{
			"race": h.races, "name": h.ponies[runners[i]].name, "place": i + 1, "seconds": round(seconds),
		})
		lines[i].Stream = fmt.Sprintf(raceStream, h.races)
	}
	return lines
}

func (h *herd) line(eventType string, data map[string]any) line {
	data["at"] = h.now.Format(time.RFC3339)
	return line{
		Stream: ponyStream, Type: eventType, Data: data,
		Metadata: map[string]any{"keeper": pick(h.rng, keepers)},
	}
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

func round(x float64) float64 { return math.Round(x*100) / 100 }

var (
	firstNames = []string{
		"Applejack", "Biscuit", "Bramble", "Clover", "Cocoa", "Daisy", "Dapple", "Ember", "Fern", "Ginger",
		"Hazel", "Honey", "Ivy", "Juniper", "Maple", "Nutmeg", "Olive", "Pepper", "Poppy", "Rowan",
	}
	secondNames = []string{
		"", " Star", " Moon", " Breeze", " Brook", " Dancer", " Dream", " Dusk", " Frost", " Meadow", " Shadow", " Sky",
	}
	farms   = []string{"Alder Hill", "Brook End", "Cold Ash", "Fox Hollow", "Long Acre", "Mill Lane", "North Field", "Willow Bank"}
	colours = []string{"bay", "black", "chestnut", "cream", "dun", "grey", "palomino", "roan"}
	foods   = []string{"apple", "carrot", "hay", "oats"}
	keepers = []string{"ada", "bo", "cyd", "dot"}
)
