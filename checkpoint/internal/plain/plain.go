// Package plain makes any text one that every database can store.
package plain

import "strings"

// Text replaces what is not UTF-8, and NUL characters, by U+FFFD. Error texts may hold anything.
func Text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
