package payload

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

// A patch makes a release out of another one. It is a line of JSON, the header, and then a zstd frame for each block of the new
// binary, behind its length (4 bytes, big-endian). The dictionary of a frame is what the old binary has around the same place,
// for a small change of source moves code a little and leaves it alone otherwise. So whoever applies a patch needs no more
// memory than a few blocks, whatever the size of the binary.
const (
	patchProto  = 1
	patchBlock  = 2 << 20 // bytes
	patchMargin = 1 << 20 // of the dictionary, before and behind the place
	patchDict   = 1       // id of every dictionary
	patchMemory = 16 << 20
	maxFrame    = patchBlock + patchBlock/16
	maxHeader   = 1 << 10
)

// PatchFile is the name of a patch in the folder of the release that it makes.
const PatchFile = "gca.patch"

type patchHeader struct {
	Proto int    `json:"gca_patch"`
	From  string `json:"from"` // SHA-256 of the old binary, lower-case hex
	To    string `json:"to"`   // SHA-256 of the new binary
	Size  int64  `json:"size"` // of the new binary, in bytes
}

// MakePatch makes the patch that turns the old binary into the new one. The same binaries give the same bytes.
func MakePatch(old, new Payload) ([]byte, error) {
	before, err := whole(old)
	if err != nil {
		return nil, err
	}
	after, err := whole(new)
	if err != nil {
		return nil, err
	}
	header, err := json.Marshal(patchHeader{patchProto, old.SHA256, new.SHA256, new.Size})
	if err != nil {
		return nil, err
	}
	patch := append(header, '\n')
	for at := int64(0); at < new.Size; at += patchBlock {
		frame, err := packBlock(before[dictStart(at, old.Size):dictEnd(at, old.Size)], after[at:min(at+patchBlock, new.Size)])
		if err != nil {
			return nil, err
		}
		patch = binary.BigEndian.AppendUint32(patch, uint32(len(frame)))
		patch = append(patch, frame...)
	}
	return patch, nil
}

// dictStart and dictEnd bound the dictionary of the block that begins at a place.
func dictStart(at, size int64) int64 { return min(max(0, at-patchMargin), size) }
func dictEnd(at, size int64) int64   { return min(at+patchBlock+patchMargin, size) }

func packBlock(dict, block []byte) ([]byte, error) {
	// At the other levels the encoder hardly looks into its dictionary.
	options := []zstd.EOption{zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1)}
	if len(dict) > 0 {
		options = append(options, zstd.WithEncoderDictRaw(patchDict, dict))
	}
	e, err := zstd.NewWriter(nil, options...)
	if err != nil {
		return nil, err
	}
	return e.EncodeAll(block, nil), e.Close()
}

func whole(p Payload) ([]byte, error) {
	r, err := p.Open()
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(r, maxBinary))
	if err == nil && sumOf(text) != p.SHA256 {
		err = fmt.Errorf("%s is not what it was a moment ago", p.Name)
	}
	return text, errors.Join(err, r.Close())
}

// ApplyPatch turns the binary old into the one that the patch in dir makes of it, and puts it into dir as gca, whole or not at
// all. The patch is removed.
func ApplyPatch(old, dir string) (err error) {
	file := filepath.Join(dir, PatchFile)
	patch, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, patch.Close(), os.Remove(file)) }()
	base, err := os.Open(old)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, base.Close()) }()
	out, err := os.CreateTemp(dir, ".gca-*")
	if err != nil {
		return err
	}
	err = applyPatch(base, patch, out)
	if err = errors.Join(err, out.Chmod(0o755), out.Sync(), out.Close()); err == nil {
		err = os.Rename(out.Name(), filepath.Join(dir, "gca"))
	}
	if err != nil {
		return errors.Join(err, os.Remove(out.Name()))
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// applyPatch writes the new binary to out. What was written is of use only where there is no error.
func applyPatch(base *os.File, patch io.Reader, out io.Writer) error {
	header, err := readHeader(patch)
	if err != nil {
		return err
	}
	old, err := read(base)
	if err != nil {
		return err
	}
	if old.SHA256 != header.From {
		return errors.New("the patch is for another release than the one that is here")
	}
	sum := sha256.New()
	for at := int64(0); at < header.Size; at += patchBlock {
		block, err := readBlock(base, old.Size, patch, at, min(patchBlock, header.Size-at))
		if err != nil {
			return fmt.Errorf("the patch cannot be applied at byte %d: %w", at, err)
		}
		if _, err := io.MultiWriter(out, sum).Write(block); err != nil {
			return err
		}
	}
	if _, err := patch.Read(make([]byte, 1)); err != io.EOF {
		return errors.New("the patch has no end")
	}
	if hex.EncodeToString(sum.Sum(nil)) != header.To {
		return errors.New("the patch made another binary than it was to")
	}
	return nil
}

// readHeader reads the first line, byte by byte, since what follows it is not text.
func readHeader(r io.Reader) (h patchHeader, err error) {
	var line []byte
	for one := make([]byte, 1); !bytes.HasSuffix(line, []byte("\n")); {
		if _, err := io.ReadFull(r, one); err != nil || len(line) == maxHeader {
			return h, errors.New("this is no patch")
		}
		line = append(line, one...)
	}
	if json.Unmarshal(line, &h) != nil || h.Proto != patchProto || h.Size < 0 || h.Size > maxBinary {
		return h, errors.New("this is no patch that this gca can read")
	}
	return h, nil
}

func readBlock(base io.ReaderAt, size int64, patch io.Reader, at, want int64) ([]byte, error) {
	var length uint32
	if err := binary.Read(patch, binary.BigEndian, &length); err != nil {
		return nil, err
	}
	if length > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes", length)
	}
	frame := make([]byte, length)
	if _, err := io.ReadFull(patch, frame); err != nil {
		return nil, err
	}
	dict := make([]byte, max(0, dictEnd(at, size)-dictStart(at, size)))
	if _, err := base.ReadAt(dict, dictStart(at, size)); err != nil && (err != io.EOF || len(dict) > 0) {
		return nil, err
	}
	return unpackBlock(dict, frame, want)
}

func unpackBlock(dict, frame []byte, want int64) ([]byte, error) {
	options := []zstd.DOption{zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(patchMemory)}
	if len(dict) > 0 {
		options = append(options, zstd.WithDecoderDictRaw(patchDict, dict))
	}
	d, err := zstd.NewReader(nil, options...)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	block, err := d.DecodeAll(frame, make([]byte, 0, want))
	if err == nil && int64(len(block)) != want {
		err = fmt.Errorf("%d bytes came out, not %d", len(block), want)
	}
	return block, err
}
