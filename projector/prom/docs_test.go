package prom_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/photonpump/projector/projector/prom"
)

// Every metric is in the documents with its labels, and every metric in the documents is exported.
func TestDocuments(t *testing.T) {
	t.Parallel()
	var want []string
	descs := make(chan *prometheus.Desc)
	go func() { prom.New().Describe(descs); close(descs) }() // ends with Describe
	text := regexp.MustCompile(`fqName: "(\w+)".*variableLabels: \{([^}]*)\}`)
	for d := range descs {
		m := text.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("a metric is described as %s", d)
		}
		labels := strings.Split(m[2], ",")
		if labels[0] != "projection" {
			t.Errorf("the first label of %s is %q", m[1], labels[0])
		}
		want = append(want, strings.Join(append([]string{m[1]}, labels[1:]...), " "))
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, listed(t, "../../docs/metrics.md", regexp.MustCompile("(?m)^\\| `(projector_\\w+)` \\|([^|]*)\\|"))); diff != "" {
		t.Errorf("docs/metrics.md (-exported +documented):\n%s", diff)
	}
	names := make([]string, len(want))
	for i, w := range want {
		names[i], _, _ = strings.Cut(w, " ")
	}
	if diff := cmp.Diff(names, listed(t, "doc.go", regexp.MustCompile(`(?m)^//\t(projector_\w+)()`))); diff != "" {
		t.Errorf("doc.go (-exported +documented):\n%s", diff)
	}
}

// listed returns the metrics that a document lists, with their labels, in order.
func listed(t *testing.T, file string, entry *regexp.Regexp) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, m := range entry.FindAllStringSubmatch(string(data), -1) {
		labels := strings.Fields(strings.NewReplacer("`", "", ",", "").Replace(m[2]))
		found = append(found, strings.Join(append([]string{m[1]}, labels...), " "))
	}
	slices.Sort(found)
	return found
}
