package config

import (
	"os"
	"testing"

	"github.com/photonpump/projector/projector/source"
)

// TestPonies folds the events of the example with the repository's own file, and counts them again.
func TestPonies(t *testing.T) {
	t.Parallel()
	cfg, err := Load("../../projector.yaml")
	if err != nil {
		t.Fatal(err)
	}
	events := readEvents(t, "../../examples/ponies/events.jsonl")
	want := map[string]float64{}
	for _, e := range events {
		want[e.Type]++
	}
	for _, tt := range []struct{ projection, counter, eventType string }{
		{"ponies", "jumps", "pony.jumped"},
		{"meals", "meals", "pony.fed"},
		{"racers", "races", "race.finished"},
	} {
		sum := 0.0
		rows := foldAll(t, cfg.Projection(tt.projection), events, 100)
		for _, row := range rows {
			sum += row[tt.counter].(float64)
		}
		if sum != want[tt.eventType] || sum == 0 {
			t.Errorf("%s: %s sum up to %v in %d rows, but there are %v events", tt.projection, tt.counter, sum, len(rows), want[tt.eventType])
		}
	}
	for name, row := range foldAll(t, cfg.Projection("ponies"), events, 1000) {
		if row["born_at"] == nil || row["farm"] == nil {
			t.Errorf("pony %q was never born: %v", name, row)
		}
	}
}

func readEvents(t *testing.T, path string) []source.Event {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	return scanEvents(t, f)
}
