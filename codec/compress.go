package codec

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// DefaultMaxSize is how many bytes a compressed body may hold at most, in its uncompressed form, unless [MaxSize] says
// otherwise.
const DefaultMaxSize = 64 << 20

// ErrTooLarge means that a compressed body holds more than is allowed.
var ErrTooLarge = errors.New("uncompressed body is too large")

// CompressOption configures [Gzip] and [Zstd].
type CompressOption interface{ applyCompress(*compressed) }

// MaxSize limits the uncompressed size of a body in bytes, so that a small event cannot fill the memory. Defaults to
// [DefaultMaxSize].
type MaxSize int64

func (m MaxSize) applyCompress(c *compressed) { c.max = int64(m) }

// Gzip compresses what another codec encodes.
func Gzip(inner Codec, opts ...CompressOption) Codec {
	return newCompressed("gzip", inner, opts, gzipTo, func(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) })
}

// Zstd compresses what another codec encodes.
func Zstd(inner Codec, opts ...CompressOption) Codec {
	return newCompressed("zstd", inner, opts, zstdTo, func(r io.Reader) (io.ReadCloser, error) {
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	})
}

func gzipTo(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }

func zstdTo(w io.Writer) (io.WriteCloser, error) {
	return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
}

type compressed struct {
	name  string
	inner Codec
	max   int64
	to    func(io.Writer) (io.WriteCloser, error)
	from  func(io.Reader) (io.ReadCloser, error)
}

func newCompressed(name string, inner Codec, opts []CompressOption, to func(io.Writer) (io.WriteCloser, error), from func(io.Reader) (io.ReadCloser, error)) Codec {
	c := &compressed{name: name, inner: inner, max: DefaultMaxSize, to: to, from: from}
	for _, o := range opts {
		o.applyCompress(c)
	}
	return c
}

// Name is that of the inner codec with the compression behind it, such as "json+gzip".
func (c *compressed) Name() string { return c.inner.Name() + "+" + c.name }

func (c *compressed) JSON() bool { return false }

func (c *compressed) Encode(dst []byte, v any) ([]byte, error) {
	plain, err := c.inner.Encode(nil, v)
	if err != nil {
		return dst, err
	}
	buf := bytes.NewBuffer(dst)
	w, err := c.to(buf)
	if err == nil {
		_, err = w.Write(plain)
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		return dst, fmt.Errorf("%s: compress: %w", c.name, err)
	}
	return buf.Bytes(), nil
}

func (c *compressed) Decode(data []byte, v any) error {
	r, err := c.from(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	defer r.Close() //nolint:errcheck // everything was read
	plain, err := io.ReadAll(io.LimitReader(r, c.max+1))
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", c.name, err)
	case int64(len(plain)) > c.max:
		return fmt.Errorf("%s: %w: more than %d bytes", c.name, ErrTooLarge, c.max)
	}
	return c.inner.Decode(plain, v)
}
