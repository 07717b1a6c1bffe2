package remote

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func openFolder(t *testing.T, conn *Conn, path string) *Folder {
	t.Helper()
	folder, err := conn.OpenFolder(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := folder.Close(); err != nil {
			t.Error(err)
		}
	})
	return folder
}

func TestFolder(t *testing.T) {
	_, conn := dialed(t, nil)
	dir := filepath.Join(t.TempDir(), "new", "backups")
	folder := openFolder(t, conn, dir)
	data := randomBytes(3 << 20)
	for _, text := range [][]byte{data[:10], data, nil} { // each in the place of the one before
		if err := folder.Put("x.age", bytes.NewReader(text), int64(len(text))); err != nil {
			t.Fatal(err)
		}
		wantFile(t, filepath.Join(dir, "x.age"), text)
	}
	if err := os.Mkdir(filepath.Join(dir, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	files, err := folder.List()
	if err != nil || len(files) != 1 || files[0].Name() != "x.age" {
		t.Errorf("it lists %v, %v", files, err)
	}
	if err := folder.Remove("x.age"); err != nil {
		t.Error(err)
	}
	if err := folder.Remove("x.age"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a second time: %v", err)
	}
}

// What is not whole never has the name, and nothing is left of it.
func TestFolder_half(t *testing.T) {
	_, conn := dialed(t, nil)
	dir := t.TempDir()
	folder := openFolder(t, conn, dir)
	if err := os.WriteFile(filepath.Join(dir, "x.age"), []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the source broke")
	err := folder.Put("x.age", io.MultiReader(bytes.NewReader(randomBytes(100_000)), brokenSource{broken}), 200_000)
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if err := folder.Put("x.age", strings.NewReader("short"), 6); err == nil || !strings.Contains(err.Error(), "the server has 5 of 6 bytes") {
		t.Errorf("got %v", err)
	}
	wantFile(t, filepath.Join(dir, "x.age"), []byte("before"))
	wantFiles(t, dir, "x.age")
}

type brokenSource struct{ err error }

func (b brokenSource) Read([]byte) (int, error) { return 0, b.err }

func TestFolder_refused(t *testing.T) {
	_, conn := dialed(t, func(s *server) { s.noSFTP = true })
	if _, err := conn.OpenFolder(t.Context(), "x"); err == nil {
		t.Error("a server without sftp has a folder")
	}
}

// A connection that is lost half-way is an error in bounded time.
func TestFolder_cut(t *testing.T) {
	s, conn := dialed(t, nil)
	dir := t.TempDir()
	folder, err := conn.OpenFolder(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	err = folder.Put("x.age", io.MultiReader(bytes.NewReader(randomBytes(100_000)), cutter{s}, bytes.NewReader(randomBytes(100_000))), 200_000)
	if err == nil {
		t.Error("a lost connection is no error")
	}
	if _, err := os.Stat(filepath.Join(dir, "x.age")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a file has the name: %v", err)
	}
	_ = folder.Close() // over a lost connection
}

// cutter cuts the server's connections when it is read.
type cutter struct{ s *server }

func (c cutter) Read([]byte) (int, error) {
	c.s.cut()
	return 0, io.EOF
}

func TestPublicKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	line, err := PublicKey(file, "gca-backup@tokyo")
	if err != nil || !strings.HasPrefix(line, "ssh-ed25519 AAAA") || !strings.HasSuffix(line, " gca-backup@tokyo") {
		t.Fatalf("%q, %v", line, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("the key is %v, %v", info, err)
	}
	if again, err := PublicKey(file, "gca-backup@tokyo"); err != nil || again != line {
		t.Errorf("again it is %q, %v", again, err)
	}
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := PublicKey(file, ""); err == nil || !strings.Contains(err.Error(), "hint: move it away") {
		t.Errorf("what is no key gives %v", err)
	}
}
