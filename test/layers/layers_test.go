// Package layers checks that imports go downwards only.
package layers

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/photonpump/projector"

// may lists what each layer may import of ours. A layer is a package with all below it, unless they have a line of
// their own; in the lists, "x" is one package and "x/..." also what is below it. A layer may always import itself.
var may = map[string][]string{
	"cmd":                         {"projector/cli"},
	"projector/cli":               {"..."},
	"projector/config":            {"projector", "projector/readmodel", "projector/source/...", "codec/...", "checkpoint/...", "esclient"},
	"projector/admin":             {"projector", "checkpoint"},
	"projector/prom":              {"projector", "checkpoint"},
	"projector/emit":              {"projector", "esclient"},
	"projector/projectortest":     {"projector", "projector/readmodel", "projector/source", "projector/source/sourcetest", "codec/...", "checkpoint/..."},
	"projector/readmodel":         {"projector", "projector/source", "codec/...", "checkpoint"},
	"projector":                   {"projector/source", "codec/...", "checkpoint"},
	"projector/source/eventstore": {"projector/source", "checkpoint", "esclient"},
	"projector/source":            {"checkpoint"},
	"checkpoint":                  {},
	"codec":                       {},
	"esclient":                    {"codec/...", "esclient/internal/..."},
	"esclient/esnode":             {"esclient/internal/..."},
	"esclient/internal":           {},
	"examples":                    {"..."},
	"test":                        {"..."},
}

// testOnly may be linked into tests, and into nothing else.
var testOnly = []string{
	"testing", "net/http/httptest", "go.uber.org/goleak", "pgregory.net/rapid", "github.com/google/go-cmp/cmp",
	"checkpoint/checkpointtest", "projector/projectortest",
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func TestImportsGoDownwards(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "./...") {
		from := strings.TrimPrefix(p.ImportPath, module+"/")
		layer := layerOf(from)
		if layer == "" {
			t.Errorf("package %s belongs to no layer: give it a line in the table", from)
		}
		for _, imp := range p.Imports {
			to, ours := strings.CutPrefix(imp, module+"/")
			if ours && layerOf(to) != layer && !slices.ContainsFunc(may[layer], func(pattern string) bool { return matches(pattern, to) }) {
				t.Errorf("%s may not import %s: layer %s may import %v", from, to, layer, may[layer])
			}
		}
	}
}

func TestNoTestCodeInTheBinary(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "./cmd/...", "./examples/...") {
		for _, imp := range p.Imports {
			if slices.Contains(testOnly, strings.TrimPrefix(imp, module+"/")) {
				t.Errorf("%s imports %s, which is for tests", p.ImportPath, imp)
			}
		}
	}
}

func TestLayerOf(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{
		"projector/source/eventstore": "projector/source/eventstore",
		"projector/sourcery":          "projector",
		"esclient/internal/wire":      "esclient/internal",
		"checkpoint/postgres":         "checkpoint",
		"elsewhere":                   "",
	} {
		if got := layerOf(from); got != want {
			t.Errorf("layerOf(%q) = %q, want %q", from, got, want)
		}
	}
}

func layerOf(p string) string {
	for p != "." && may[p] == nil {
		p = path.Dir(p)
	}
	return strings.TrimPrefix(p, ".")
}

func matches(pattern, p string) bool {
	prefix, below := strings.CutSuffix(pattern, "...")
	return p == pattern || below && strings.HasPrefix(p+"/", prefix)
}

// list returns packages and everything of ours that they import, directly or not.
func list(t *testing.T, patterns ...string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-deps", "-json=ImportPath,Imports"}, patterns...)...)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	var ours []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(p.ImportPath, module+"/") {
			ours = append(ours, p)
		}
	}
	if len(ours) == 0 {
		t.Fatalf("go list found no package of %s for %v", module, patterns)
	}
	return ours
}
