package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/lab"
	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// goodKeys are what the rig's fake accepts.
var goodKeys = []string{"good-key-one-1111", "good-key-two-2222", "good-key-three-3333"}

// ready are the packages that a deploy installs. On servers that have them it takes seconds.
func ready(more ...string) []string {
	return append([]string{"fail2ban", "logrotate", "nginx", "python3-systemd", "ufw", "unattended-upgrades"}, more...)
}

// rig is a user with a home, a lab server to deploy to, and a fake of Gemini that the server can reach.
type rig struct {
	t      testing.TB
	gca    string
	home   string
	server *lab.Server
	user   string // who logs in; deploys go to
	host   string // this: the server's address, or a link's
	fake   *fakegemini.Server
	base   string // the fake's URL as the server sees it
}

// newRig boots a server with packages preinstalled. Without them a deploy installs its own.
func newRig(t testing.TB, packages ...string) *rig {
	t.Helper()
	return newRigOn(t, lab.Options{Suite: os.Getenv("GCA_LAB_SUITE"), Packages: packages})
}

// newRigOn boots a server of that kind. Its user is root.
func newRigOn(t testing.TB, o lab.Options) *rig {
	t.Helper()
	r := &rig{t: t, home: t.TempDir(), user: "root", server: lab.Require(t, o)}
	r.host = r.server.Addr
	if strings.Contains(r.host, ":") {
		r.host = "[" + r.host + "]"
	}
	r.gca = buildOnce(t)
	r.fake = fakegemini.New(fakegemini.Options{Keys: goodKeys})
	base, err := r.fake.Listen(net.JoinHostPort(r.server.Gateway, "0"))
	if err != nil {
		t.Fatal(err)
	}
	r.base = base
	t.Cleanup(func() {
		if err := r.fake.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// in is the rig in the hands of a subtest.
func (r *rig) in(t testing.TB) *rig {
	part := *r
	part.t = t
	return &part
}

// as is the rig of another user of the server.
func (r *rig) as(user string) *rig {
	other := *r
	other.user = user
	return &other
}

// over is the rig with a link between the user and the server.
func (r *rig) over(o lab.LinkOptions) (*rig, *lab.Link) {
	r.t.Helper()
	link := lab.NewLink(r.t, r.server, o)
	far := *r
	far.host = link.Addr
	return &far, link
}

// result is how a command ended.
type result struct {
	out, err string
	code     int
}

// run runs gca as the rig's user.
func (r *rig) run(env []string, args ...string) result {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), r.gca, args...)
	cmd.Env = append([]string{"HOME=" + r.home, "PATH=" + os.Getenv("PATH")}, env...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return result{out.String(), complaint.String(), cmd.ProcessState.ExitCode()}
}

// watched runs gca and shows each line of its standard error to see, as it comes.
func (r *rig) watched(see func(line string, p *os.Process), env []string, args ...string) result {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.gca, args...)
	cmd.Env = append([]string{"HOME=" + r.home, "PATH=" + os.Getenv("PATH")}, env...)
	var out, said bytes.Buffer
	cmd.Stdout = &out
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		see(lines.Text(), cmd.Process)
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		r.t.Fatalf("gca %s: %v, %v\n%s", strings.Join(args, " "), err, ctx.Err(), said.String())
	}
	return result{out.String(), said.String(), cmd.ProcessState.ExitCode()}
}

// ok runs gca and fails the test unless it succeeds.
func (r *rig) ok(env []string, args ...string) result {
	r.t.Helper()
	got := r.run(env, args...)
	if got.code != 0 {
		r.t.Fatalf("gca %s: exit code %d\n%s%s", strings.Join(args, " "), got.code, got.out, got.err)
	}
	return got
}

// person runs gca as the rig's user: at a terminal where sudo wants a password. It must succeed.
func (r *rig) person(env []string, args ...string) result {
	r.t.Helper()
	if r.user != "sudoer" {
		return r.ok(env, args...)
	}
	got := r.typed(env, []answer{{"Password of sudoer for sudo", lab.SudoerPassword}}, args...)
	if got.code != 0 {
		r.t.Fatalf("gca %s: exit code %d\n%s", strings.Join(args, " "), got.code, got.out)
	}
	return got
}

func (r *rig) target() string { return r.user + "@" + r.host }

// login are the flags that get this user in without questions.
func (r *rig) login() []string {
	return []string{"-i", r.server.KeyFile, "--host-key", r.server.HostKeys[0].Fingerprint}
}

// named is how hints name the rig's server.
func (r *rig) named() string { return "-i " + r.server.KeyFile + " " + r.target() }

func (r *rig) deployArgs(more ...string) []string {
	args := append([]string{"deploy", "--yes", "--gemini-base-url", r.base}, r.login()...)
	return append(append(args, more...), r.target())
}

// withKeys is the environment of a user who has good keys.
func withKeys() []string { return []string{keysVariable + "=" + strings.Join(goodKeys, ",")} }

func (r *rig) deploy() result {
	r.t.Helper()
	return r.ok(withKeys(), r.deployArgs()...)
}

func wantText(t testing.TB, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in:\n%s", want, text)
		}
	}
}

// on runs a shell script on the server as root and returns what it printed.
func (r *rig) on(script string) string {
	r.t.Helper()
	out, err := r.server.Sh(r.t.Context(), script)
	if err != nil {
		r.t.Fatalf("on the server: %v", err)
	}
	return out
}

func buildOnce(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		built.path = filepath.Join(built.dir, "gca")
		built.out, built.err = build(built.path, "-s -w")
	})
	if built.err != nil {
		t.Fatalf("go build: %v\n%s", built.err, built.out)
	}
	return built.path
}

func build(file, ldflags string, more ...string) ([]byte, error) {
	cmd := exec.Command("go", append(append([]string{"build", "-trimpath", "-ldflags", ldflags, "-o", file}, more...), ".")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return cmd.CombinedOutput()
}
