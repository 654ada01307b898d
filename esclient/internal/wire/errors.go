package wire

import "errors"

// ErrBody is in the chain of every error about a payload that is not the message it should be.
var ErrBody = errors.New("invalid message")
