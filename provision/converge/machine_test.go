package converge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// machine is a server in a directory: files under root, and stand-ins for its tools.
type machine struct {
	*testing.T
	sys    *system
	sum    string
	health *httptest.Server
	sick   atomic.Bool // over HTTP: the adapter that is to take over

	commitTime time.Duration // of the agent
	worker     chan error    // the end of the worker that was started last, if one was
	stopWorker context.CancelCauseFunc
}

const testRelease = "#!/bin/sh\nif grep -q malformed \"$4/keys\"; then echo 'keys: line 1 is malformed' >&2; exit 1; fi\n"

func newMachine(t *testing.T) *machine {
	t.Helper()
	dir, err := os.MkdirTemp("", "gca") // short, for the worker's socket
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{T: t, sys: newSystem(filepath.Join(dir, "root"))}
	m.sys.path = filepath.Join(dir, "bin") + ":/usr/bin:/bin"
	m.health = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status":"healthy"}`)
	}))
	t.Cleanup(func() {
		if m.worker != nil {
			m.stopWorker(errShutdown)
		}
		m.must(m.lastWorker())
		m.health.Close()
		m.must(os.RemoveAll(dir))
	})
	m.sys.web = m.health.Listener.Addr().String()
	m.sys.handover = filepath.Join(dir, "handover.sock")
	m.control()
	sum := sha256.Sum256([]byte(testRelease))
	m.sum = hex.EncodeToString(sum[:])
	m.tools(filepath.Join(dir, "bin"))
	for _, path := range []string{"/etc/systemd/system", "/usr/sbin", "/run", "/var/lib", "/usr/local/bin", "/proc/1", "/units", "/opt", "/etc/systemd", "/var/lib/dpkg", "/etc/security", "/etc/apt/apt.conf.d", "/proc/sys/net/core"} {
		m.must(os.MkdirAll(m.sys.at(path), 0o755))
	}
	m.put("/etc/os-release", "ID=debian\nPRETTY_NAME=\"Debian 12\"\n")
	m.put("/etc/passwd", fmt.Sprintf("root:x:%d:%d::/root:/bin/sh\n", os.Geteuid(), os.Getegid()))
	m.put("/etc/group", fmt.Sprintf("root:x:%d:\n", os.Getegid()))
	m.put("/proc/1/comm", "systemd\n")
	m.put("/proc/1/limits", "Max open files            1024                 524288               files\n")
	m.put("/proc/sys/net/core/somaxconn", "4096\n")
	m.put("/var/lib/dpkg/status", "")
	m.put("/units/"+journaldUnit+".active", "")
	m.upload()
	return m
}

// control stands in for the control socket of the handover unit, which is the release that nextLink leads to.
func (m *machine) control() {
	m.Helper()
	l, err := net.Listen("unix", m.sys.handover)
	m.must(err)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/health" {
			if m.sick.Load() {
				w.WriteHeader(http.StatusInternalServerError)
			}
			fmt.Fprint(w, `{"status":"healthy"}`)
			return
		}
		dir, err := filepath.EvalSymlinks(m.sys.at(nextLink))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, `{"version":"1.2.3","release":%q}`, filepath.Base(dir))
	}))
	m.must(server.Listener.Close())
	server.Listener = l
	server.Start()
	m.Cleanup(server.Close)
}

func (m *machine) tools(bin string) {
	script, err := os.ReadFile("testdata/tools.sh")
	m.must(err)
	m.must(os.MkdirAll(bin, 0o755))
	m.must(os.WriteFile(filepath.Join(bin, "tools.sh"), script, 0o755))
	for _, name := range []string{"apt-cache", "apt-get", "dpkg", "fail2ban-client", "groupadd", "groupdel", "journalctl", "nginx", "nft", "iptables-save",
		"sshd", "systemctl", "systemd-run", "useradd", "userdel"} {
		m.must(os.Symlink("tools.sh", filepath.Join(bin, name)))
	}
}

func (m *machine) upload() {
	m.must(os.MkdirAll(m.sys.at(ReleaseDir("1.2.3", m.sum)), 0o755))
	m.must(os.WriteFile(m.sys.at(ReleaseDir("1.2.3", m.sum)+"/gca"), []byte(testRelease), 0o755))
}

