package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// image is what a Dockerfile comes to: the root file system and how its program is started.
type image struct {
	t                  *testing.T
	context            string // the folder that it is built from
	root               string
	user               uint32
	env                []string
	entry, cmd, health []string
}

// buildImage carries out a Dockerfile as an engine does: every instruction that gca export writes, and no other.
func buildImage(t *testing.T, context string) *image {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(context, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.MkdirTemp("", "gca-image-") // t.TempDir is for the owner alone
	if err = errors.Join(err, os.Chmod(root, 0o755)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	m := &image{t: t, context: context, root: root}
	for line := range strings.Lines(string(text)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "", "#", "ARG", "EXPOSE", "VOLUME":
		case "FROM":
			wantText(t, rest, "scratch")
		case "STOPSIGNAL":
			wantText(t, rest, "SIGTERM")
		case "COPY":
			m.copy(context, strings.Fields(strings.ReplaceAll(rest, "${TARGETARCH}", runtime.GOARCH)))
		case "USER":
			m.user = number(t, strings.Split(rest, ":")[0])
		case "ENV":
			m.env = append(m.env, strings.Fields(rest)...)
		case "ENTRYPOINT":
			m.entry = execForm(t, rest)
		case "CMD":
			m.cmd = execForm(t, rest)
		case "HEALTHCHECK":
			_, test, _ := strings.Cut(rest, "CMD ")
			m.health = execForm(t, test)
		default:
			t.Fatalf("the Dockerfile says %s", line)
		}
	}
	return m
}

func execForm(t *testing.T, list string) (all []string) {
	t.Helper()
	if err := json.Unmarshal([]byte(list), &all); err != nil {
		t.Fatalf("%s: %v", list, err)
	}
	return all
}

func number(t *testing.T, text string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 {
		t.Fatalf("%q is no number of a user without rights: %v", text, err)
	}
	return uint32(n)
}

// copy copies a file, or what is in a folder.
func (m *image) copy(context string, args []string) {
	m.t.Helper()
	var owner uint32
	if chown, found := strings.CutPrefix(args[0], "--chown="); found {
		owner, args = number(m.t, strings.Split(chown, ":")[0]), args[1:]
	}
	from, to := filepath.Join(context, args[0]), filepath.Join(m.root, args[1])
	info, err := os.Stat(from)
	if err != nil {
		m.t.Fatal(err)
	}
	if err = os.MkdirAll(filepath.Dir(to), 0o755); err == nil && info.IsDir() {
		err = os.CopyFS(to, os.DirFS(from))
	} else if err == nil {
		var text []byte
		text, err = os.ReadFile(from)
		err = errors.Join(err, os.WriteFile(to, text, info.Mode().Perm()))
	}
	if err := errors.Join(err, os.Chown(to, int(owner), int(owner))); err != nil {
		m.t.Fatal(err)
	}
}

// command is the image's program in a container of its own: its root, its user, its environment and the settings.
func (m *image) command(ctx context.Context, args []string, settings ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = "/"
	cmd.Env = append(m.env[:len(m.env):len(m.env)], settings...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: m.root, Credential: &syscall.Credential{Uid: m.user, Gid: m.user}}
	return cmd
}

// asks runs the image's health check.
func (m *image) asks(settings []string) (said string, code int) {
	m.t.Helper()
	out, err := m.command(m.t.Context(), m.health, settings...).CombinedOutput()
	var exit *exec.ExitError
	if err == nil {
		return string(out), 0
	}
	if !errors.As(err, &exit) {
		m.t.Fatal(err)
	}
	return string(out), exit.ExitCode()
}

// serves starts the container and waits until it is ready; the function that it returns stops it.
func (m *image) serves(settings []string) (stop func()) {
	m.t.Helper()
	cmd := m.command(context.WithoutCancel(m.t.Context()), append(m.entry[:len(m.entry):len(m.entry)], m.cmd...), settings...)
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		m.t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for ready := false; !ready && lines.Scan(); {
		ready = strings.Contains(lines.Text(), `"msg":"listening"`)
	}
	if lines.Err() != nil || !strings.Contains(lines.Text(), "listening") {
		m.t.Fatalf("the container does not serve: %v, %s", lines.Err(), lines.Text())
	}
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, stderr)
		ended <- errors.Join(err, cmd.Wait())
	}()
	return func() {
		if err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), <-ended); err != nil {
			m.t.Errorf("the container's end: %v", err)
		}
	}
}

// container are an image's settings as they are exported, for a Gemini, and a client with their token.
func (m *image) container(base string) (settings []string, l *load) {
	m.t.Helper()
	l = &load{t: m.t, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}} // none is awaited at the end
	settings = append(settingsOf(m.t, filepath.Join(m.context, "adapter.env")), "PORT="+freePort(m.t), "GEMINI_BASE_URL="+base)
	for _, line := range settings {
		name, value, _ := strings.Cut(line, "=")
		switch name {
		case "CLIENT_TOKENS":
			l.token = value
		case "PORT":
			l.url = "http://127.0.0.1:" + value
		}
	}
	return settings, l
}

