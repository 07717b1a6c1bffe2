package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/pkg/sftp"
)

func randomBytes(n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(data)
	return data
}

func fileOf(path string, data []byte) File {
	return File{Path: path, Mode: 0o644, Size: int64(len(data)), SHA256: sha256.Sum256(data)}
}

func TestUpload(t *testing.T) {
	f := func(noSFTP bool, data []byte) {
		t.Helper()
		_, conn := dialed(t, func(s *server) { s.noSFTP = noSFTP })
		path := filepath.Join(t.TempDir(), "it's here")
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		last, whole := int64(-1), int64(0)
		file := fileOf(path, data)
		file.Mode = 0o755
		file.Progress = func(done, total int64) {
			if done < last || done > total {
				t.Errorf("progress from %d to %d of %d", last, done, total)
			}
			last, whole = done, total
		}
		if err := conn.Upload(context.Background(), bytes.NewReader(data), file); err != nil {
			t.Fatal(err)
		}
		wantFile(t, path, data)
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o755 {
			t.Errorf("%v %v", info.Mode(), err)
		}
		if last != whole || whole == 0 {
			t.Errorf("progress ended at %d of %d", last, whole)
		}
		wantFiles(t, filepath.Dir(path), "it's here")
	}
	zeros := make([]byte, 8<<20)
	for _, noSFTP := range []bool{false, true} {
		f(noSFTP, randomBytes(8<<20))
		f(noSFTP, randomBytes(8<<20+1))
		f(noSFTP, zeros)
		f(noSFTP, []byte("x"))
		f(noSFTP, nil)
	}
}

func wantFile(t *testing.T, path string, data []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%s: %d bytes, %v: not what was sent", path, len(got), err)
	}
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

// The folders are made, for everybody to pass through; what has arrived is root's alone.
func TestUpload_Folders(t *testing.T) {
	_, conn := dialed(t, nil)
	dir := t.TempDir()
	data := randomBytes(100_000)
	file := fileOf(dir+"/a/b/file", data)
	file.Progress = func(done, _ int64) {
		if info, err := os.Stat(file.part()); err != nil || info.Mode() != 0o600 {
			t.Errorf("after %d bytes: %v, %v", done, info, err)
		}
	}
	if err := conn.Upload(context.Background(), bytes.NewReader(data), file); err != nil {
		t.Fatal(err)
	}
	wantFile(t, file.Path, data)
	wantFiles(t, dir+"/a/b", "file")
	for _, made := range []string{"a", "a/b"} {
		if info, err := os.Stat(filepath.Join(dir, made)); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%s: %v %v", made, info, err)
		}
	}
}

func TestUpload_BySFTP(t *testing.T) {
	s, conn := dialed(t, nil)
	var served atomic.Bool
	s.sftp = func(ch io.ReadWriteCloser) {
		files, err := sftp.NewServer(ch)
		if err != nil {
			t.Error(err)
			return
		}
		served.Store(true)
		_ = files.Serve() // ends with the channel
	}
	path := filepath.Join(t.TempDir(), "file")
	data := randomBytes(100_000)
	if err := conn.Upload(context.Background(), bytes.NewReader(data), fileOf(path, data)); err != nil {
		t.Fatal(err)
	}
	if _, _, commands := s.seen(); !served.Load() || len(commands) != 2 { // how to be root, and the keeper
		t.Errorf("by sftp: %v, with %d commands", served.Load(), len(commands))
	}
}

// An sftp server that cannot do it is no reason to give up.
func TestUpload_SickSFTP(t *testing.T) {
	s, conn := dialed(t, nil)
	s.sftp = func(ch io.ReadWriteCloser) {
		files := sftp.NewRequestServer(ch, sftp.Handlers{FilePut: sickDisk{}, FileCmd: sickDisk{}})
		_ = files.Serve() // ends with the channel
	}
	path := filepath.Join(t.TempDir(), "file")
	data := randomBytes(8 << 20)
	last := int64(0)
	file := fileOf(path, data)
	file.Progress = func(done, _ int64) {
		if done < last {
			t.Errorf("progress from %d to %d", last, done)
		}
		last = done
	}
	if err := conn.Upload(context.Background(), bytes.NewReader(data), file); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, data)
	wantFiles(t, filepath.Dir(path), "file")
}

