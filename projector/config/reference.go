package config

import (
	"fmt"
	"strings"
)

// Reference returns the reference of the file as Markdown: every key with its type, default and meaning.
func Reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	section(&b, "", Describe(), 2)
	return strings.TrimRight(b.String(), "\n") + "\n"
}

const referenceHead = `# projector.yaml

Every key of the file. It is made from what the program checks files with, so it is complete.

` + "`${VAR}`" + ` in addresses, paths and URLs is replaced by the environment variable, which must be set, and
` + "`${file:PATH}`" + ` by the content of a file, as secrets are often given; ` + "`$${`" + ` is a plain
` + "`${`" + `. Keys at the top that begin with ` + "`x-`" + ` are free for YAML anchors. Where a list is wanted, one item may stand for a
list of one.

An *expression* is written in the language of <https://expr-lang.org/docs/language-definition> (without ` + "`now`" + `: an event
must give the same row whenever it is handled). It may use:

| name | what it is |
|---|---|
| ` + "`body`" + ` | the event's body; numbers without a fraction are exact integers |
| ` + "`event`" + ` | ` + "`id`, `type`, `stream`, `category`, `number`, `created`, `position`" + ` of the event |
| ` + "`metadata`" + ` | the event's metadata |
| ` + "`row`, `exists`" + ` | the row as it was before the rule, and whether it existed; not in keys |
| ` + "`item`" + ` | the element of the list, with ` + "`each`" + ` |
| names of ` + "`lookup`" + ` | rows of other tables as they were before the event; nothing if there is no such row |

` + "`fail('why')`" + ` makes the event one that cannot be handled, for the reason given: ` + "`row.state == 'open' ? 'closed' : fail('not open')`" + `.

A field that may be missing within another that may be missing is written ` + "`body.address?.city`" + `; a value for what is
missing, ` + "`body.n ?? 0`" + `. In ` + "`{…}` and `[…]`" + `, YAML wants quotes around expressions with ` + "`?`, `:` or a comma" + `.

Column types are ` + "`text`, `int` (64 bits), `float` (64 bits), `decimal` (exact), `bool`, `time` (UTC, microseconds), `uuid`, `bytes`, `json`" + `,
and ` + "`list of`" + ` each of them. They mean the same in every database. A ` + "`decimal`" + ` keeps
all digits of a number where the expression is a path in the body, ` + "`body.price` or `body.price ?? 0`" + `, and in ` + "`increment`, `max`" + ` and
` + "`min`" + `; what expressions themselves compute are ints and floats of 64 bits. A value that a column cannot hold is an error of that event.

`

// section writes the keys of an object, and then those of the objects in it.
func section(b *strings.Builder, path string, d *Description, level int) {
	if path != "" {
		fmt.Fprintf(b, "%s %s\n\n", strings.Repeat("#", min(level, 6)), path)
	}
	b.WriteString("| key | value | default | |\n|---|---|---|---|\n")
	for _, f := range d.Fields {
		name := "`" + f.Name + "`"
		if f.Required {
			name += " (required)"
		}
		fallback := ""
		if f.Default != "" {
			fallback = "`" + f.Default + "`"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", name, words(f.Value), fallback, strings.ReplaceAll(f.Doc, "|", `\|`))
	}
	b.WriteString("\n")
	for _, f := range d.Fields {
		at := f.Name
		if path != "" {
			at = path + "." + f.Name
		}
		inner(b, at, f.Value, level+1)
	}
}

// inner writes the sections of the objects within a value.
func inner(b *strings.Builder, path string, d *Description, level int) {
	switch d.Type {
	case KindObject:
		section(b, path, d, level)
	case KindMapping:
		inner(b, path+".*", d.Item, level)
	case KindList, KindRows:
		inner(b, path+"[]", d.Item, level)
	case KindOr:
		for _, or := range d.Or {
			inner(b, path, or, level)
		}
	}
}

// words says what a value may be.
func words(d *Description) string {
	switch d.Type {
	case KindList, KindRows:
		return "list of " + words(d.Item)
	case KindMapping:
		return "mapping: " + d.Doc + " to " + words(d.Item)
	case KindObject:
		return "mapping, see below"
	case KindColumnType:
		return "column type"
	case KindBody:
		return "types of fields"
	case KindOr:
		all := make([]string, len(d.Or))
		for i, or := range d.Or {
			all[i] = words(or)
		}
		return strings.Join(all, ", or ")
	}
	if len(d.Values) > 0 {
		return "`" + strings.Join(d.Values, "`, `") + "`"
	}
	return string(d.Type)
}
