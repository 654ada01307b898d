package config

import (
	"strings"
	"testing"
)

// FuzzSQLTokens: no text makes the lexer fail in any other way than with an error, and what it returns is the whole text.
func FuzzSQLTokens(f *testing.F) {
	for _, seed := range append([]string{`INSERT INTO "a""b" VALUES (:x, 'it''s', E'\'', $$;$$, [y], 1.5::int) -- c`, "WITH a AS (SELECT 1) DELETE FROM b /* /* */ */"}, hostile...) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, d := range []dialect{dialectSQLite, dialectPostgres} {
			tokens, err := d.tokens(text)
			if err != nil {
				continue
			}
			var b strings.Builder
			for _, token := range tokens {
				b.WriteString(token.raw)
			}
			if b.String() != text {
				t.Errorf("%s: %q becomes %q", d, text, b.String())
			}
			statements, err := d.statements(text)
			if err != nil {
				continue
			}
			for _, s := range statements {
				again, err := d.tokens(s.plain)
				if err != nil {
					t.Errorf("%s: %q: %v", d, s.plain, err)
				}
				for _, token := range again {
					if token.kind == sqlSign && token.text == ";" {
						t.Errorf("%s: %q holds two statements", d, s.plain)
					}
				}
			}
		}
	})
}
