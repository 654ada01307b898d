package postgres

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/photonpump/projector/checkpoint"
)

// Option changes how a store works.
type Option interface{ apply(*config) }

type config struct {
	schema string
}

type schemaOption string

func (o schemaOption) apply(c *config) { c.schema = string(o) }

// WithSchema names the schema of all tables, the framework's own and the read models. [Store.Migrate] makes it if it
// does not exist. Defaults to public.
func WithSchema(name string) Option { return schemaOption(name) }

// maxIdentifier is the longest name in bytes that Postgres does not cut off.
const maxIdentifier = 63

func newConfig(opts []Option) (config, error) {
	c := config{schema: "public"}
	for _, opt := range opts {
		opt.apply(&c)
	}
	return c, checkIdentifier("schema", c.schema)
}

// checkIdentifier refuses names that Postgres would refuse, or cut off without a word.
func checkIdentifier(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: %s has no name", checkpoint.ErrInvalid, what)
	case len(name) > maxIdentifier:
		return fmt.Errorf("%w: %s %q: name has %d bytes, Postgres allows %d", checkpoint.ErrInvalid, what, name, len(name), maxIdentifier)
	case strings.IndexByte(name, 0) >= 0 || !utf8.ValidString(name):
		return fmt.Errorf("%w: %s %q: name must be UTF-8 without NUL", checkpoint.ErrInvalid, what, name)
	}
	return nil
}

// quote makes an SQL identifier of any name.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
