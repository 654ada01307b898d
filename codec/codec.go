package codec

// Codec turns Go values into the bytes of an event's body or metadata, and back. Implementations are stateless or
// immutable, and safe for concurrent use.
type Codec interface {
	// Name identifies the codec in configuration, metadata and errors: "json", "raw", "text".
	Name() string
	// JSON reports whether the encoded form is JSON, which the event store wants to know.
	JSON() bool
	// Encode appends the encoded form of v to dst.
	Encode(dst []byte, v any) ([]byte, error)
	// Decode stores what data holds in v, a non-nil pointer. It does not keep data, nor lets v alias it, unless its
	// documentation says so.
	Decode(data []byte, v any) error
}
