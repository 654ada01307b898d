package cli

import (
	"regexp"
	"slices"
	"strings"
)

// typeFilter reports whether a type is one of the patterns, in which * stands for anything. Without patterns every type is.
func typeFilter(patterns []string) func(eventType string) bool {
	var all []*regexp.Regexp
	for _, p := range patterns {
		parts := strings.Split(p, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		all = append(all, regexp.MustCompile(`(?s)\A`+strings.Join(parts, ".*")+`\z`))
	}
	return func(eventType string) bool {
		return len(all) == 0 || slices.ContainsFunc(all, func(r *regexp.Regexp) bool { return r.MatchString(eventType) })
	}
}
