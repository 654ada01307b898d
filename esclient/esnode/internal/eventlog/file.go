package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

const (
	fileName   = "events.log"
	lockName   = "lock"
	headerSize = 64
	magic      = "esnodelog\x00\x00\x01" // the last three bytes are the version of the format
)

// file is storage in a file, behind its header.
type file struct {
	f     *os.File
	lock  *flock.Flock
	size  int64 // where the next byte goes
	dirty bool  // there is something that was not synced
}

func (f *file) ReadAt(p []byte, off int64) (int, error) { return f.f.ReadAt(p, off) }

func (f *file) Sync() error {
	err := f.f.Sync()
	f.dirty = err != nil
	return err
}

func (f *file) Append(p []byte) error {
	if _, err := f.f.WriteAt(p, f.size); err != nil {
		return err
	}
	f.size += int64(len(p))
	f.dirty = true
	return nil
}

func (f *file) Close() error {
	var err error
	if f.dirty {
		err = f.f.Sync()
	}
	return errors.Join(err, f.f.Close(), f.lock.Unlock())
}

// openDir opens or makes the log in opts.Dir and rebuilds the index.
func (l *Log) openDir() (err error) {
	dir := l.opts.Dir
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	lock := flock.New(filepath.Join(dir, lockName))
	got, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("lock log in %s: %w", dir, err)
	}
	if !got {
		return fmt.Errorf("open log in %s: %w", dir, ErrLocked)
	}
	f, err := os.OpenFile(filepath.Join(dir, fileName), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return errors.Join(fmt.Errorf("open log: %w", err), lock.Unlock())
	}
	store := &file{f: f, lock: lock}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), lock.Unlock())
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	if info.Size() < headerSize {
		if err := writeHeader(f, dir); err != nil {
			return fmt.Errorf("make log in %s: %w", dir, err)
		}
	} else if err := checkHeader(f); err != nil {
		return err
	}
	store.size = max(info.Size(), headerSize)
	l.store = store
	return l.recover(store)
}

// header returns the first bytes of a log file: what it is, an id of its own, a checksum.
func newHeader() []byte {
	h := make([]byte, headerSize)
	copy(h, magic)
	id := newID()
	copy(h[16:], id[:])
	binary.LittleEndian.PutUint32(h[headerSize-4:], crc32.Checksum(h[:headerSize-4], castagnoli))
	return h
}

func writeHeader(f *os.File, dir string) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	if _, err := f.WriteAt(newHeader(), 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a new file in dir survive a power cut, where the system can do that.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrInvalid) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

func checkHeader(f *os.File) error {
	h := make([]byte, headerSize)
	if _, err := f.ReadAt(h, 0); err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	if string(h[:9]) != magic[:9] {
		return &CorruptError{Path: f.Name(), Reason: "the file does not begin like a log"}
	}
	if string(h[9:12]) != magic[9:] {
		return fmt.Errorf("open %s: version %d of the format is not known", f.Name(), h[11])
	}
	if crc32.Checksum(h[:headerSize-4], castagnoli) != binary.LittleEndian.Uint32(h[headerSize-4:]) {
		return &CorruptError{Path: f.Name(), Reason: "checksum mismatch in the header"}
	}
	return nil
}
