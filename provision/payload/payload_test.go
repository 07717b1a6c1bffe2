package payload

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func build(t *testing.T, name string, env ...string) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-o", out, source)
	cmd.Env = append(os.Environ(), append([]string{"CGO_ENABLED=0"}, env...)...)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return out
}

func TestOpen(t *testing.T) {
	path := build(t, "arm", "GOOS=linux", "GOARCH=arm64")
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
	f(build(t, "mac", "GOOS=darwin", "GOARCH=arm64"), "not a Linux binary")
	f(build(t, "riscv", "GOOS=linux", "GOARCH=riscv64"), "amd64 and arm64 are supported")
}

func TestArchOf(t *testing.T) {
	if got := ArchOf("x86_64") + ArchOf("aarch64") + ArchOf("armv7l"); got != "amd64arm64" {
		t.Errorf("got %q", got)
	}
}
