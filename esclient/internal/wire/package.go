package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// HeaderSize is what every package starts with: command, flags, correlation id.
const HeaderSize = 18

// lengthSize is the size of the length in front of every package.
const lengthSize = 4

// ErrMalformed is in the chain of every error about a package that is not one.
var ErrMalformed = errors.New("malformed package")

// Flags of a package. Those of servers are 0.
type Flags uint8

// The flags that mean anything.
const (
	FlagAuth         Flags = 0x01 // an auth block follows the header
	FlagTrustedWrite Flags = 0x02 // between nodes only
)

// Auth is what an auth block holds: login and password, or a token. The zero value is no auth block.
type Auth struct {
	Login    string
	Password string
	Token    string // JWT, from 20.6 on; excludes the others
}

// Limits of the auth block. Servers up to 5.x take logins and passwords of up to 255 bytes.
const (
	MaxCredential = 127
	MaxToken      = 32765
)

// IsZero reports whether a stands for no credentials.
func (a Auth) IsZero() bool { return a == Auth{} }

// Package is one frame without its length.
type Package struct {
	Command     Command
	Flags       Flags // FlagAuth is set by AppendPackage where Auth is not zero
	Correlation CorrelationID
	Auth        Auth
	Payload     []byte
}

// AppendPackage appends the whole frame of p, length included.
func AppendPackage(dst []byte, p *Package) []byte {
	dst, start := BeginFrame(dst, p.Command, p.Flags, p.Correlation, p.Auth)
	dst = append(dst, p.Payload...)
	return EndFrame(dst, start)
}

// BeginFrame appends everything of a frame that comes before the payload. The caller appends the payload and then calls
// EndFrame with the same start. It saves copying a payload that was encoded apart.
func BeginFrame(dst []byte, cmd Command, flags Flags, id CorrelationID, auth Auth) (frame []byte, start int) {
	start = len(dst)
	if !auth.IsZero() {
		flags |= FlagAuth
	}
	dst = append(dst, 0, 0, 0, 0, byte(cmd), byte(flags))
	dst = append(dst, id[:]...)
	if flags&FlagAuth != 0 {
		dst = appendAuth(dst, auth)
	}
	return dst, start
}

// EndFrame fills in the length of the frame that began at start.
func EndFrame(dst []byte, start int) []byte {
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start-lengthSize))
	return dst
}

func appendAuth(dst []byte, a Auth) []byte {
	if a.Token != "" {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(-int16(len(a.Token))))
		return append(dst, a.Token...)
	}
	dst = append(dst, byte(len(a.Login)))
	dst = append(dst, a.Login...)
	dst = append(dst, byte(len(a.Password)))
	return append(dst, a.Password...)
}

// Validate reports credentials that no auth block can hold.
func (a Auth) Validate() error {
	switch {
	case a.Token != "" && (a.Login != "" || a.Password != ""):
		return errors.New("credentials: a token excludes login and password")
	case len(a.Token) > MaxToken:
		return fmt.Errorf("credentials: token of %d bytes, at most %d fit", len(a.Token), MaxToken)
	case len(a.Login) > MaxCredential:
		return fmt.Errorf("credentials: login of %d bytes, at most %d fit", len(a.Login), MaxCredential)
	case len(a.Password) > MaxCredential:
		return fmt.Errorf("credentials: password of %d bytes, at most %d fit", len(a.Password), MaxCredential)
	}
	return nil
}

// ParsePackage reads a package, without the length in front. The payload aliases b. Errors are [ErrMalformed].
func ParsePackage(b []byte) (Package, error) {
	if len(b) < HeaderSize {
		return Package{}, fmt.Errorf("%w: %d bytes, the header alone has %d", ErrMalformed, len(b), HeaderSize)
	}
	p := Package{Command: Command(b[0]), Flags: Flags(b[1]), Correlation: CorrelationID(b[2:HeaderSize])}
	b = b[HeaderSize:]
	if p.Flags&FlagAuth != 0 {
		var err error
		if p.Auth, b, err = parseAuth(b); err != nil {
			return p, err
		}
	}
	p.Payload = b
	return p, nil
}

// parseAuth reads the token form where the first two bytes are a negative length that fits. The basic form cannot be
// mistaken for it unless the login starts with a byte outside ASCII and the payload is as long as that byte says.
func parseAuth(b []byte) (a Auth, rest []byte, err error) {
	if len(b) >= 2 {
		if n := -int(int16(binary.LittleEndian.Uint16(b))); n > 0 && n <= len(b)-2 {
			return Auth{Token: string(b[2 : 2+n])}, b[2+n:], nil
		}
	}
	login, b, ok := cutShort(b)
	if !ok {
		return a, nil, fmt.Errorf("%w: login of the auth block is cut off", ErrMalformed)
	}
	password, b, ok := cutShort(b)
	if !ok {
		return a, nil, fmt.Errorf("%w: password of the auth block is cut off", ErrMalformed)
	}
	return Auth{Login: string(login), Password: string(password)}, b, nil
}

// cutShort splits off a text with a length of one byte in front.
func cutShort(b []byte) (text, rest []byte, ok bool) {
	if len(b) == 0 || int(b[0]) > len(b)-1 {
		return nil, nil, false
	}
	n := 1 + int(b[0])
	return b[1:n], b[n:], true
}
