package payload

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// code is a Linux binary with so many bytes that nothing can make smaller.
func code(t testing.TB, size int, seed uint64) []byte {
	t.Helper()
	head, err := os.ReadFile(elfFile(t, elf.EM_X86_64))
	if err != nil {
		t.Fatal(err)
	}
	body := make([]byte, size)
	if _, err := rand.NewChaCha8([32]byte{byte(seed)}).Read(body); err != nil {
		t.Fatal(err)
	}
	return append(head, body...)
}

func filed(t testing.TB, text []byte) Payload {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gca")
	if err := os.WriteFile(path, text, 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := fromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// apply is ApplyPatch with a patch in a folder of its own; the folder holds the new binary alone, or nothing.
func apply(t testing.TB, old Payload, patch []byte) ([]byte, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, PatchFile), patch, 0o600); err != nil {
		t.Fatal(err)
	}
	applied := ApplyPatch(old.Name, dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if applied != nil {
		if len(entries) > 0 {
			t.Errorf("%v, and %s is left", applied, entries[0].Name())
		}
		return nil, applied
	}
	text, err := os.ReadFile(filepath.Join(dir, "gca"))
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "gca")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	return text, nil
}

// What moved a little costs little, whichever way the binary grew, and comes out as it was.
func TestPatch(t *testing.T) {
	old := code(t, 9<<20, 1)
	f := func(what string, text []byte, most int) {
		t.Helper()
		before, after := filed(t, old), filed(t, text)
		patch, err := MakePatch(before, after)
		if err != nil {
			t.Fatal(err)
		}
		if len(patch) > most {
			t.Errorf("%s: the patch has %d bytes, more than %d", what, len(patch), most)
		}
		if got, err := apply(t, before, patch); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: %d bytes, %v", what, len(got), err)
		}
	}
	const little = 20 << 10
	f("the same", old, little)
	f("a change", bytes.Replace(old, old[5<<20:5<<20+100], []byte("another text, which is shorter"), 1), little)
	f("code in the middle", append(append(bytes.Clone(old[:3<<20]), code(t, 10<<10, 2)...), old[3<<20:]...), little)
	f("shorter", append(bytes.Clone(old[:4<<20]), old[4<<20+200<<10:]...), little)
	f("much shorter", old[:1<<20], little)
	f("longer by half", append(bytes.Clone(old), old[:4<<20]...), 5<<20)
	f("another one", code(t, 5<<20, 3), 6<<20)
	f("of no size", old[:64], little)
}

func TestApplyPatch_refuses(t *testing.T) {
	old := filed(t, code(t, 3<<20, 1))
	patch, err := MakePatch(old, filed(t, code(t, 3<<20, 2)))
	if err != nil {
		t.Fatal(err)
	}
	f := func(what string, base Payload, patch []byte, want string) {
		t.Helper()
		if _, err := apply(t, base, patch); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	f("another base", filed(t, code(t, 3<<20, 9)), patch, "for another release")
	f("cut short", old, patch[:len(patch)-1], "cannot be applied at byte 2097152")
	f("empty", old, nil, "no patch")
	f("text", old, []byte("<html>\n"), "no patch that this gca can read")
	f("no line end", old, bytes.Repeat([]byte("{"), 1<<20), "no patch")
	f("more", old, append(bytes.Clone(patch), 0), "the patch has no end")
	f("another size", old, bytes.Replace(patch, []byte(`"size":3`), []byte(`"size":2`), 1), "cannot be applied")
	f("huge", old, bytes.Replace(patch, []byte(`"size":3`), []byte(`"size":999993`), 1), "no patch")
	f("another sum", old, bytes.Replace(patch, []byte(`"to":"`), []byte(`"to":"0`), 1), "made another binary")
	head := bytes.IndexByte(patch, '\n') + 1
	f("a long frame", old, binary.BigEndian.AppendUint32(bytes.Clone(patch[:head]), 1<<31), "a frame of 2147483648 bytes")
	damaged := bytes.Clone(patch)
	damaged[head+1000]++
	f("damaged", old, damaged, "")
}

func TestMakePatch_isDeterministic(t *testing.T) {
	old, text := filed(t, code(t, 3<<20, 1)), filed(t, code(t, 3<<20, 1)[:2<<20])
	one, err := MakePatch(old, text)
	if err != nil {
		t.Fatal(err)
	}
	if two, err := MakePatch(old, text); err != nil || !bytes.Equal(one, two) {
		t.Errorf("two patches of %d and %d bytes differ, %v", len(one), len(two), err)
	}
}

// A patch may be anything: it costs bounded memory, and gives the right binary or an error.
func FuzzApplyPatch(f *testing.F) {
	dir := f.TempDir()
	old := filepath.Join(dir, "old")
	text := code(f, 1<<10, 1)
	if err := os.WriteFile(old, text, 0o600); err != nil {
		f.Fatal(err)
	}
	before := filed(f, text)
	after := filed(f, append(bytes.Clone(text[:500]), "new"...))
	patch, err := MakePatch(before, after)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(patch)
	f.Add(patch[:bytes.IndexByte(patch, '\n')+1])
	f.Fuzz(func(t *testing.T, patch []byte) {
		base, err := os.Open(old)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = base.Close() }()
		var out bytes.Buffer
		if err := applyPatch(base, io.LimitReader(bytes.NewReader(patch), 1<<20), &out); err == nil {
			header, err := readHeader(bytes.NewReader(patch))
			if err != nil || sumOf(out.Bytes()) != header.To {
				t.Errorf("it made %d bytes, %+v, %v", out.Len(), header, err)
			}
		}
	})
}
