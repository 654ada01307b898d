package config

// Secret is text that may hold a password. It prints as <secret>, in every way there is to print it.
type Secret struct{ text string }

// NewSecret makes a secret of text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal returns the text.
func (s Secret) Reveal() string { return s.text }

// IsZero reports whether nothing was given.
func (s Secret) IsZero() bool { return s.text == "" }

func (s Secret) String() string {
	if s.text == "" {
		return ""
	}
	return "<secret>"
}

// GoString is what %#v prints.
func (s Secret) GoString() string { return "config.Secret(" + s.String() + ")" }

// MarshalText is what encoders of JSON and others print.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML is what YAML prints.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }
