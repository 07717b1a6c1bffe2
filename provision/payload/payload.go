// Package payload has the gca binaries that servers can run: those that a release carries with it, the running one if it is
// for Linux, or a file that was built for it. It also makes and applies what an upgrade sends in place of a whole binary.
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
	Name   string // in words, where it is from
	Arch   string // Go's name: amd64, arm64
	SHA256 string // lower-case hex
	Size   int64  // bytes

	open func() (io.ReadCloser, error)
}

// Open reads the binary. What was read is the payload only if its sum is.
func (p Payload) Open() (io.ReadCloser, error) { return p.open() }

// Set is what can be sent, one for each architecture at most.
type Set []Payload

// For is the payload of an architecture.
func (s Set) For(arch string) (Payload, bool) {
	for _, p := range s {
		if p.Arch == arch {
			return p, true
		}
	}
	return Payload{}, false
}

// All is the binary in a file, or without one what this gca carries: nothing, where it was built from source and does not run
// on Linux.
func All(file string) (Set, error) {
	if file != "" {
		p, err := fromFile(file)
		return Set{p}, err
	}
	carried, err := Carried()
	if err != nil || len(carried) > 0 || runtime.GOOS != "linux" {
		return carried, err
	}
	self, err := Self()
	return Set{self}, err
}

// Carried are the binaries that a release has with it; one that is built from source has none.
func Carried() (Set, error) { return carried(embedded()) }

// Self is the running binary. It must be a Linux one.
func Self() (Payload, error) {
	self, err := os.Executable()
	if err != nil {
		return Payload{}, fmt.Errorf("cannot find the running binary: %w", err)
	}
	return fromFile(self)
}

// BuildCommand is what to type, in a checkout, to build a binary for an architecture.
func BuildCommand(arch string) string { return buildCommand(runtime.GOOS, arch) }

func buildCommand(laptop, arch string) string {
	build := "go build -trimpath -o gca-linux-" + arch + " ./cmd/gca"
	if laptop == "windows" { // PowerShell
		return `$env:GOOS="linux"; $env:GOARCH="` + arch + `"; $env:CGO_ENABLED="0"; ` + build
	}
	return "GOOS=linux GOARCH=" + arch + " CGO_ENABLED=0 " + build
}

func fromFile(path string) (Payload, error) {
	f, err := os.Open(path)
	if err != nil {
		return Payload{}, fmt.Errorf("cannot read the binary to send: %w", err)
	}
	p, err := read(f)
	p.Name = path
	p.open = func() (io.ReadCloser, error) { return os.Open(path) }
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
