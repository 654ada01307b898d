// Package docs checks that what the documents show works: every command is run, every YAML block is loaded.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/photonpump/projector/projector/cli"
	"github.com/photonpump/projector/projector/config"
)

const root = "../.."

// asProjector is the environment variable that makes this test binary the projector command.
const asProjector = "PROJECTOR_DOCS_TEST_IS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asProjector) != "" {
		cli.Main()
	}
	goleak.VerifyTestMain(m)
}

// block is a fenced block of a document.
type block struct {
	language string
	text     string
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocksOf returns the blocks of a document in their order.
func blocksOf(t *testing.T, document string) []block {
	t.Helper()
	var blocks []block
	for _, m := range regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$").FindAllStringSubmatch(read(t, document), -1) {
		blocks = append(blocks, block{language: m[1], text: m[2]})
	}
	return blocks
}

// documents returns the paths of all documents but the README, which has a test of its own.
func documents(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(paths) < 3 {
		t.Fatalf("documents: %v, %v", paths, err)
	}
	for i, p := range paths {
		paths[i] = filepath.ToSlash(strings.TrimPrefix(p, filepath.FromSlash(root)+string(filepath.Separator)))
	}
	return paths
}

// Blocks are tested by what they are written in, so each must say what that is.
func TestBlocksAreOfKnownLanguages(t *testing.T) {
	t.Parallel()
	for _, document := range documents(t) {
		for _, b := range blocksOf(t, document) {
			switch b.language {
			case "console", "yaml":
			case "sh":
				if document != "docs/cli.md" { // which is made from the examples that projector/cli checks
					t.Errorf("%s has a %s block that nothing tests", document, b.language)
				}
			case "go", "python":
				if document != "docs/from-photonpump.md" { // whose Go is taken from examples that run
					t.Errorf("%s has a %s block that nothing tests", document, b.language)
				}
			default:
				t.Errorf("%s: a block is in %q, which nothing tests:\n%s", document, b.language, b.text)
			}
		}
	}
}

// A YAML block is a part of an example, whose tests run elsewhere, or describes projections by itself.
func TestYAML(t *testing.T) {
	t.Parallel()
	examples := exampleFiles(t)
	for _, document := range documents(t) {
		for _, b := range blocksOf(t, document) {
			if b.language != "yaml" || isIn(b.text, examples) {
				continue
			}
			if document == "docs/cookbook.md" {
				t.Errorf("%s shows what is not in a file of examples/cookbook:\n%s", document, b.text)
				continue
			}
			cfg, err := config.Parse(document, []byte(b.text), os.LookupEnv)
			if err != nil {
				t.Errorf("%s: %v", document, err)
			} else if len(cfg.Projections) == 0 {
				t.Errorf("%s: a YAML block describes no projections:\n%s", document, b.text)
			}
		}
	}
}

func exampleFiles(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "examples", "cookbook", "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("examples: %v, %v", paths, err)
	}
	files := map[string]string{}
	for _, p := range paths {
		files[filepath.Base(p)] = read(t, "examples/cookbook/"+filepath.Base(p))
	}
	return files
}

func isIn(text string, files map[string]string) bool {
	for _, f := range files {
		if strings.Contains(f, text) {
			return true
		}
	}
	return false
}

// The cookbook has a section for each of its files, with its YAML.
func TestCookbookIsComplete(t *testing.T) {
	t.Parallel()
	sections := strings.Split(read(t, "docs/cookbook.md"), "\n## ")
	for name, file := range exampleFiles(t) {
		found := false
		for _, section := range sections {
			if !strings.Contains(section, "(../examples/cookbook/"+name+")") {
				continue
			}
			found = true
			_, shown, ok := strings.Cut(section, "```yaml\n")
			shown, _, _ = strings.Cut(shown, "```")
			if !ok || !strings.Contains(file, shown) {
				t.Errorf("docs/cookbook.md does not show the YAML of %s", name)
			}
		}
		if !found {
			t.Errorf("docs/cookbook.md has no section for %s", name)
		}
	}
}

// Each test that a document names as its proof exists.
func TestProofsExist(t *testing.T) {
	t.Parallel()
	proofs := regexp.MustCompile("`([a-z0-9/]+)\\.(Test\\w+)`").FindAllStringSubmatch(read(t, "docs/guarantees.md"), -1)
	if len(proofs) < 10 {
		t.Fatalf("docs/guarantees.md names only %d tests", len(proofs))
	}
	for _, m := range proofs {
		files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(m[1]), "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			found = found || strings.Contains(string(text), "\nfunc "+m[2]+"(t *testing.T)")
		}
		if !found {
			t.Errorf("docs/guarantees.md names %s.%s, which does not exist", m[1], m[2])
		}
	}
}

// Each link to a file of this repository leads to one.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, document := range append(documents(t), "README.md") {
		for _, m := range regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`).FindAllStringSubmatch(read(t, document), -1) {
			target := filepath.Join(root, filepath.Dir(filepath.FromSlash(document)), filepath.FromSlash(m[1]))
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", document, m[1], err)
			}
		}
	}
}