// settingsOf are the lines of an env_file.
func settingsOf(t *testing.T, file string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			all = append(all, line)
		}
	}
	return all
}

// exported is a folder that gca export wrote, by a program of the user's own.
func exported(t *testing.T, kind string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "gemini adapter")
	cmd := exec.Command(buildOnce(t), "export", kind, dir)
	cmd.Env = append(withKeys(), "HOME="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "next: ") {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// TestContainer: the image has the adapter and nothing else, and there it serves, as nobody, and knows how it is.
func TestContainer(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can go into another root file system")
	}
	m := buildImage(t, exported(t, "docker"))
	var files []string
	err := filepath.WalkDir(m.root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, strings.TrimPrefix(path, m.root))
		}
		return err
	})
	if err != nil || strings.Join(files, " ") != "/gca" {
		t.Errorf("the image has %q, %v", files, err)
	}
	t.Run("serves", func(t *testing.T) { m.t = t; testContainerServes(t, m) })
	t.Run("roots", func(t *testing.T) { testContainerRoots(t, buildImage(t, m.context)) })
}

func testContainerServes(t *testing.T, m *image) {
	fake, base := fakegemini.Start(t, fakegemini.Options{Keys: goodKeys})
	settings, l := m.container(base)
	if said, code := m.asks(settings); code != exitUnreachable {
		t.Errorf("health, while nothing serves: %d, %s", code, said)
	}
	stop := m.serves(settings)
	if said, code := m.asks(settings); code != 0 || !strings.HasPrefix(said, "healthy: 3 of 3 keys are active") {
		t.Errorf("health: %d, %s", code, said)
	}
	if text, err := l.ask(shortQuestion); err != nil || !strings.Contains(text, "end_turn") {
		t.Errorf("an answer: %s, %v", text, err)
	}
	for _, key := range goodKeys {
		fake.Key(key, fakegemini.KeyRule{Error: fakegemini.ErrInvalidKey()})
	}
	if text, err := l.ask(shortQuestion); err == nil {
		t.Errorf("an answer without a key: %s", text)
	}
	if said, code := m.asks(settings); code != exitFailed || !strings.HasPrefix(said, "unhealthy: 0 of 3") {
		t.Errorf("health without a key: %d, %s", code, said)
	}
	stop()
	if _, err := os.Stat(filepath.Join(m.root, "var/lib/gemini-adapter/state.db")); err != nil {
		t.Errorf("the state was not kept: %v", err)
	}
	stop = m.serves(settings) // with the state of before
	if said, _ := m.asks(settings); !strings.HasPrefix(said, "unhealthy: 0 of 3") {
		t.Errorf("health after a restart: %s", said)
	}
	stop()
}

// testContainerRoots: a company's roots can be mounted, and without them nobody that nobody trusts is believed.
func testContainerRoots(t *testing.T, m *image) {
	fake := fakegemini.New(fakegemini.Options{Keys: goodKeys})
	google := httptest.NewUnstartedServer(fake.Handler())
	google.Config.ErrorLog = log.New(io.Discard, "", 0) // of refused certificates
	google.StartTLS()
	defer google.Close()
	settings, l := m.container(google.URL)
	ask := func() error {
		stop := m.serves(append(settings, "MAX_RETRIES=0"))
		defer stop()
		_, err := l.ask(shortQuestion)
		return err
	}
	if ask() == nil {
		t.Error("a certificate that nobody signed was believed")
	}
	certs := filepath.Join(m.root, "etc/ssl/certs")
	pemText := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: google.Certificate().Raw})
	if err := errors.Join(os.MkdirAll(certs, 0o755), os.WriteFile(filepath.Join(certs, "ca-certificates.crt"), pemText, 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := ask(); err != nil {
		t.Errorf("with the company's root: %v", err)
	}
}

// TestRoots: where the system trusts nobody, the program trusts whom everybody does.
func TestRoots(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestRoots_without$", "-test.v")
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE=/nonexistent", "SSL_CERT_DIR=/nonexistent")
	out, err := cmd.CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("SKIP")) {
		t.Errorf("%v: %s", err, out)
	}
}

// TestRoots_without is TestRoots where there are none.
func TestRoots_without(t *testing.T) {
	if os.Getenv("SSL_CERT_FILE") != "/nonexistent" {
		t.Skip("TestRoots runs it")
	}
	for root := range bundle.Roots() {
		cert, err := x509.ParseCertificate(root.Certificate)
		if err == nil {
			_, err = cert.Verify(x509.VerifyOptions{KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		}
		if err == nil {
			return // one that has not ended is enough
		}
		t.Logf("%s: %v", cert.Subject, err)
	}
	t.Error("nobody is trusted")
}
