// Package codec turns Go values into the bytes of an event's body or metadata, and back.
//
//	c := codec.JSON()
//	data, err := c.Encode(nil, PonyJumped{Name: "Applejack", Height: 0.6})
//	…
//	var body PonyJumped
//	err = c.Decode(data, &body)
//
// A [Registry] finds codecs by name, for configuration. Everything here is safe for concurrent use.
package codec
