package config

import (
	"strings"
	"testing"

	"github.com/photonpump/projector/checkpoint"
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

// Rows of one definition are those that another one wants only if it adds columns that no rule changes.
func TestFingerprintAllowsAdditions(t *testing.T) {
	t.Parallel()
	built := fingerprintOf(t, plainFile)
	column := func(add string) string { return strings.Replace(plainFile, "m: float}", "m: float, "+add+"}", 1) }
	for name, test := range map[string]struct {
		text string
		same bool
	}{
		"a column":                  {column("more: text"), true},
		"a column with a default":   {column("more: {type: int, default: 7, not_null: true}"), true},
		"two columns":               {column("more: text, most: json"), true},
		"an index":                  {strings.Replace(plainFile, "[n]", "[n, m]", 1), true},
		"a column that is changed":  {strings.Replace(column("more: text"), "{m: body.m}", "{m: body.m}, set: {more: body.m}", 1), false},
		"a column and another rule": {strings.Replace(column("more: text"), "n>1", "n>2", 1), false},
		"a column of the key":       {strings.Replace(strings.Replace(column("c: int"), "[a, b]", "[a, b, c]", 1), "body.b]", "body.b, body.c]", 1), false},
		"a column taken away":       {strings.Replace(strings.Replace(plainFile, ", m: float", "", 1), ", max: {m: body.m}", "", 1), false},
	} {
		if got := checkpoint.SameRows(built, fingerprintOf(t, test.text)); got != test.same {
			t.Errorf("%s: got %t", name, got)
		}
	}
	seven := fingerprintOf(t, column("more: {type: int, default: 7}"))
	for _, text := range []string{plainFile, column("more: {type: int, default: 8}"), column("more: int"), column("most: {type: int, default: 7}")} {
		if checkpoint.SameRows(seven, fingerprintOf(t, text)) {
			t.Errorf("rows with 7 in each are those of\n%s", text)
		}
	}
	whole := strings.Replace(plainFile, "set: {n: 1}", "", 1)
	whole = strings.Replace(whole, "{m: body.m}", "{m: len(toJSON(row))}", 1)
	if checkpoint.SameRows(fingerprintOf(t, whole), fingerprintOf(t, strings.Replace(whole, "m: float}", "m: float, more: text}", 1))) {
		t.Error("a rule that uses all of the row does not see another column")
	}
}
