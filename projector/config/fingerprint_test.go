package config

import (
	"strings"
	"testing"
)

const plainFile = `
projections:
  p:
    source: {stream: s}
    key: [body.a, body.b]
    table:
      columns: {a: text, b: int, n: int, m: float}
      primary_key: [a, b]
      indexes: [n]
    on:
      x: {when: body.n>1 and not exists, increment: {n: 1}, max: {m: body.m}}
      y: {delete: true}
`

func fingerprintOf(t *testing.T, text string) string {
	t.Helper()
	cfg, err := Parse("f.yml", []byte(text), environment)
	if err != nil {
		t.Fatal(err)
	}
	return cfg.Projections[0].Fingerprint()
}

// What gives the same rows has the same fingerprint, however it is written.
func TestFingerprintStays(t *testing.T) {
	t.Parallel()
	want := fingerprintOf(t, plainFile)
	for name, text := range map[string]string{
		"comments": "# more\n" + strings.ReplaceAll(plainFile, "on:", "on: # something"),
		"order and form": `
x-columns: &columns {m: {type: float}, n: int, b: int, a: {type: text, not_null: true}}
projections:
  p:
    on:
      "y":
        - delete: true
      x:
        max:
          m: "body.m"
        increment:
          n: 1
        when: |
          body.n > 1 and
            (not exists)
    table:
      primary_key: [a, b]
      columns: *columns
    key:
      - body.a
      - body["b"]
    source:
      stream: s
`,
		"how it is run": plainFile + "    batch: {size: 7}\n    retry: {attempts: 9}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := fingerprintOf(t, text); got != want {
				t.Errorf("%s, not %s", got, want)
			}
		})
	}
}

func TestFingerprintOfSeveralTables(t *testing.T) {
	t.Parallel()
	head := "projections:\n  p:\n    source: {stream: s}\n    key: body.a\n    tables:\n"
	a := "      a: {columns: {k: text, n: int}, primary_key: k, on: {x: {increment: {n: 1}}}}\n"
	b := "      b: {columns: {k: text, n: int}, primary_key: k, on: {x: {increment: {n: 1}}}}\n"
	if fingerprintOf(t, head+a+b) != fingerprintOf(t, head+b+a) {
		t.Error("the order of tables makes a difference")
	}
}

// What gives other rows has another fingerprint.
func TestFingerprintChanges(t *testing.T) {
	t.Parallel()
	seen := map[string]string{fingerprintOf(t, plainFile): "as it was"}
	for _, change := range [][2]string{
		{"n: int", "n: decimal"},
		{"n: int", "n: {type: int, default: 5}"},
		{"n: int", "n: {type: int, not_null: true}"},
		{"[body.a, body.b]", "[body.a, body.c]"},
		{"primary_key: [a, b]", "primary_key: [b, a]"},
		{"n>1", "n>2"},
		{"increment: {n: 1}", "increment: {n: 2}"},
		{"increment: {n: 1}", "set: {n: 1}"},
		{"max:", "min:"},
		{"y: {", "z: {"},
		{"      y: {delete: true}\n", ""},
	} {
		text := strings.Replace(plainFile, change[0], change[1], 1)
		if change[0] == "primary_key: [a, b]" {
			text = strings.Replace(text, "[body.a, body.b]", "[body.b, body.a]", 1)
		}
		got := fingerprintOf(t, text)
		if before, taken := seen[got]; taken {
			t.Errorf("%v makes no difference to: %s", change, before)
		}
		seen[got] = change[1]
	}
}
