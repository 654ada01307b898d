package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

// TestSchemaAcceptsExamples has the JSON Schema, by which editors judge, accept every file that we publish, and refuse what
// is plainly wrong.
func TestSchemaAcceptsExamples(t *testing.T) {
	t.Parallel()
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "docs", "projector.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	files := []string{filepath.Join("..", "..", "projector.yaml"), filepath.Join("..", "..", "examples", "git-history", "projector.yaml")}
	for _, pattern := range []string{filepath.Join("..", "..", "examples", "cookbook", "*.yaml"), filepath.Join("testdata", "*.good.yml")} {
		some, err := filepath.Glob(pattern)
		if err != nil || len(some) == 0 {
			t.Fatalf("%s: %v, %v", pattern, some, err)
		}
		files = append(files, some...)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(values(t, string(text))); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	for _, wrong := range []string{
		"projections: {p: {source: {streem: s}}}",
		"projections: {p: {source: {stream: s}, batch: {size: many}}}",
		"projection: {}",
	} {
		if schema.Validate(values(t, wrong)) == nil {
			t.Errorf("accepts %s", wrong)
		}
	}
}

func values(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	if v == nil {
		return map[string]any{} // an empty file has no value in YAML, and is a file without settings
	}
	return v
}
