package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	goversion "go/version"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

const mostBytes = 60e6 // of a laptop's binary

// checkout is what a person has who clones a repository, as it was committed.
func checkout(t *testing.T, repository string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "gca")
	if out, err := exec.Command("git", "clone", "-q", "--no-hardlinks", repository, dir).CombinedOutput(); err != nil {
		t.Skipf("there is no repository to clone: %v\n%s", err, out)
	}
	return dir
}

// snapshot makes a release of two targets, and returns the folder with what would be published.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "make", "snapshot")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make snapshot: %v\n%s", err, out[max(0, len(out)-4000):])
	}
	_, sizes, _ := strings.Cut(string(out), "release succeeded")
	t.Log(sizes)
	return filepath.Join(dir, "dist/release")
}

// TestRelease walks from a clean checkout to an adapter that answers: the release is built twice and is the same, is installed
// by its own script, and deploys to a server that it has never seen, while nothing is reached but that server.
func TestRelease(t *testing.T) {
	dir := checkout(t, "../..")
	made := snapshot(t, dir)
	sums := readText(t, filepath.Join(made, "SHA256SUMS"))
	for _, name := range []string{"gca-linux-amd64.tar.gz", "gca-darwin-arm64.tar.gz", "gca-linux-amd64.deb", "gca-linux-amd64.sbom.json", "install.sh"} {
		if !strings.Contains(sums, "  "+name+"\n") {
			t.Errorf("SHA256SUMS has no %s:\n%s", name, sums)
		}
	}
	if again := readText(t, filepath.Join(snapshot(t, checkout(t, dir)), "SHA256SUMS")); again != sums {
		t.Errorf("the same commit gave another release in another folder:\n%s", differ(sums, again))
	}
	t.Run("archive", func(t *testing.T) { testReleaseArchive(t, filepath.Join(made, "gca-darwin-arm64.tar.gz")) })
	t.Run("deb", func(t *testing.T) { testReleaseDeb(t, filepath.Join(made, "gca-linux-amd64.deb")) })
	t.Run("sbom", func(t *testing.T) {
		wantText(t, readText(t, filepath.Join(made, "gca-linux-amd64.sbom.json")), `"bomFormat": "CycloneDX"`, "github.com/valyala/fasthttp", `"version": "v`)
	})
	t.Run("deploy", func(t *testing.T) {
		if runtime.GOARCH != "amd64" {
			t.Skip("the snapshot is for amd64")
		}
		testReleaseDeploys(t, dir, made)
	})
}

func testReleaseArchive(t *testing.T, file string) {
	packed := readText(t, file)
	gz, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for archive := tar.NewReader(gz); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		name, inside := strings.CutPrefix(h.Name, "gca-darwin-arm64/")
		if !inside {
			t.Errorf("%s is not in the archive's one folder", h.Name)
		}
		if name == "gca" && (h.Mode != 0o755 || h.Size > mostBytes) {
			t.Errorf("gca has mode %o and %d bytes", h.Mode, h.Size)
		}
		names = append(names, name)
	}
	for _, want := range []string{"gca", "LICENSE", "THIRD_PARTY", "README.md", "CHANGELOG.md", "completions/gca.zsh", "man/man1/gca-deploy.1", "man/man1/gemini-manage-status.1"} {
		if !slices.Contains(names, want) {
			t.Errorf("the archive has no %s: %q", want, names)
		}
	}
}

func testReleaseDeb(t *testing.T, file string) {
	out, err := exec.Command("dpkg-deb", "--contents", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	wantText(t, string(out), "./usr/bin/gca\n", "./usr/share/man/man1/gca-deploy.1.gz", "./usr/share/bash-completion/completions/gca", "./usr/share/doc/gca/copyright")
	out, err = exec.Command("dpkg-deb", "--field", file, "Package", "Version", "Architecture").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	wantText(t, string(out), "Package: gca\n", "Version: "+version, "Architecture: amd64")
}

func testReleaseDeploys(t *testing.T, dir, made string) {
	files := map[string][]byte{}
	for _, name := range []string{"SHA256SUMS", "gca-linux-amd64.tar.gz"} {
		files[name] = []byte(readText(t, filepath.Join(made, name)))
	}
	r := newRig(t, ready()...)
	install := exec.Command("sh", filepath.Join(dir, "docs/install.sh"))
	install.Env = []string{"HOME=" + r.home, "PATH=" + os.Getenv("PATH"), "GCA_RELEASES=" + releaseAt(t, "v"+version, files)}
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r.gca = filepath.Join(r.home, ".local/bin/gca")
	var built versionReport
	if err := json.Unmarshal([]byte(r.ok(nil, "version", "--json").out), &built); err != nil || len(built.Carries) != 2 || built.Modified {
		t.Fatalf("it is %+v, %v", built, err)
	}
	_, toolchain, _ := strings.Cut(readText(t, filepath.Join(dir, "go.mod")), "\ntoolchain ")
	if toolchain, _, _ = strings.Cut(toolchain, "\n"); !goversion.IsValid(toolchain) || goversion.Compare(built.Go, toolchain) < 0 {
		t.Errorf("it was built by %s, and go.mod wants %s", built.Go, toolchain)
	}
	head, err := exec.Command("git", "-C", dir, "rev-parse", "HEAD").Output()
	if err != nil || built.Commit != strings.TrimSpace(string(head)) {
		t.Errorf("it was built from %q, not %s, %v", built.Commit, head, err)
	}
	var asked atomic.Int64 // whatever is asked of the network beside SSH and the new adapter
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Error(w, "there is no network", http.StatusBadGateway)
	}))
	defer outside.Close()
	far := append(withKeys(), "HTTP_PROXY="+outside.URL, "HTTPS_PROXY="+outside.URL, "ALL_PROXY="+outside.URL, "NO_PROXY="+r.host)
	r.ok(far, r.deployArgs()...)
	if n := asked.Load(); n > 0 {
		t.Errorf("the deploy asked for %d things from elsewhere", n)
	}
	i := slices.IndexFunc(built.Carries, func(s versionServer) bool { return s.Arch == "amd64" })
	if now := r.release(); now != version+"-"+built.Carries[i].SHA256[:12] {
		t.Errorf("the server has %s, not what the release carries", now)
	}
	if answer := r.ok(nil, "ask", "hello").out; len(bytes.TrimSpace([]byte(answer))) == 0 {
		t.Error("the adapter said nothing")
	}
}