// sickDisk takes the first half.
type sickDisk struct{}

func (sickDisk) Filewrite(*sftp.Request) (io.WriterAt, error) { return sickDisk{}, nil }

func (sickDisk) Filecmd(*sftp.Request) error { return nil }

func (sickDisk) WriteAt(p []byte, off int64) (int, error) {
	if off > 4<<20 {
		return 0, errors.New("sick")
	}
	return len(p), nil
}

// A binary that somebody has open for writing cannot be run.
func TestUpload_CanBeRunAtOnce(t *testing.T) {
	for _, noSFTP := range []bool{false, true} {
		_, conn := dialed(t, func(s *server) { s.noSFTP = noSFTP })
		data, err := os.ReadFile("/bin/true")
		if err != nil {
			t.Fatal(err)
		}
		file := fileOf(filepath.Join(t.TempDir(), "true"), data)
		file.Mode = 0o755
		if err := conn.Upload(context.Background(), bytes.NewReader(data), file); err != nil {
			t.Fatal(err)
		}
		if err := conn.Run(context.Background(), Cmd{Line: "exec " + Quote(file.Path)}); err != nil {
			t.Error(err)
		}
	}
}

// Whatever goes wrong, what was there stays; and nothing is left beside it that has no use.
func TestUpload_Fails(t *testing.T) {
	data := randomBytes(1 << 20)
	broken := errors.New("broken")
	f := func(noSFTP bool, source io.Reader, file File, check func(error)) {
		t.Helper()
		_, conn := dialed(t, func(s *server) { s.noSFTP = noSFTP })
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "file"), []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		file.Path = dir + file.Path
		check(conn.Upload(context.Background(), source, file))
		wantFiles(t, dir, "file")
		wantFile(t, filepath.Join(dir, "file"), []byte("old"))
	}
	other := func(err error) {
		t.Helper()
		wantError(t, err, KindRemote, "cannot upload 1048576 bytes", "/file", "not what was announced", "run the command again")
	}
	for _, noSFTP := range []bool{false, true} {
		good := fileOf("/file", data)
		f(noSFTP, bytes.NewReader(append([]byte("x"), data[1:]...)), good, other)
		f(noSFTP, bytes.NewReader(data[1:]), good, other)
		f(noSFTP, io.MultiReader(bytes.NewReader(data), strings.NewReader("x")), good, other)
		f(noSFTP, io.MultiReader(bytes.NewReader(data[:500_000]), iotest.ErrReader(broken)), good, func(err error) {
			if !errors.Is(err, broken) {
				t.Errorf("got %v", err)
			}
		})
		nowhere := good
		nowhere.Path = "/file/file"
		f(noSFTP, bytes.NewReader(data), nowhere, func(err error) {
			wantError(t, err, KindRemote, "/file/file", "mkdir: cannot create directory")
		})
	}
	for _, path := range []string{"/..", "/a//b", "/file/"} {
		f(false, bytes.NewReader(data), fileOf(path, data), func(err error) {
			wantError(t, err, KindRemote, "an absolute path")
		})
	}
}

func TestUpload_explain(t *testing.T) {
	_, conn := dialed(t, nil)
	u := &upload{conn: conn, file: fileOf("/opt/it's/file", nil), part: "/opt/it's/.file.part"}
	f := func(stderr, message, hint string) {
		t.Helper()
		err := u.explain(context.Background(), &ExitError{Status: 1, Stderr: stderr})
		wantError(t, err, KindRemote, "cannot upload 0 bytes to 127.0.0.1:/opt/it's/file: "+message, "\nhint: ", hint)
	}
	f("cat: write error: No space left on device\n", "its disk is full", "df -h '/opt/it'\\''s'")
	f("cat: write error: Disk quota exceeded\n", "root's disk quota is used up", "repquota -a")
	f("mkdir: cannot create directory '/opt/x': Read-only file system\n", "its file system is read-only", "dmesg | tail")
	f("mktemp: failed to create file via template '/opt/x': Operation not permitted\n", "not even root may write there", "lsattr -d '/opt/it'\\''s'")
	f("mktemp: failed to create file via template '/opt/x': Permission denied\n", "not even root may write there", "findmnt -T '/opt/it'\\''s'")
}
