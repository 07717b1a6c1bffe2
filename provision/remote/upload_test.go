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
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/pkg/sftp"
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
		file := fileOf(path, data)
		file.Mode = 0o755
		file.Progress = func(done, total int64) {
			if done < last || total != int64(size) {
				t.Errorf("progress from %d to %d of %d", last, done, total)
			}
			last = done
		}
		if err := conn.Upload(context.Background(), bytes.NewReader(data), file); err != nil {
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
	if _, _, commands := s.seen(); !served.Load() || len(commands) != 2 {
		t.Errorf("by sftp: %v, with %d commands", served.Load(), len(commands))
	}
}

// slowToEnd is a channel whose end is not noticed before ended.
type slowToEnd struct {
	io.ReadWriteCloser
	ended <-chan struct{}
}

func (c slowToEnd) Read(p []byte) (int, error) {
	n, err := c.ReadWriteCloser.Read(p)
	if err != nil {
		<-c.ended
	}
	return n, err
}

// A server may keep a file open that nobody closed, and a binary that is open for writing cannot be run.
func TestUpload_CanBeRunAtOnce(t *testing.T) {
	s, conn := dialed(t, nil)
	ended := make(chan struct{})
	s.sftp = func(ch io.ReadWriteCloser) {
		files, err := sftp.NewServer(slowToEnd{ch, ended})
		if err != nil {
			t.Error(err)
			return
		}
		_ = files.Serve() // ends with the test
	}
	defer close(ended)
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

func fileOf(path string, data []byte) File {
	return File{Path: path, Mode: 0o644, Size: int64(len(data)), SHA256: sha256.Sum256(data)}
}

// Whatever goes wrong, what was there stays, and nothing is left beside it.
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
		if got, err := os.ReadFile(filepath.Join(dir, "file")); string(got) != "old" {
			t.Errorf("now it is %d bytes, %v", len(got), err)
		}
	}
	for _, noSFTP := range []bool{false, true} {
		good := fileOf("/file", data)
		f(noSFTP, bytes.NewReader(append([]byte("x"), data[1:]...)), good, func(err error) {
			wantError(t, err, KindRemote, "cannot upload 1048576 bytes", "/file", "the SHA-256 sum is not")
		})
		f(noSFTP, bytes.NewReader(data[1:]), good, func(err error) {
			wantError(t, err, KindRemote, "1048575 of 1048576 bytes arrived")
		})
		f(noSFTP, io.MultiReader(bytes.NewReader(data), strings.NewReader("x")), good, func(err error) {
			wantError(t, err, KindRemote, "1048577 of 1048576 bytes arrived")
		})
		f(noSFTP, io.MultiReader(bytes.NewReader(data[:500_000]), iotest.ErrReader(broken)), good, func(err error) {
			if !errors.Is(err, broken) {
				t.Errorf("got %v", err)
			}
		})
		nowhere := good
		nowhere.Path = "/none/file"
		f(noSFTP, bytes.NewReader(data), nowhere, func(err error) {
			wantError(t, err, KindRemote, "/none/file", "irectory")
		})
	}
	for _, path := range []string{"/..", "/a//b", "/file/"} {
		f(false, bytes.NewReader(data), fileOf(path, data), func(err error) {
			wantError(t, err, KindRemote, "an absolute path")
		})
	}
}

// blocked hands out some bytes and then waits, as a slow disk would.
type blocked struct {
	io.Reader
	reached func()
	release <-chan struct{}
}

func (b *blocked) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		b.reached()
		<-b.release
	}
	return n, err
}

// A connection cut halfway through leaves no temporary file on the server.
func TestUpload_Cut(t *testing.T) {
	for _, noSFTP := range []bool{false, true} {
		s, conn := dialed(t, func(s *server) { s.noSFTP = noSFTP })
		dir := t.TempDir()
		data := randomBytes(4 << 20)
		release := make(chan struct{})
		source := &blocked{Reader: bytes.NewReader(data[:3<<20]), release: release, reached: func() {
			s.cut()
			close(release)
		}}
		err := conn.Upload(context.Background(), source, fileOf(dir+"/file", data))
		wantError(t, err, KindUnreachable, "lost the connection")
		s.idle()
		wantFiles(t, dir)
	}
}

func TestUpload_Cancel(t *testing.T) {
	for _, noSFTP := range []bool{false, true} {
		s, conn := dialed(t, func(s *server) { s.noSFTP = noSFTP })
		dir := t.TempDir()
		data := randomBytes(4 << 20)
		stop := errors.New("stop")
		ctx, cancel := context.WithCancelCause(context.Background())
		release := make(chan struct{})
		source := &blocked{Reader: bytes.NewReader(data[:3<<20]), release: release, reached: func() {
			cancel(stop)
			close(release)
		}}
		if err := conn.Upload(ctx, source, fileOf(dir+"/file", data)); !errors.Is(err, stop) {
			t.Errorf("got %v, want the cause", err)
		}
		s.idle()
		wantFiles(t, dir)
		if err := conn.Run(context.Background(), Cmd{Line: "true"}); err != nil {
			t.Errorf("the connection does not serve on: %v", err)
		}
	}
}

// fullDisk is an sftp server whose disk has no room for the second half.
type fullDisk struct{}

func (fullDisk) Filewrite(*sftp.Request) (io.WriterAt, error) { return fullDisk{}, nil }

func (fullDisk) WriteAt(p []byte, off int64) (int, error) {
	if off > 4<<20 {
		return 0, syscall.ENOSPC
	}
	return len(p), nil
}

func (fullDisk) Filecmd(*sftp.Request) error { return sftp.ErrSSHFxOpUnsupported }

func (fullDisk) StatVFS(*sftp.Request) (*sftp.StatVFS, error) {
	return &sftp.StatVFS{Frsize: 4096, Bfree: 1000, Bavail: 0}, nil
}

func TestUpload_DiskFull(t *testing.T) {
	s, conn := dialed(t, nil)
	s.sftp = func(ch io.ReadWriteCloser) {
		files := sftp.NewRequestServer(ch, sftp.Handlers{FilePut: fullDisk{}, FileCmd: fullDisk{}})
		_ = files.Serve() // ends with the channel
	}
	dir := t.TempDir()
	data := randomBytes(8 << 20)
	err := conn.Upload(context.Background(), bytes.NewReader(data), fileOf(dir+"/file", data))
	wantError(t, err, KindRemote, "cannot upload 8388608 bytes to 127.0.0.1:"+dir+"/file: its disk is full", "df -h "+dir)
	wantFiles(t, dir)

	u := &upload{conn: conn, file: fileOf(dir+"/file", data), content: &content{}}
	err = u.explain(context.Background(), &ExitError{Status: 1, Stderr: "cat: write error: No space left on device\n"})
	wantError(t, err, KindRemote, "its disk is full", "df -h "+dir)
}
