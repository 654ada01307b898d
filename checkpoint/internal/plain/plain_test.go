package plain_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/photonpump/projector/checkpoint/internal/plain"
)

func TestText(t *testing.T) {
	t.Parallel()
	if got := plain.Text("a\x00b\xffc ä"); got != "a\uFFFDb\uFFFDc ä" {
		t.Errorf("%q", got)
	}
}

func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"", "pony-1", "a\x00", "\xff\xfe", `back\slash`, `\\`, `\00`, `\x00`, "ä\xc3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		escaped := plain.Escape(s)
		if !utf8.ValidString(escaped) || strings.Contains(escaped, "\x00") {
			t.Fatalf("%q is written as %q", s, escaped)
		}
		if got := plain.Unescape(escaped); got != s {
			t.Fatalf("%q came back as %q", s, got)
		}
	})
}

func TestEscapeIsInjective(t *testing.T) {
	t.Parallel()
	odd := rapid.StringOf(rapid.SampledFrom([]rune{'\\', 0, 'a', '0', 'f', 'x', '\uFFFD'}))
	rapid.Check(t, func(t *rapid.T) {
		a, b := odd.Draw(t, "a"), odd.Draw(t, "b")
		if a != b && plain.Escape(a) == plain.Escape(b) {
			t.Fatalf("%q and %q are both written as %q", a, b, plain.Escape(a))
		}
	})
}
