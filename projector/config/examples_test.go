package config

import (
	"os"
	"testing"

	"github.com/photonpump/projector/checkpoint"
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
	onEachStore(t, func(t *testing.T, store checkpoint.Store) { testPonies(t, store, cfg, events, want) })
}

func testPonies(t *testing.T, store checkpoint.Store, cfg *Config, events []source.Event, want map[string]float64) {
	t.Helper()
	for _, tt := range []struct{ projection, counter, eventType string }{
		{"ponies", "jumps", "pony.jumped"},
		{"meals", "meals", "pony.fed"},
		{"racers", "races", "race.finished"},
	} {
		sum := 0.0
		rows := foldAll(t, store, cfg.Projection(tt.projection), events, 100)
		for _, row := range rows {
			sum += row[tt.counter].(float64)
		}
		if sum != want[tt.eventType] || sum == 0 {
			t.Errorf("%s: %s sum up to %v in %d rows, but there are %v events", tt.projection, tt.counter, sum, len(rows), want[tt.eventType])
		}
		for key, row := range rows {
			for column, value := range row {
				if value == nil && column != "best_m" && column != "last_jump_at" {
					t.Errorf("%s: %s: %s is NULL", tt.projection, key, column)
				}
			}
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
