package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

func randomBytes(n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(data)
	return data
}

func TestUpload(t *testing.T) {
	f := func(noSFTP bool, size int) {
		t.Helper()
		_, conn := dialed(t, func(s *server) { s.noSFTP = noSFTP })
		data := randomBytes(size)
		path := filepath.Join(t.TempDir(), "it's here")
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		var last int64
		err := conn.Upload(context.Background(), bytes.NewReader(data), File{Path: path, Mode: 0o755, Size: int64(size), SHA256: sha256.Sum256(data),
			Progress: func(done, total int64) {
				if done < last || total != int64(size) {
					t.Errorf("progress from %d to %d of %d", last, done, total)
				}
				last = done
			}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes, %v: not what was sent", len(got), err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o755 {
			t.Errorf("%v %v", info.Mode(), err)
		}
		if last != int64(size) {
			t.Errorf("progress ended at %d", last)
		}
		wantFiles(t, filepath.Dir(path), "it's here")
	}
	f(false, 8<<20)
	f(true, 8<<20)
	f(false, 8<<20+1)
	f(false, 1)
	f(true, 0)
	f(false, 0)
}

// wantFiles checks that a directory holds exactly these.
func wantFiles(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(names) {
		t.Errorf("%s holds %v, want %q", dir, entries, names)
		return
	}
	for i, entry := range entries {
		if entry.Name() != names[i] {
			t.Errorf("%s holds %s, want %s", dir, entry.Name(), names[i])
		}
	}
}
