package payload

import (
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// What a release carries is what was packed, and nothing else.
func TestCarried(t *testing.T) {
	dir := t.TempDir()
	carriedDir := filepath.Join(dir, "carried")
	amd, arm := elfFile(t, elf.EM_X86_64), elfFile(t, elf.EM_AARCH64)
	for _, file := range []string{arm, amd, amd} { // the same again takes its own place
		if _, err := Pack(carriedDir, file); err != nil {
			t.Fatal(err)
		}
	}
	set, err := carried(os.DirFS(dir))
	if err != nil || len(set) != 2 {
		t.Fatalf("%+v, %v", set, err)
	}
	for arch, file := range map[string]string{"amd64": amd, "arm64": arm} {
		p, ok := set.For(arch)
		built, err := fromFile(file)
		if !ok || err != nil || p.SHA256 != built.SHA256 || p.Size != built.Size {
			t.Errorf("%s: %+v, built %+v, %v", arch, p, built, err)
		}
		if _, err := whole(p); err != nil {
			t.Error(err)
		}
	}
	if _, err := Pack(carriedDir, "/bin/sh"); err == nil {
		t.Error("a binary with shared libraries was packed")
	}
}

func TestCarried_damaged(t *testing.T) {
	packed, err := Pack(t.TempDir(), elfFile(t, elf.EM_X86_64))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(packed)
	if err != nil {
		t.Fatal(err)
	}
	f := func(name string, text []byte, want string) {
		t.Helper()
		set, err := carried(fstest.MapFS{"carried/" + name: {Data: text}})
		if err == nil {
			_, err = set[0].Open()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	name := filepath.Base(packed)
	f(name, text[:len(text)/2], "hint: install gca anew")
	f(strings.Replace(name, "-64-", "-65-", 1), text, "64 bytes came out, not 65")
	f(strings.Replace(name, "-64-", "-63-", 1), text, "cannot unpack")
	f(name[:len(name)-10]+"000000.zst", text, "it is damaged")
	f("linux-mips-1-x.zst", text, "BUG")
}
