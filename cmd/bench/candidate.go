package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// candidate is something to put load on.
type candidate struct {
	name  string
	addr  string // host and port on this machine
	token string
	pid   int
	more  []int // further processes, whose processor time counts too
}

// The candidates that are always there.
const (
	direct    = "direct" // the upstream itself, with nothing between
	floorName = "floor"
	before    = "before" // another build of ours
	ours      = "gca"
)

// parseCandidate reads NAME=URL; a password in the URL is the token to show.
func parseCandidate(text string) (candidate, error) {
	name, address, ok := strings.Cut(text, "=")
	u, err := url.Parse(address)
	if !ok || name == "" || err != nil || u.Scheme != "http" || u.Port() == "" {
		return candidate{}, fmt.Errorf("cannot read %q\nhint: candidates are NAME=http://127.0.0.1:PORT, with :TOKEN@ before the address where they want one", text)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		return candidate{}, err
	}
	c := candidate{name: name, addr: u.Host}
	c.token, _ = u.User.Password()
	c.pid, err = listener(port)
	return c, err
}

// family starts programs and ends them all.
type family struct {
	dir    string   // for what they write
	socket *os.File // what they inherit, nil is nothing
	ends   []ending
}

// start runs a program of the harness until end; it is ready when its address takes connections.
func (f *family) start(name, addr string, env []string, program string, args ...string) (int, error) {
	log, err := os.Create(filepath.Join(f.dir, name+".log"))
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	if f.socket != nil {
		cmd.ExtraFiles = []*os.File{f.socket}
	}
	if err := errors.Join(cmd.Start()); err != nil {
		return 0, errors.Join(err, log.Close())
	}
	f.ends = append(f.ends, ending{cmd.Process.Pid, func() error {
		kill := cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it was told to end, and says so
		return errors.Join(kill, log.Close())
	}})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			return cmd.Process.Pid, conn.Close()
		}
		select {
		case <-ctx.Done():
			text, _ := os.ReadFile(log.Name()) // the error says enough without
			return 0, fmt.Errorf("%s does not answer at %s: %w\n%s", name, addr, err, text)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// end ends what was started, the last first.
func (f *family) end() error {
	var errs []error
	for i := len(f.ends) - 1; i >= 0; i-- {
		errs = append(errs, f.ends[i].stop())
	}
	return errors.Join(errs...)
}

// endOf ends one program, and waits for that.
func (f *family) endOf(pid int) error {
	at := slices.IndexFunc(f.ends, func(e ending) bool { return e.pid == pid })
	err := f.ends[at].stop()
	f.ends = slices.Delete(f.ends, at, at+1)
	return err
}

// ending is how a program ends.
type ending struct {
	pid  int
	stop func() error
}

// freeAddress is an address of this machine that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

const benchToken = "gca-bench-client-token"

// household starts the upstream and the candidates that are always there, and gca as it was before where that is named.
func (f *family) household(s settings) (upstream string, all []candidate, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	up, err := f.member(direct, self, func(addr string) ([]string, []string) { return nil, []string{"upstream", addr} })
	if err != nil {
		return "", nil, err
	}
	low, err := f.member(floorName, self, func(addr string) ([]string, []string) { return nil, []string{"floor", addr, up.addr} })
	if err != nil {
		return "", nil, err
	}
	all = []candidate{up, low}
	for _, g := range []struct{ name, program string }{{before, s.before}, {ours, s.gca}} {
		if g.program == "" {
			continue
		}
		keys, err := f.keys(g.name, s.keys)
		if err != nil {
			return "", nil, err
		}
		c, err := f.member(g.name, g.program, func(addr string) ([]string, []string) {
			return f.settings(g.name, addr, up.addr, keys), []string{"serve"}
		})
		if err != nil {
			return "", nil, err
		}
		all = append(all, c)
	}
	if s.site != "" && s.gca != "" {
		c, err := f.behindNginx(s.site, all[len(all)-1])
		if err != nil {
			return "", nil, err
		}
		all = append(all, c)
	}
	return "http://" + up.addr, all, nil
}

// member starts a program at an address of its own; with tells its environment and arguments.
func (f *family) member(name, program string, with func(addr string) (env, args []string)) (candidate, error) {
	addr, err := freeAddress()
	if err != nil {
		return candidate{}, err
	}
	env, args := with(addr)
	pid, err := f.start(name, addr, env, program, args...)
	return candidate{name: name, addr: addr, token: benchToken, pid: pid}, err
}

// settings are those of gca: everything on that is on by itself. The keys are in a folder, since those of many do not fit into
// an environment.
func (f *family) settings(name, addr, upstream, keys string) []string {
	host, port, _ := strings.Cut(addr, ":")
	return []string{
		"CREDENTIALS_DIRECTORY=" + keys, "GEMINI_BASE_URL=http://" + upstream, "HOST=" + host, "PORT=" + port,
		"CLIENT_TOKENS=" + benchToken, "STATE_URL=file://" + filepath.Join(f.dir, name+".db"), "MAX_CONCURRENT=100000",
	}
}

// keys writes n keys where gca reads what systemd hands over, and tells the folder.
func (f *family) keys(name string, n int) (string, error) {
	text := strings.Join(benchKeys(n), "\n")
	folder := filepath.Join(f.dir, name+".keys")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return "", err
	}
	return folder, os.WriteFile(filepath.Join(folder, config.KeysFile), []byte(text), 0o600)
}

func benchKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("AIzaSy-bench-key-%020d", i)
	}
	return keys
}
