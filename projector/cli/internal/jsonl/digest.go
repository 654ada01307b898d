package jsonl

import (
	"crypto/sha256"
	"fmt"

	"github.com/google/uuid"
)

// Digest is the SHA-256 of the uncompressed content of a file.
type Digest [sha256.Size]byte

// EventID is the id of the event on a line that has none: a UUID of version 5 whose name is the digest in hexadecimal, a
// colon and the number of the line, in the namespace that is itself version 5 of the project's URL.
func (d Digest) EventID(line int) uuid.UUID {
	namespace := uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://github.com/photonpump/projector"))
	return uuid.NewSHA1(namespace, fmt.Appendf(nil, "%x:%d", d, line))
}
