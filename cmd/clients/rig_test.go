package clients

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

const (
	clientToken = "tok-of-the-real-clients"
	model       = "gemini-3.8-flash"
	patience    = 90 * time.Second
)

// rig is one client's world: a fake, the adapter before it, and empty folders.
type rig struct {
	t          *testing.T
	fake       *fakegemini.Server
	url        string // of the adapter
	home, work string
	env        []string // of the client, beside its usual one
	config     string   // of the client, beside its usual one
}

func start(t *testing.T, script ...step) *rig {
	t.Helper()
	fake, base := fakegemini.Start(t, fakegemini.Options{})
	r := &rig{t: t, fake: fake, home: t.TempDir(), work: t.TempDir()}
	r.url = "http://" + adapter(t, base)
	fake.Respond(r.model(script))
	return r
}

// binary is the adapter's, as make built it.
func binary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("GCA_BINARY"); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "gca")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../gca").CombinedOutput(); err != nil {
		t.Fatalf("building the adapter: %v\n%s", err, out)
	}
	return path
}

// adapter runs the adapter until the test ends and returns its address.
func adapter(t *testing.T, geminiURL string) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	host, port, _ := strings.Cut(address, ":")
	var log output
	cmd := exec.CommandContext(t.Context(), binary(t), "serve")
	cmd.Env = []string{"HOST=" + host, "PORT=" + port, "GEMINI_BASE_URL=" + geminiURL, "GEMINI_API_KEYS=AIzaSy-key-for-real-clients", "CLIENT_TOKENS=" + clientToken,
		"MODEL_MAP=gpt-*=" + model, "HOME=" + t.TempDir()}
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() != 0 {
			t.Errorf("the adapter ended with %v\n%s", err, log.String())
		}
		if t.Failed() {
			t.Logf("the adapter's log:\n%s", log.String())
		}
	})
	awaitReady(t, address)
	return address
}

func awaitReady(t *testing.T, address string) {
	t.Helper()
	probe := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		res, err := probe.Head("http://" + address + "/")
		if err == nil {
			if err := res.Body.Close(); err != nil {
				t.Error(err)
			}
			return
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("the adapter doesn't come up: %v", err)
		}
	}
}

// output is what a process wrote; many may write.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// run starts a client with nothing but env, waits for it and returns what it wrote to stdout. It and all that it started
// end with it.
func (r *rig) run(env []string, name string, args ...string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	var stdout, stderr output
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.work, &stdout, &stderr
	cmd.Env = append([]string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + r.home, "LANG=C.UTF-8", "NO_COLOR=1"}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		r.t.Fatalf("%s: %v\nstdout: %s\nstderr: %s\nasked of the fake: %s", filepath.Base(name), err, stdout.String(), stderr.String(), r.asked())
	}
	return stdout.String()
}

// asked lists the requests for words, for messages of failures.
func (r *rig) asked() string {
	var b strings.Builder
	for _, q := range r.fake.Requests() {
		fmt.Fprintf(&b, "\n  %d %s %s: %d %s %s", q.Seq, q.Verb, q.Model, q.Status, q.Refused, q.Reason)
	}
	return b.String()
}

// check holds what is true of every run: Google would have refused nothing, and every step came back with the signature
// that the model gave it, none with a dummy.
func (r *rig) check() {
	r.t.Helper()
	for _, q := range r.fake.Refusals() {
		r.t.Errorf("request %d was refused by %s: %s", q.Seq, q.Refused, q.Reason)
	}
	for _, q := range r.prompts() {
		for i, c := range q.Request.Contents {
			call := slices.IndexFunc(c.Parts, func(p fakegemini.Part) bool { return p.FunctionCall != nil })
			if call < 0 {
				continue
			}
			optional := strings.HasPrefix(q.Model, "gemini-2")
			if sig := c.Parts[call].ThoughtSignature; sig == "" && !optional || slices.Contains(dummies, string(sig)) {
				r.t.Errorf("request %d, content %d: the first call has the signature %q", q.Seq, i, sig)
			}
		}
	}
}

var dummies = []string{"skip_thought_signature_validator", "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=",
	"context_engineering_is_the_way_to_go", "Y29udGV4dF9lbmdpbmVlcmluZ19pc190aGVfd2F5X3RvX2dv"}

// prompts are the requests for words that reached the fake.
func (r *rig) prompts() []fakegemini.Recorded {
	return slices.DeleteFunc(r.fake.Requests(), func(q fakegemini.Recorded) bool { return q.Request == nil || q.Verb == "countTokens" })
}

// has fails the test unless a text has a piece.
func (r *rig) has(what, text, piece string) {
	r.t.Helper()
	if !strings.Contains(text, piece) {
		r.t.Errorf("%s lacks %q:\n%s%s", what, piece, text, r.asked())
	}
}

// file fails the test unless a file of the working folder says just this.
func (r *rig) file(name, want string) {
	r.t.Helper()
	got, err := os.ReadFile(filepath.Join(r.work, name))
	if err != nil || strings.TrimRight(string(got), "\n") != want {
		r.t.Errorf("%s: %q %v, want %q%s", name, got, err, want, r.asked())
	}
}

// path is that of a file in the working folder.
func (r *rig) path(name string) string { return filepath.Join(r.work, name) }

// put writes a file into the home or the working folder.
func (r *rig) put(path, text string) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}
