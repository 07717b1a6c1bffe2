package client

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func pixel(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestNewAttachment(t *testing.T) {
	f := func(name string, data []byte, want string) {
		t.Helper()
		got := ""
		a, err := NewAttachment(name, data)
		if err != nil {
			got = err.Error()
		} else {
			got = a.String()
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f("a.png", pixel(t), "a.png (image/png, ")
	f("a.pdf", append([]byte("%PDF-1.7\n"), make([]byte, 2000)...), "a.pdf (application/pdf, 1 KB)")
	f("a.txt", []byte("Grüße 世界"), "a.txt (text, 14 bytes)")
	f("a.html", []byte("<html><body>hi"), "a.html (text, ")
	f("a.svg", []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), "a.svg (text, ")
	f("empty", nil, "empty (text, 0 bytes)")
	f("a.zip", []byte("PK\x03\x04\xff\xfe"), "a.zip is application/zip, which cannot be asked about\nhint: ")
	f("nul", []byte("a\x00b"), "nul is ")
	f("huge", make([]byte, MaxAttachment+1), "huge is larger than 20 MB")
}

func TestReadAttachment(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "note.md")
	if err := os.WriteFile(file, []byte("# hi"), 0o600); err != nil {
		t.Fatal(err)
	}
	if a, err := ReadAttachment(file); err != nil || a.Name != "note.md" || string(a.Data) != "# hi" || a.Media != "" || a.IsImage() {
		t.Errorf("got %+v, %v", a, err)
	}
	for name, want := range map[string]string{dir: "is a folder", filepath.Join(dir, "none"): "no such file"} {
		if _, err := ReadAttachment(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
