package table

import (
	"strings"
	"testing"
)

func TestPrint(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	bold := func(s string) string { return "<" + s + ">" }
	err := Print(&b, [][]Cell{
		Text("NAME", "N", "WHY"),
		{{Text: "é", Paint: bold}, Number("10"), {Text: "x"}},
		{{Text: "longer"}, {Text: "1,000", Right: true, Paint: bold}, {}},
	})
	want := "NAME        N  WHY\n" +
		"<é>          10  x\n" +
		"longer  <1,000>\n"
	if got := b.String(); err != nil || got != want {
		t.Errorf("got\n%s\nwant\n%s, %v", got, want, err)
	}
}
