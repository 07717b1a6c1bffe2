package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// adapter answers with what it was asked.
type adapter struct {
	status Status
	said   []string
	err    error
}

func (a *adapter) Status() Status { return a.status }

func (a *adapter) AskHealth(context.Context) (int, []byte, error) {
	return http.StatusServiceUnavailable, []byte(`{"status":"unhealthy"}`), a.err
}

func (a *adapter) ChangeKey(name string, change Change) (string, error) {
	a.said = append(a.said, fmt.Sprint(change, " ", name))
	return "id-of-" + name, a.err
}

func (a *adapter) TestKeys(_ context.Context, names []string) ([]Tested, error) {
	a.said = append(a.said, fmt.Sprint("test ", names))
	return []Tested{{ID: names[0], Problem: "gone", Refused: true}}, a.err
}

func (a *adapter) TryKeys(_ context.Context, text string) ([]Tested, error) {
	a.said = append(a.said, "try "+text)
	return []Tested{{ID: "new"}}, a.err
}

func (a *adapter) Usage(from, to string) ([]Usage, error) {
	a.said = append(a.said, "usage "+from+" "+to)
	return []Usage{{Day: from, Requests: 3}}, a.err
}

func (a *adapter) Stats(days int) (Stats, error) {
	a.said = append(a.said, fmt.Sprint("stats ", days))
	return Stats{Schema: 1, Status: a.status}, a.err
}

func (a *adapter) WriteMetrics(w io.Writer) { _, _ = io.WriteString(w, "up 1\n") }

func (a *adapter) Reload(texts config.Texts) (Reloaded, error) {
	a.said = append(a.said, fmt.Sprint("reload ", texts))
	return Reloaded{Changed: []string{"A"}, Restart: []string{"B"}}, a.err
}

// listening serves a on a socket until the test ends.
func listening(t *testing.T, a Adapter) Client {
	t.Helper()
	c := Client{filepath.Join(t.TempDir(), "main.sock")}
	l, err := Listen(c.Path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, a) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if _, err := c.Status(context.Background()); !errors.Is(err, ErrAbsent) {
			t.Errorf("after it ended: %v", err)
		}
	})
	return c
}

func TestClient(t *testing.T) {
	if _, err := (Client{filepath.Join(t.TempDir(), "main.sock")}).Status(t.Context()); !errors.Is(err, ErrAbsent) {
		t.Errorf("before it runs: got %v", err)
	}
	a := &adapter{status: Status{Version: "1", Started: time.Unix(1, 0).UTC(), Requests: 3, Keys: []Key{{ID: "ab-1234", State: "active", Rests: []Rest{{Model: "m", Reason: "r", Until: time.Unix(2, 0).UTC()}}}}}}
	c := listening(t, a)
	if got, err := c.Status(t.Context()); err != nil || !reflect.DeepEqual(got, a.status) {
		t.Errorf("got %+v, error %v", got, err)
	}
	if id, err := c.ChangeKey(t.Context(), "x", Disable); id != "id-of-x" || err != nil {
		t.Errorf("change: %s, %v", id, err)
	}
	if tested, err := c.TestKeys(t.Context(), []string{"x"}); err != nil || !reflect.DeepEqual(tested, []Tested{{ID: "x", Problem: "gone", Refused: true}}) {
		t.Errorf("test: %v, %v", tested, err)
	}
	if tested, err := c.TryKeys(t.Context(), "k label=y\n"); err != nil || !reflect.DeepEqual(tested, []Tested{{ID: "new"}}) {
		t.Errorf("try: %v, %v", tested, err)
	}
	if r, err := c.Reload(t.Context(), config.Texts{Env: "e", Keys: "k", Tokens: "t"}); err != nil || !reflect.DeepEqual(r, Reloaded{Changed: []string{"A"}, Restart: []string{"B"}}) {
		t.Errorf("reload: %+v, %v", r, err)
	}
	if rows, err := c.Usage(t.Context(), "2026-01-30", "2026-01-31"); err != nil || !reflect.DeepEqual(rows, []Usage{{Day: "2026-01-30", Requests: 3}}) {
		t.Errorf("usage: %v, %v", rows, err)
	}
	if want := []string{"disable x", "test [x]", "try k label=y\n", "reload {e k t}", "usage 2026-01-30 2026-01-31"}; !reflect.DeepEqual(a.said, want) {
		t.Errorf("asked %q", a.said)
	}
}