func (m *machine) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func (m *machine) put(path, text string) {
	m.Helper()
	m.must(os.WriteFile(m.sys.at(path), []byte(text), 0o644))
}

func (m *machine) want(keys string) Want {
	w := testWant(m)
	w.SHA256, w.Keys = m.sum, NewSecret(keys)
	w.Settings = []Setting{{Name: "PORT", Value: m.port()}}
	return w
}

func (m *machine) port() string {
	_, port, err := net.SplitHostPort(m.sys.web)
	m.must(err)
	return port
}

// tree is everything under root but the lock, a journal's reserve and the worker's folder: kinds, modes, contents and targets.
func (m *machine) tree() []string {
	m.Helper()
	var lines []string
	m.must(filepath.WalkDir(m.sys.root, func(path string, d fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(m.sys.root, path)
		if err := errors.Join(err, relErr); err != nil || "/"+name == LockFile {
			return err
		}
		if "/"+name == runDir {
			return fs.SkipDir
		}
		if d.Name() == reserveFile {
			return nil // it has nothing to read
		}
		st, err := m.sys.state("/" + name)
		lines = append(lines, fmt.Sprintf("%s %s %o %d:%d %s %q", name, st.Kind, st.Mode, st.UID, st.GID, st.Target, st.Content))
		return err
	}))
	return lines
}

func (m *machine) same(before []string, when string) {
	m.Helper()
	if after := m.tree(); !slices.Equal(before, after) {
		m.Errorf("%s:\n%s", when, difference(before, after))
	}
}

var testTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// dial starts an agent and returns the laptop's side, the stream to close, and the agent's end.
func (m *machine) dial() (*Client, io.Closer, <-chan error) {
	m.Helper()
	c, laptop, ended := m.start()
	hello, err := c.Hello()
	m.must(err)
	if hello.Proto != Proto || hello.OS != "Debian 12" {
		m.Errorf("hello %+v", hello)
	}
	return c, laptop, ended
}

// start is dial before the agent has said anything.
func (m *machine) start() (*Client, io.Closer, <-chan error) { return m.startAs(m.agent()) }

func (m *machine) startAs(a Agent) (*Client, io.Closer, <-chan error) {
	toAgent, laptop := io.Pipe()
	fromAgent, agent := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := a.front(context.Background(), &m.sys.reader, toAgent, agent)
		ended <- errors.Join(err, agent.Close(), toAgent.Close())
	}()
	return NewClient(fromAgent, laptop), laptop, ended
}

// agent is the release's agent. Its workers run until their own end, which the test awaits.
func (m *machine) agent() Agent {
	return Agent{Version: "1.2.3", SHA256: m.sum, ReadSettings: readTestSettings, CommitTime: m.commitTime,
		Connection: "203.0.113.9 50000 192.0.2.1 22",
		launch: func(_ context.Context, s *system, gca string) error {
			if err := m.lastWorker(); err != nil {
				return err
			}
			l, err := listenWorker(s)
			if err != nil {
				return err
			}
			ctx, stop := context.WithCancelCause(context.Background())
			ended := make(chan error, 1)
			m.worker, m.stopWorker = ended, stop
			go func() { ended <- m.agent().work(ctx, newLike(s), l) }()
			return nil
		}}
}

// lastWorker waits for the end of the worker that was started last.
func (m *machine) lastWorker() error {
	if m.worker == nil {
		return nil
	}
	err := <-m.worker
	m.worker = nil
	m.stopWorker(nil)
	return err
}

func (m *machine) deploy(keys string) (Applied, []string, error) {
	m.Helper()
	m.upload()
	c, laptop, ended := m.dial()
	defer func() {
		m.must(laptop.Close())
		m.must(<-ended)
		m.must(m.lastWorker())
	}()
	m.must(c.SendWant(m.want(keys)))
	plan, err := c.Plan()
	if err != nil {
		return Applied{}, nil, err
	}
	var applied Applied
	var states []string
	if len(plan.Steps) > 0 {
		applied, err = c.Apply(Events{Step: func(e StepEvent) { states = append(states, e.ID+" "+string(e.State)) }})
		if err != nil {
			return applied, states, err
		}
		m.must(c.Proven())
	}
	_, err = c.Commit()
	return applied, states, err
}
