// Package payload finds the gca binary that a server can run: the running one if the platform is the same, or a file that
// was built for it.
package payload

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
)

// Payload is a binary to send.
type Payload struct {
	Path   string
	Arch   string // Go's name: amd64, arm64
	SHA256 string // lower-case hex
	Size   int64  // bytes
}

// ErrNone is what Open returns when the running binary is not a Linux one and no other was given.
var ErrNone = errors.New("this gca was built for " + runtime.GOOS + "/" + runtime.GOARCH + " and cannot run on a Linux server" +
	"\nhint: GOOS=linux GOARCH=amd64 CGO_ENABLED=0 go build -o gca-linux-amd64 ./cmd/gca, then gca deploy --binary gca-linux-amd64 …")

// Open reads the binary at path, or the running one when path is "".
func Open(path string) (Payload, error) {
	if path == "" {
		if runtime.GOOS != "linux" {
			return Payload{}, ErrNone
		}
		self, err := os.Executable()
		if err != nil {
			return Payload{}, fmt.Errorf("cannot find the running binary: %w", err)
		}
		path = self
	}
	f, err := os.Open(path)
	if err != nil {
		return Payload{}, fmt.Errorf("cannot read the binary to send: %w", err)
	}
	p, err := read(f)
	p.Path = path
	if err = errors.Join(err, f.Close()); err != nil {
		return Payload{}, fmt.Errorf("cannot send %s: %w", path, err)
	}
	return p, nil
}

func read(f *os.File) (Payload, error) {
	arch, err := platform(f)
	if err != nil {
		return Payload{}, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return Payload{}, err
	}
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	return Payload{Arch: arch, SHA256: hex.EncodeToString(sum.Sum(nil)), Size: size}, err
}

// platform tells the architecture of a Linux binary that needs no shared library.
func platform(r io.ReaderAt) (string, error) {
	file, err := elf.NewFile(r)
	if err != nil {
		return "", errors.New("it is not a Linux binary")
	}
	if file.Class != elf.ELFCLASS64 {
		return "", errors.New("it is not a 64-bit binary")
	}
	for _, prog := range file.Progs {
		if prog.Type == elf.PT_INTERP {
			return "", errors.New("it needs shared libraries that a server may lack\nhint: build it with CGO_ENABLED=0")
		}
	}
	switch file.Machine {
	case elf.EM_X86_64:
		return "amd64", nil
	case elf.EM_AARCH64:
		return "arm64", nil
	}
	return "", fmt.Errorf("it is for %s; servers of amd64 and arm64 are supported", file.Machine)
}

// ArchOf translates `uname -m`. The answer is "" for what no payload can run on.
func ArchOf(uname string) string {
	switch uname {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	}
	return ""
}