func TestRefusals(t *testing.T) {
	a := &adapter{}
	c := listening(t, a)
	f := func(err, want error) {
		t.Helper()
		if !reflect.DeepEqual(err, want) {
			t.Errorf("got %#v", err)
		}
	}
	for _, want := range []error{
		&Refusal{Code: Ambiguous, Message: "several", IDs: []string{"a", "b"}}, &Refusal{Code: Unknown, Message: "none"},
	} {
		a.err = want
		_, err := c.ChangeKey(t.Context(), "x", Reset)
		f(err, want)
		_, err = c.Reload(t.Context(), config.Texts{})
		f(err, want)
	}
	a.err = errors.New("the disk is full")
	_, err := c.ChangeKey(t.Context(), "x", Reset)
	f(err, &Refusal{Code: Failed, Message: "the disk is full"})
	a.said = nil
	_, err = c.ChangeKey(t.Context(), "x", "melt")
	f(err, &Refusal{Code: Invalid, Message: `no such change of a key: "melt"`})
	_, err = c.TestKeys(t.Context(), make([]string, MaxTests+1))
	f(err, &Refusal{Code: Invalid, Message: "at most 16 keys are tested at once"})
	_, err = c.Usage(t.Context(), "2026-01-30", "today")
	f(err, &Refusal{Code: Invalid, Message: "expected days such as 2026-01-31"})
	_, err = c.Reload(t.Context(), config.Texts{Env: strings.Repeat("x", maxRequest)})
	f(err, &Refusal{Code: Invalid, Message: "the request cannot be read"})
	if a.said != nil {
		t.Errorf("the adapter heard of %q", a.said)
	}
	if _, err := ask[nothing](t.Context(), c, http.MethodGet, "/v9/status", timeout, nothing{}); err == nil || !strings.Contains(err.Error(), "404 Not Found\nhint: gemini-manage restart") {
		t.Errorf("an unknown path gives %v", err)
	}
}

// TestPeers asks as another user of the machine, which takes root to try.
func TestPeers(t *testing.T) {
	if path := os.Getenv("CONTROL_TEST_SOCKET"); path != "" {
		askAsPeer(t, Client{path})
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root to become another user")
	}
	a := &adapter{status: Status{Version: "1"}}
	c := listening(t, a)
	open := func(path string, mode os.FileMode) {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	open(c.Path, 0o666)
	for dir := filepath.Dir(c.Path); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		open(dir, 0o755)
	}
	self := filepath.Join(filepath.Dir(c.Path), "peer.test")
	text, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(self, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run", "^TestPeers$")
	cmd.Env, cmd.Dir = []string{"CONTROL_TEST_SOCKET=" + c.Path}, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if a.said != nil {
		t.Errorf("the adapter heard of %q", a.said)
	}
}

func askAsPeer(t *testing.T, c Client) {
	if status, err := c.Status(t.Context()); err != nil || status.Version != "1" {
		t.Errorf("reading: %+v, %v", status, err)
	}
	_, changed := c.ChangeKey(t.Context(), "x", Reset)
	_, tested := c.TestKeys(t.Context(), []string{"x"})
	_, tried := c.TryKeys(t.Context(), "x")
	_, reloaded := c.Reload(t.Context(), config.Texts{})
	for _, err := range []error{changed, tested, tried, reloaded} {
		if !errors.Is(err, ErrDenied) {
			t.Errorf("got %v", err)
		}
	}
}

func TestFindKey(t *testing.T) {
	f := func(name string, matched []string, want string, ids int) {
		t.Helper()
		id, err := FindKey(name, matched)
		var refusal *Refusal
		if errors.As(err, &refusal) {
			id = err.Error()
		}
		if id != want || refusal != nil && len(refusal.IDs) != ids {
			t.Errorf("%s, %v", id, err)
		}
	}
	f("a", []string{"aa"}, "aa", 0)
	f("a", []string{"aa", "ab"}, `"a" fits several keys: aa, ab`, 2)
	f("a", nil, `no key has the id or label "a", or begins so`, 0)
	f("AIzaSyA-whole-key", nil, `no key has the id or label "AIzaSy…", or begins so`, 0)
	f("AIzaSyAB", []string{"aa", "ab"}, `"AIzaSy…" fits several keys: aa, ab`, 2)
}

func TestListen_replacesADeadSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "main.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("got mode %v, error %v", info.Mode(), err)
	}
}

func TestSocketShowsWhatHTTPDoes(t *testing.T) {
	a := &adapter{status: Status{Version: "1.2.3"}}
	c := listening(t, a)
	stats, err := c.Stats(t.Context(), 7)
	if err != nil || stats.Version != "1.2.3" || !reflect.DeepEqual(a.said, []string{"stats 7"}) {
		t.Errorf("%+v, %v, said %q", stats, err, a.said)
	}
	var refusal *Refusal
	if _, err := c.Stats(t.Context(), 1000); !errors.As(err, &refusal) || refusal.Code != Invalid {
		t.Errorf("%v", err)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", c.Path)
	}}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://adapter/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "up 1\n" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Errorf("%q, %v, %v", text, err, resp.Header)
	}
}
