//go:build unix

package manage

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serverAt makes the files of a server under a folder.
func serverAt(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func gathered(t *testing.T, root string) (*Backup, error) {
	t.Helper()
	m := goodManifest()
	m.Files = nil
	return gather(t.Context(), root, t.TempDir(), m, BackupOptions{})
}

// What the service could plant in its folder, to have root read other people's files, is named and left out.
func TestGather_planted(t *testing.T) {
	root := serverAt(t, map[string]string{
		envPath: "PORT=8000\n", tokensPath: "", statePrefix + "state.db": "state", "etc/shadow": "root:secret",
		"var/lib/gca/tls/account.key": "key\n", "var/lib/gca/tls/adapter.example.com.pem": "chain and key\n", "var/lib/gca/tls/.gca-123": "half of one\n", "var/lib/gca/journal/open/journal": "not ours to keep\n",
		rootsPath: "roots\n", "etc/systemd/system/gemini-adapter.service": "[Unit]\n", "etc/nginx/nginx.conf": "not ours",
	})
	state := filepath.Join(root, statePrefix)
	must(t, os.Symlink(filepath.Join(root, "etc/shadow"), filepath.Join(state, "absolute")))
	must(t, os.Symlink("../../../etc/shadow", filepath.Join(state, "relative")))
	must(t, os.Symlink("state.db", filepath.Join(state, "inside")))
	must(t, os.Link(filepath.Join(root, "etc/shadow"), filepath.Join(state, "hard")))
	must(t, syscall.Mkfifo(filepath.Join(state, "pipe"), 0o600))
	must(t, os.Mkdir(filepath.Join(state, "folder"), 0o700))
	must(t, os.WriteFile(filepath.Join(state, "a\nb"), nil, 0o600))
	b, err := gathered(t, root)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range b.Manifest.Files {
		names = append(names, f.Path)
	}
	if want := []string{envPath, tokensPath, rootsPath, tlsPrefix + "account.key", tlsPrefix + "adapter.example.com.pem", statePrefix + "state.db", "etc/systemd/system/gemini-adapter.service"}; !slices.Equal(names, want) {
		t.Errorf("the backup holds %q, want %q", names, want)
	}
	var out []string
	for _, path := range b.LeftOut {
		out = append(out, strings.TrimPrefix(path, "/"+statePrefix))
	}
	if want := []string{`a\nb`, "absolute", "folder", "hard", "inside", "pipe", "relative"}; !slices.Equal(out, want) {
		t.Errorf("left out are %q, want %q", out, want)
	}
	var packed bytes.Buffer
	must(t, b.Write(&packed))
	a, err := ReadArchive(&packed, testVersion, nil)
	must(t, err)
	if text, ok := a.File(statePrefix + "state.db"); !ok || string(text) != "state" {
		t.Errorf("the state came back as %q", text)
	}
	must(t, b.Close())
}

// A server that lost its settings is what a restore is for, which first saves what there is.
func TestGather_torn(t *testing.T) {
	root := serverAt(t, map[string]string{keysPath: "one\n", statePrefix + "state.db": "state"})
	m := goodManifest()
	m.Files = nil
	b, err := gather(t.Context(), root, t.TempDir(), m, BackupOptions{Safety: true})
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	must(t, b.Write(&packed))
	a, err := ReadArchive(&packed, testVersion, nil)
	must(t, err)
	for name, want := range map[string]string{envPath: noSettings, keysPath: "one\n", statePrefix + "state.db": "state"} {
		if text, ok := a.File(name); !ok || string(text) != want {
			t.Errorf("%s came back as %q", name, text)
		}
	}
	must(t, b.Close())
}

func TestGather_refused(t *testing.T) {
	f := func(files map[string]string, plant func(root string) error, want string) {
		t.Helper()
		root := serverAt(t, files)
		must(t, plant(root))
		if _, err := gathered(t, root); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	nothing := func(string) error { return nil }
	f(nil, nothing, "/"+envPath)
	f(map[string]string{envPath: strings.Repeat("#", maxSetting+1)}, nothing, "larger than the 4194304 bytes")
	f(map[string]string{"etc/gemini-adapter/x": ""}, func(root string) error { return os.Symlink("x", filepath.Join(root, envPath)) }, "not a plain file")
	f(map[string]string{envPath: ""}, func(root string) error {
		if err := os.MkdirAll(filepath.Join(root, "var/lib"), 0o755); err != nil {
			return err
		}
		return os.Symlink("/etc", filepath.Join(root, "var/lib/gemini-adapter"))
	}, "gemini-adapter")
}

func TestSaveArchive(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x.tar.gz")
	good := goodArchive(t)
	write := func(text []byte, err error) func(io.Writer) error {
		return func(w io.Writer) error {
			_, writeErr := w.Write(text)
			return errors.Join(err, writeErr)
		}
	}
	nothingLeft := func(want string, err error) {
		t.Helper()
		left, readErr := os.ReadDir(dir)
		if err == nil || !strings.Contains(err.Error(), want) || readErr != nil || len(left) > 0 {
			t.Errorf("got %v, want %q; left are %v, %v", err, want, left, readErr)
		}
	}
	var a *Archive
	check := func(r io.Reader) (err error) {
		a, err = ReadArchive(r, testVersion, nil)
		return err
	}
	nothingLeft("the link broke", SaveArchive(file, write(good[:100], errors.New("the link broke")), check))
	nothingLeft("cannot be read back", SaveArchive(file, write(good[:100], nil), check))
	must(t, SaveArchive(file, write(good, nil), check))
	info, err := os.Stat(file)
	must(t, err)
	if info.Mode() != 0o600 || info.Size() != a.Size {
		t.Errorf("the archive has mode %s and %d bytes", info.Mode(), info.Size())
	}
	if err := SaveArchive(file, write(good, nil), check); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("a second one gives %v", err)
	}
	must(t, os.WriteFile(file+"2.part", nil, 0o600))
	if err := SaveArchive(file+"2", write(good, nil), check); err == nil || !strings.Contains(err.Error(), "another backup is being written, or was cut short\nhint: rm ") {
		t.Errorf("beside a half one: %v", err)
	}
	if _, err := os.Stat(file + "2.part"); err != nil {
		t.Errorf("somebody else's half backup is gone: %v", err)
	}
}

// What came to have the name while the backup was written is not replaced.
func TestSaveArchive_late(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.tar.gz")
	good := goodArchive(t)
	err := SaveArchive(file, func(w io.Writer) error {
		must(t, os.WriteFile(file, []byte("somebody else's"), 0o600))
		_, err := w.Write(good)
		return err
	}, func(io.Reader) error { return nil })
	text, readErr := os.ReadFile(file)
	if err == nil || !strings.Contains(err.Error(), "is there already") || readErr != nil || string(text) != "somebody else's" {
		t.Errorf("got %v; there is %q, %v", err, text, readErr)
	}
	if _, err := os.Lstat(file + ".part"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a half backup is left: %v", err)
	}
}

// A log that was rotated away after it was listed is no reason to fail.
func TestCollector_passing(t *testing.T) {
	top, err := os.OpenRoot(serverAt(t, map[string]string{"var/log/nginx/access.log": ""}))
	must(t, err)
	dir, err := top.OpenRoot("var/log/nginx")
	must(t, err)
	c := &collector{root: top}
	if err := c.passing(dir, "access.log.2.gz", nginxLogPath+"access.log.2.gz"); err != nil || len(c.leftOut) > 0 {
		t.Errorf("got %v, left out %q", err, c.leftOut)
	}
	must(t, errors.Join(dir.Close(), top.Close()))
}

func TestAtMost(t *testing.T) {
	var out bytes.Buffer
	w := AtMost(&out, 5)
	for _, text := range []string{"abc", "de"} {
		if n, err := io.WriteString(w, text); n != len(text) || err != nil {
			t.Errorf("%s: %d, %v", text, n, err)
		}
	}
	if _, err := io.WriteString(w, "f"); err == nil || out.String() != "abcde" {
		t.Errorf("got %q, %v", &out, err)
	}
}

func TestArchiveName(t *testing.T) {
	made := time.Date(2026, 11, 23, 2, 14, 0, 0, time.FixedZone("", 3600))
	f := func(host, want string) {
		t.Helper()
		if got := ArchiveName(host, made); got != want {
			t.Errorf("%s: got %s, want %s", host, got, want)
		}
	}
	f("tokyo", "gca-tokyo-20261123T011400Z.tar.gz")
	f("2001:db8::1", "gca-2001-db8--1-20261123T011400Z.tar.gz")
	f("../x y", "gca-..-x-y-20261123T011400Z.tar.gz")
	f(strings.Repeat("h", 99), "gca-"+strings.Repeat("h", 64)+"-20261123T011400Z.tar.gz")
}
