package payload

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	binpkg "encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// binary writes the start of a 64-bit little-endian ELF file for machine, without any program in it: a static binary's shape.
func binary(t *testing.T, machine elf.Machine) string {
	t.Helper()
	header := elf.Header64{Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT), Ehsize: 64}
	var b bytes.Buffer
	if err := binpkg.Write(&b, binpkg.LittleEndian, header); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "gca")
	if err := os.WriteFile(path, b.Bytes(), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpen(t *testing.T) {
	path := binary(t, elf.EM_AARCH64)
	got, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := Payload{Path: path, Arch: "arm64", SHA256: fmt.Sprintf("%x", sha256.Sum256(content)), Size: int64(len(content))}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestOpen_refuses(t *testing.T) {
	f := func(path, want string) {
		t.Helper()
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	f(text, "not a Linux binary")
	f(filepath.Join(t.TempDir(), "absent"), "no such file")
	f("/bin/sh", "shared libraries")
	f(binary(t, elf.EM_RISCV), "amd64 and arm64 are supported")
}

func TestArchOf(t *testing.T) {
	if got := ArchOf("x86_64") + ArchOf("aarch64") + ArchOf("armv7l"); got != "amd64arm64" {
		t.Errorf("got %q", got)
	}
}
