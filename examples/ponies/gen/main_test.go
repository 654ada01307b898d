package main

import (
	"bytes"
	"os"
	"testing"
)

// The committed file must be what the generator writes, or nobody could change the generator with confidence.
func TestCommittedFileIsCurrent(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	if err := generate(&want); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../events.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("../events.jsonl differs from what the generator writes; run `make gen`")
	}
}

func TestEventsAreVaried(t *testing.T) {
	t.Parallel()
	types, ponies := map[string]int{}, map[string]int{}
	lines := newHerd(seed).live(events)
	for _, l := range lines {
		types[l.Type]++
		ponies[l.Data["name"].(string)]++
	}
	t.Logf("%d events, %v, %d ponies", len(lines), types, len(ponies))
	if len(lines) != events || len(types) < 5 || len(ponies) < 200 {
		t.Errorf("got %d events of %d types over %d ponies, want %d, at least 5, at least 200",
			len(lines), len(types), len(ponies), events)
	}
}
