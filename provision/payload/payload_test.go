package payload

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// elfFile writes the start of a 64-bit little-endian ELF file for machine, without any program in it: a static binary's shape.
func elfFile(t testing.TB, machine elf.Machine) string {
	t.Helper()
	header := elf.Header64{Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT), Ehsize: 64}
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, header); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "gca")
	if err := os.WriteFile(path, b.Bytes(), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAll(t *testing.T) {
	path := elfFile(t, elf.EM_AARCH64)
	set, err := All(path)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := set.For("arm64")
	if !ok || got.Name != path || got.SHA256 != fmt.Sprintf("%x", sha256.Sum256(content)) || got.Size != int64(len(content)) {
		t.Errorf("got %+v", got)
	}
	if text, err := whole(got); err != nil || !bytes.Equal(text, content) {
		t.Errorf("%q, %v", text, err)
	}
	if p, ok := set.For("amd64"); ok {
		t.Errorf("for amd64 there is %+v", p)
	}
}

func TestAll_refuses(t *testing.T) {
	f := func(path, want string) {
		t.Helper()
		if _, err := All(path); err == nil || !strings.Contains(err.Error(), want) {
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
	f(elfFile(t, elf.EM_RISCV), "amd64 and arm64 are supported")
}

func TestArchOf(t *testing.T) {
	if got := ArchOf("x86_64") + ArchOf("aarch64") + ArchOf("armv7l"); got != "amd64arm64" {
		t.Errorf("got %q", got)
	}
}

func TestBuildCommand(t *testing.T) {
	f := func(laptop, want string) {
		t.Helper()
		if got := buildCommand(laptop, "arm64"); got != want {
			t.Errorf("%s: %s", laptop, got)
		}
	}
	f("darwin", "GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go build -trimpath -o gca-linux-arm64 ./cmd/gca")
	f("windows", `$env:GOOS="linux"; $env:GOARCH="arm64"; $env:CGO_ENABLED="0"; go build -trimpath -o gca-linux-arm64 ./cmd/gca`)
}
