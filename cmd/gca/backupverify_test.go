package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/proxy/store"
)

// file is one of an archive.
type file struct {
	path string
	text []byte
}

// archiveOf writes an archive of files by hand, as a server of this release would.
func archiveOf(t testing.TB, files ...file) string {
	t.Helper()
	m := manage.Manifest{Schema: 1, GCA: version, Release: version + "-abcdef012345", Host: "tokyo", Created: time.Date(2026, 11, 23, 2, 14, 0, 0, time.UTC)}
	for _, f := range files {
		sum := sha256.Sum256(f.text)
		m.Files = append(m.Files, manage.ManifestFile{Path: f.path, Mode: 0o600, User: "root", Group: "root", Size: int64(len(f.text)), SHA256: hex.EncodeToString(sum[:])})
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	packed := gzip.NewWriter(&out)
	w := tar.NewWriter(packed)
	for _, f := range append([]file{{"manifest.json", text}}, files...) {
		head := tar.Header{Name: f.path, Mode: 0o600, Size: int64(len(f.text)), Format: tar.FormatUSTAR}
		if f.path != "manifest.json" {
			head.Uname, head.Gname = "root", "root"
		}
		if err := w.WriteHeader(&head); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.text); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(t.TempDir(), "adapter.tar.gz")
	if err := errors.Join(w.Close(), packed.Close(), os.WriteFile(name, out.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	return name
}

// stateOf is a database with that usage.
func stateOf(t testing.TB, rows ...store.Usage) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	s := store.OpenSQLite(path, store.DefaultLimits(), slog.New(slog.DiscardHandler))
	if err := errors.Join(s.AddUsage(rows), s.Close()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestBackupVerify(t *testing.T) {
	gca := buildOnce(t)
	const etc, state = "etc/gemini-adapter/", "var/lib/gemini-adapter/"
	env, keys, tokens := file{etc + "adapter.env", []byte("HOST=127.0.0.1\n")}, file{etc + "keys", []byte("key-one-1111\nkey-two-2222\n")}, file{etc + "tokens", []byte("sha256:" + hexOf("token") + " name=ann\n")}
	db := stateOf(t, store.Usage{Day: "2026-11-22", Token: "ann", Requests: 3}, store.Usage{Day: "2026-11-23", Token: "ann", Requests: 4})
	f := func(code int, want string, files ...file) {
		t.Helper()
		cmd := exec.Command(gca, "backup", "verify", archiveOf(t, files...))
		cmd.Env = []string{"HOME=" + t.TempDir(), "GEMINI_API_KEYS=of-whoever-runs-this", "MAX_BODY=nonsense"}
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if cmd.ProcessState.ExitCode() != code {
			t.Errorf("exit code %d, want %d\n%s", cmd.ProcessState.ExitCode(), code, out)
		}
		wantText(t, string(out), want)
	}
	before := scratchFolders(t)
	f(exitOK, "an adapter starts with it: 2 keys, 1 token, usage of 2 days with 7 requests", env, keys, tokens, file{state + "state.db", db})
	f(exitOK, "an adapter starts with it: 2 keys, 1 token, usage of 0 days with 0 requests", env, keys, tokens)
	f(exitOK, "2 keys, 0 tokens", env, keys)
	// What the service's folder holds is no setting, whatever it is called.
	f(exitOK, "2 keys, 1 token", env, keys, tokens, file{state + "adapter.env", []byte("PORT=nonsense\n")}, file{state + "state.db", db})
	f(exitRefused, `PORT="x": expected a whole number`, file{etc + "adapter.env", []byte("PORT=x\n")}, keys, tokens)
	f(exitRefused, "no adapter starts with it: HOST=0.0.0.0 lets others connect", file{etc + "adapter.env", []byte("HOST=0.0.0.0\n")}, keys)
	f(exitRefused, "its state is not sound", env, keys, tokens, file{state + "state.db", []byte("usage of a year")})
	torn := bytes.Clone(db)
	copy(torn[4096:], bytes.Repeat([]byte{0x5a}, len(torn)))
	f(exitRefused, "its state is not sound", env, keys, tokens, file{state + "state.db", torn})
	if left := scratchFolders(t); left > before {
		t.Errorf("%d scratch folders are left", left-before)
	}
}

func hexOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// scratchFolders counts those that lie about.
func scratchFolders(t *testing.T) int {
	t.Helper()
	found := 0
	for _, dir := range []string{memoryFolder, os.TempDir()} {
		names, err := filepath.Glob(filepath.Join(dir, "gca-verify-*"))
		if err != nil {
			t.Fatal(err)
		}
		found += len(names)
	}
	return found
}
