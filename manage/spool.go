package manage

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
)

// spool gathers what goes into an archive in one nameless file, so that each source is read once: what is hashed is what
// is stored, even while the service goes on writing.
type spool struct {
	file  *os.File
	at    int64
	files []ManifestFile
	start []int64
}

// newSpool makes a spool in dir. Its file has no name any more: nothing is left of it, however the process ends.
func newSpool(dir string) (*spool, error) {
	f, err := nameless(dir)
	if err != nil {
		return nil, err
	}
	return &spool{file: f}, nil
}

func (s *spool) close() error { return s.file.Close() }

// add takes what r holds. f's size and sum are filled in here.
func (s *spool) add(f ManifestFile, r io.Reader) error {
	limit := min(sizeLimit(f.Path), maxTotal-s.at)
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(s.file, sum), io.LimitReader(r, limit+1))
	if err != nil {
		return fmt.Errorf("cannot back up /%s: %w", f.Path, err)
	}
	if n > limit {
		return fmt.Errorf("cannot back up /%s: it is larger than the %d bytes that a backup has room for", f.Path, limit)
	}
	f.Size, f.SHA256 = n, hex.EncodeToString(sum.Sum(nil))
	s.files, s.start = append(s.files, f), append(s.start, s.at)
	s.at += n
	return nil
}

// section reads the i-th file again.
func (s *spool) section(i int) io.Reader {
	return io.NewSectionReader(s.file, s.start[i], s.files[i].Size)
}

// AtMost passes n bytes on to w; what would be more is an error. What a server sends is bounded by it.
func AtMost(w io.Writer, n int64) io.Writer { return &atMost{w, n, n} }

type atMost struct {
	w        io.Writer
	left, of int64
}

func (a *atMost) Write(p []byte) (int, error) {
	if int64(len(p)) > a.left {
		return 0, fmt.Errorf("there are more than the %d bytes that are expected", a.of)
	}
	n, err := a.w.Write(p)
	a.left -= int64(n)
	return n, err
}
