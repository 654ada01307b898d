package jsonl

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

// MaxLine is the longest line in bytes. The event store refuses events of more than 16 MiB.
const MaxLine = 32 << 20

// Reader reads the lines of one file. It is used by one goroutine at a time.
type Reader struct {
	name   string
	file   *os.File
	lines  *bufio.Scanner
	digest hash.Hash
	number int
	err    error
}

// Open opens a file, plain or compressed with gzip, whatever its path is. Errors call it name.
func Open(path, name string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	content, err := uncompressed(bufio.NewReaderSize(f, 256<<10))
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r := &Reader{name: name, file: f, digest: sha256.New()}
	r.lines = bufio.NewScanner(io.TeeReader(content, r.digest))
	r.lines.Buffer(make([]byte, 0, 256<<10), MaxLine)
	return r, nil
}

func uncompressed(r *bufio.Reader) (io.Reader, error) {
	if magic, err := r.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		return gzip.NewReader(r)
	}
	return r, nil
}

// Next returns the next line. Errors are [io.EOF], an *[Error], or that of reading the file, and repeat.
func (r *Reader) Next() (Line, error) {
	for r.err == nil {
		if !r.lines.Scan() {
			r.err = r.scanError()
			break
		}
		r.number++
		text := r.lines.Bytes()
		if r.number == 1 {
			text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
		}
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		l, column, err := parse(text)
		if err != nil {
			r.err = &Error{File: r.name, Line: r.number, Column: column, Err: err}
			break
		}
		l.Number = r.number
		return l, nil
	}
	return Line{}, r.err
}

func (r *Reader) scanError() error {
	switch err := r.lines.Err(); {
	case err == nil:
		return io.EOF
	case errors.Is(err, bufio.ErrTooLong):
		return &Error{File: r.name, Line: r.number + 1, Err: fmt.Errorf("longer than %d MiB", MaxLine>>20)}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{File: r.name, Line: r.number + 1, Err: errors.New("the compressed file ends in the middle")}
	default:
		return &Error{File: r.name, Line: r.number + 1, Err: err}
	}
}

// Digest identifies the uncompressed content of the file. It is complete once Next has returned [io.EOF].
func (r *Reader) Digest() Digest { return Digest(r.digest.Sum(nil)) }

// Close closes the file.
func (r *Reader) Close() error { return r.file.Close() }
