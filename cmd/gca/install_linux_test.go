package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

const installScript = "../../docs/install.sh"

// releaseAt serves files as GitHub serves those of a release that is the latest, too, and returns the address for GCA_RELEASES.
func releaseAt(t *testing.T, version string, files map[string][]byte) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		dir, name := filepath.Split(r.URL.Path)
		text, found := files[name]
		if !found || dir != "/releases/latest/download/" && dir != "/releases/download/"+version+"/" {
			http.NotFound(w, r)
			return
		}
		if _, err := w.Write(text); err != nil {
			t.Log(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL + "/releases"
}

// tarball is an archive of a release, with a program in it.
func tarball(t *testing.T, name string, program []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	gz, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewWriter(gz)
	for _, f := range []struct {
		name string
		mode int64
		text []byte
	}{{"gca", 0o755, program}, {"LICENSE", 0o644, []byte("MIT License\n")}} {
		err = errors.Join(err, archive.WriteHeader(&tar.Header{Name: name + "/" + f.name, Mode: f.mode, Size: int64(len(f.text)), Format: tar.FormatGNU}))
		_, writeErr := archive.Write(f.text)
		err = errors.Join(err, writeErr)
	}
	if err = errors.Join(err, archive.Close(), gz.Close()); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// installation is a user without any rights who installs by a shell.
type installation struct {
	t     *testing.T
	shell []string
	home  string
	env   []string
}

func (in installation) run(env ...string) (said string, code int) {
	in.t.Helper()
	cmd := exec.CommandContext(in.t.Context(), in.shell[0], append(in.shell[1:], "install.sh")...)
	cmd.Dir = in.home
	cmd.Env = append(append([]string{"HOME=" + in.home}, in.env...), env...)
	asNobody(cmd)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		in.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// newInstallation makes the user's home, with the script in it.
func newInstallation(t *testing.T, shell []string, env ...string) installation {
	t.Helper()
	home, err := os.MkdirTemp("", "gca-install-") // t.TempDir is for the owner alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	script, err := os.ReadFile(installScript)
	if err = errors.Join(err, os.WriteFile(filepath.Join(home, "install.sh"), script, 0o644), ownedByNobody(home)); err != nil {
		t.Fatal(err)
	}
	return installation{t, shell, home, env}
}

// TestInstall: a release is installed by each of the shells that users have, and only what was released.
func TestInstall(t *testing.T) {
	program, err := os.ReadFile(buildOnce(t))
	if err != nil {
		t.Fatal(err)
	}
	name := "gca-linux-" + runtime.GOARCH
	packed := tarball(t, name, program)
	sums := fmt.Sprintf("%x  install.sh\n%x  %s.tar.gz\n", sha256.Sum256(nil), sha256.Sum256(packed), name)
	good := releaseAt(t, "v0.1.0", map[string][]byte{name + ".tar.gz": packed, "SHA256SUMS": []byte(sums)})
	damaged := releaseAt(t, "v0.1.0", map[string][]byte{name + ".tar.gz": packed[:len(packed)-1], "SHA256SUMS": []byte(sums)})
	other := releaseAt(t, "v0.1.0", map[string][]byte{"SHA256SUMS": []byte("00  gca-plan9-arm.tar.gz\n")})
	for _, shell := range [][]string{{"bash"}, {"bash", "--posix"}, {"dash"}, {"busybox", "sh"}} {
		t.Run(strings.Join(shell, " "), func(t *testing.T) {
			t.Parallel()
			file, err := exec.LookPath(shell[0])
			if err != nil {
				if os.Getenv("CI") == "true" {
					t.Fatalf("%v\nhint: apt-get install %s", err, shell[0])
				}
				t.Skipf("%s is not installed", shell[0])
			}
			in := newInstallation(t, append([]string{file}, shell[1:]...), "PATH="+pathFor(t, shell[0], file))
			testInstall(t, in, good, damaged, other)
		})
	}
}

// pathFor is where a shell's user has programs. With busybox there is nothing else.
func pathFor(t *testing.T, shell, file string) string {
	t.Helper()
	if shell != "busybox" {
		return os.Getenv("PATH")
	}
	dir, err := os.MkdirTemp("", "gca-busybox-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if out, err := exec.Command(file, "--install", "-s", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func testInstall(t *testing.T, in installation, good, damaged, other string) {
	f := func(what string, code int, env []string, wants ...string) {
		t.Helper()
		said, got := in.run(env...)
		if got != code {
			t.Errorf("%s: exit code %d, want %d", what, got, code)
		}
		wantText(t, said, wants...)
		if left, err := filepath.Glob(filepath.Join(in.home, ".local/bin/.gca-*")); err != nil || len(left) > 0 {
			t.Errorf("%s: it left %v, %v", what, left, err)
		}
	}
	place := filepath.Join(in.home, ".local/bin/gca")
	f("a damaged file", 1, []string{"GCA_RELEASES=" + damaged}, "it is not what was released", "hint: try again; nothing was installed")
	f("nothing for this machine", 1, []string{"GCA_RELEASES=" + other}, "has no gca-linux-"+runtime.GOARCH, "hint: ")
	f("no such release", 1, []string{"GCA_RELEASES=" + good, "GCA_VERSION=v9.9.9"}, "cannot download "+good+"/download/v9.9.9/SHA256SUMS", "hint: ")
	f("a folder that cannot be", 1, []string{"GCA_RELEASES=" + good, "GCA_BIN=" + in.home + "/install.sh/bin"}, "hint: choose another folder with GCA_BIN=DIR")
	if _, err := os.Lstat(place); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("something was installed: %v", err)
	}
	f("the latest release", 0, []string{"GCA_RELEASES=" + good}, "gca "+version+" is installed: "+place, "add "+filepath.Dir(place)+" to your PATH")
	before, err := os.Stat(place)
	if err != nil {
		t.Fatal(err)
	}
	f("a damaged file over an installed one", 1, []string{"GCA_RELEASES=" + damaged}, "it is not what was released")
	if after, err := os.Stat(place); err != nil || !os.SameFile(before, after) {
		t.Errorf("what was installed is not there any more: %v", err)
	}
	f("a release by its name, again", 0, []string{"GCA_RELEASES=" + good, "GCA_VERSION=v0.1.0"}, "is installed")
	f("another folder", 0, []string{"GCA_RELEASES=" + good, "GCA_BIN=" + in.home + "/bin"}, "is installed: "+in.home+"/bin/gca")
}

const nobody = 65534

// asNobody takes a command's rights away, where there are any.
func asNobody(cmd *exec.Cmd) {
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
}

// ownedByNobody gives a folder to the one whom asNobody makes of a command's user.
func ownedByNobody(dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	return os.Chown(dir, nobody, nobody)
}
