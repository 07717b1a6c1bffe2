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
	"strconv"
	"strings"
	"syscall"
	"time"
)

// candidate is something to put load on.
type candidate struct {
	name  string
	addr  string // host and port on this machine
	token string
	pid   int
}

// The candidates that are always there.
const (
	direct    = "direct" // the upstream itself, with nothing between
	floorName = "floor"
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
	dir  string // for what they write
	ends []func() error
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
	if err := errors.Join(cmd.Start()); err != nil {
		return 0, errors.Join(err, log.Close())
	}
	f.ends = append(f.ends, func() error {
		kill := cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it was told to end, and says so
		return errors.Join(kill, log.Close())
	})
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
		errs = append(errs, f.ends[i]())
	}
	return errors.Join(errs...)
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

// household starts the upstream and the candidates that are always there. keys is how many keys ours has.
func (f *family) household(gca string, keys int) (upstream string, all []candidate, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	var addrs [3]string
	for i := range addrs {
		if addrs[i], err = freeAddress(); err != nil {
			return "", nil, err
		}
	}
	up, err := f.start("upstream", addrs[0], nil, self, "upstream", addrs[0])
	if err != nil {
		return "", nil, err
	}
	low, err := f.start("floor", addrs[1], nil, self, "floor", addrs[1], addrs[0])
	if err != nil {
		return "", nil, err
	}
	host, port, err := net.SplitHostPort(addrs[2])
	if err != nil {
		return "", nil, err
	}
	env := []string{
		"GEMINI_API_KEYS=" + strings.Join(benchKeys(keys), ","), "GEMINI_BASE_URL=http://" + addrs[0], "HOST=" + host, "PORT=" + port,
		"CLIENT_TOKENS=" + benchToken, "STATE_URL=file://" + filepath.Join(f.dir, "state.db"), "MAX_CONCURRENT=100000",
	}
	our, err := f.start("gca", addrs[2], env, gca, "serve")
	if err != nil {
		return "", nil, err
	}
	return "http://" + addrs[0], []candidate{
		{direct, addrs[0], benchToken, up}, {floorName, addrs[1], benchToken, low}, {ours, addrs[2], benchToken, our},
	}, nil
}

func benchKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("AIzaSy-bench-key-%020d", i)
	}
	return keys
}
