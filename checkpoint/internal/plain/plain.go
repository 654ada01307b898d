// Package plain makes any text one that every database can store.
package plain

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Text replaces what is not UTF-8, and NUL characters, by U+FFFD. Error texts may hold anything.
func Text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// Escape writes what text cannot hold, and backslashes, with a backslash before: names and keys come from events and
// may hold anything, and must come back as they were. Other text stays as it is.
func Escape(s string) string {
	if utf8.ValidString(s) && !strings.ContainsAny(s, "\x00\\") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r == 0 || r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\%02x`, s[i])
		default:
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	return b.String()
}

// Unescape is the inverse of [Escape].
func Unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b []byte
	for i := 0; i < len(s); i++ {
		var code byte
		switch {
		case s[i] != '\\':
			b = append(b, s[i])
		case strings.HasPrefix(s[i:], `\\`):
			b = append(b, '\\')
			i++
		default:
			if n, _ := fmt.Sscanf(s[i:], `\%02x`, &code); n == 1 {
				b = append(b, code)
				i += 2
			} else {
				b = append(b, '\\')
			}
		}
	}
	return string(b)
}
