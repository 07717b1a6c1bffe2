package payload

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/klauspost/compress/zstd"
)

// A binary that a release carries is a file whose name tells what it is, so that nothing has to be unpacked to know.
var carriedName = regexp.MustCompile(`^linux-(amd64|arm64)-([0-9]{1,12})-([0-9a-f]{64})\.zst$`)

const maxBinary = 256 << 20 // bytes of a binary that is unpacked

// carried are the binaries in a release's own file system.
func carried(fsys fs.FS) (Set, error) {
	names, err := fs.Glob(fsys, "carried/linux-*.zst")
	if err != nil {
		return nil, err
	}
	var set Set
	for _, name := range names {
		p, err := named(filepath.Base(name))
		if err != nil {
			return nil, err
		}
		p.open = opener(fsys, name, p)
		set = append(set, p)
	}
	return set, nil
}

func named(file string) (Payload, error) {
	m := carriedName.FindStringSubmatch(file)
	if m == nil {
		return Payload{}, fmt.Errorf("BUG: this gca carries %q", file)
	}
	size, err := strconv.ParseInt(m[2], 10, 64)
	if err != nil || size > maxBinary {
		return Payload{}, fmt.Errorf("BUG: this gca carries %q: %w", file, err)
	}
	return Payload{Name: "the gca for linux/" + m[1] + " that this one carries", Arch: m[1], Size: size, SHA256: m[3]}, nil
}

// carriedFile is the name of a compressed binary.
func carriedFile(p Payload) string {
	return fmt.Sprintf("linux-%s-%d-%s.zst", p.Arch, p.Size, p.SHA256)
}

func opener(fsys fs.FS, name string, p Payload) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return unpack(fsys, name, p) }
}

// unpack returns the whole binary, or an error: a release that was damaged on its way must not be sent.
func unpack(fsys fs.FS, name string, p Payload) (io.ReadCloser, error) {
	packed, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	binary, err := decompress(packed, p.Size)
	if err == nil && sumOf(binary) != p.SHA256 {
		err = errors.New("it is damaged")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot unpack %s: %w\nhint: install gca anew", p.Name, err)
	}
	return io.NopCloser(bytes.NewReader(binary)), nil
}

// decompress unpacks to exactly size bytes.
func decompress(packed []byte, size int64) ([]byte, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(uint64(max(size, patchMemory))), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	binary, err := d.DecodeAll(packed, make([]byte, 0, size))
	if err == nil && int64(len(binary)) != size {
		err = fmt.Errorf("%d bytes came out, not %d", len(binary), size)
	}
	return binary, err
}

func compress(binary []byte, level zstd.EncoderLevel) ([]byte, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return e.EncodeAll(binary, nil), e.Close()
}

// Pack compresses a Linux binary into dir, as a release carries it. What it has for that architecture goes.
func Pack(dir, file string) (packed string, err error) {
	p, err := fromFile(file)
	if err != nil {
		return "", err
	}
	binary, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if sumOf(binary) != p.SHA256 {
		return "", fmt.Errorf("%s changes while it is read", file)
	}
	small, err := compress(binary, zstd.SpeedBestCompression)
	if err != nil {
		return "", err
	}
	old, err := filepath.Glob(filepath.Join(dir, "linux-"+p.Arch+"-*.zst"))
	for _, name := range old {
		err = errors.Join(err, os.Remove(name))
	}
	if err = errors.Join(err, os.MkdirAll(dir, 0o755)); err != nil {
		return "", err
	}
	packed = filepath.Join(dir, carriedFile(p))
	return packed, os.WriteFile(packed, small, 0o644)
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
