package config

import (
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

//go:generate go test -run TestReference -update .

var update = flag.Bool("update", false, "write the reference and the schema anew")

// TestReference compares the files in docs with what the program knows. They are written by go generate.
func TestReference(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"../../docs/projector.yaml.md":     Reference(),
		"../../docs/projector.schema.json": string(JSONSchema()),
	} {
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Error(err)
			}
			continue
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is not current, run go generate ./projector/config (-want +got):\n%s", file, diff)
		}
	}
}

// Every key has documentation, and the schema is valid JSON.
func TestEverythingIsDescribed(t *testing.T) {
	t.Parallel()
	if !json.Valid(JSONSchema()) {
		t.Error("the schema is no JSON")
	}
	var walk func(path string, d *Description)
	walk = func(path string, d *Description) {
		for _, f := range d.Fields {
			if f.Doc == "" || f.Value == nil {
				t.Errorf("%s.%s is not described", path, f.Name)
			}
			walk(path+"."+f.Name, f.Value)
		}
		if d.Item != nil {
			walk(path, d.Item)
		}
		for _, or := range d.Or {
			walk(path, or)
		}
	}
	walk("", Describe())
}
