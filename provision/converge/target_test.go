package converge_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// target is a lab server and the release to deploy to it.
type target struct {
	*testing.T
	server *lab.Server
	binary string
	sum    string
}

func newTarget(t *testing.T, packages ...string) *target {
	t.Helper()
	return newTargetOn(t, lab.Options{Suite: os.Getenv("GCA_LAB_SUITE"), Packages: packages})
}

// preinstalled are the packages of a deploy, for tests that are not about installing them.
func preinstalled(more ...string) []string {
	return append([]string{"nginx", "ufw", "fail2ban", "python3-systemd", "unattended-upgrades", "logrotate"}, more...)
}

func newTargetOn(t *testing.T, opts lab.Options) *target {
	t.Helper()
	tg := &target{T: t, server: lab.Require(t, opts), binary: filepath.Join(t.TempDir(), "gca")}
	build := exec.Command("go", "build", "-o", tg.binary, "./testdata/standin")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the stand-in: %v\n%s", err, out)
	}
	data, err := os.ReadFile(tg.binary)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	tg.sum = hex.EncodeToString(sum[:])
	return tg
}

func (tg *target) sh(script string) string {
	tg.Helper()
	out, err := tg.server.Sh(tg.Context(), script)
	if err != nil {
		tg.Fatal(err)
	}
	return out
}

func (tg *target) dir() string { return converge.ReleaseDir("0.0.1", tg.sum) }

// upload puts the release where an agent can be started from it.
func (tg *target) upload() {
	tg.Helper()
	f, err := os.Open(tg.binary)
	if err != nil {
		tg.Fatal(err)
	}
	cmd := tg.server.Command(tg.Context(), "sh", "-euc",
		fmt.Sprintf("test -x %[1]s/gca || { mkdir -p %[1]s; cat >%[1]s/gca; chmod 755 %[1]s/gca; }", tg.dir()))
	cmd.Stdin = f
	if out, err := cmd.CombinedOutput(); err != nil {
		tg.Fatalf("upload: %v\n%s", err, out)
	}
	if err := f.Close(); err != nil {
		tg.Fatal(err)
	}
}

// session is one conversation with an agent on the server.
type session struct {
	*converge.Client
	cmd   *exec.Cmd
	stdin io.Closer
	hello converge.Hello
}

func (tg *target) dial() *session {
	tg.Helper()
	tg.upload()
	cmd := tg.server.Command(tg.Context(), tg.dir()+"/gca", "agent")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		tg.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		tg.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		tg.Fatal(err)
	}
	s := &session{Client: converge.NewClient(stdout, stdin), cmd: cmd, stdin: stdin}
	if s.hello, err = s.Hello(); err != nil {
		tg.Fatal(err)
	}
	return s
}

func (tg *target) want(keys string) converge.Want {
	w := converge.Want{
		Version: "0.0.1", SHA256: tg.sum, Templates: map[string]string{}, Keys: converge.NewSecret(keys),
		Settings: []converge.Setting{{Name: "HOST", Value: "127.0.0.1"}, {Name: "PORT", Value: "8000", Default: true}},
	}
	for _, name := range converge.TemplateNames() {
		text, err := os.ReadFile(filepath.Join("..", "..", "templates", name))
		if err != nil {
			tg.Fatal(err)
		}
		w.Templates[name] = string(text)
	}
	return w
}

// planned is a session whose plan has been made.
func (tg *target) planned(keys string) (*session, converge.PlanMessage, error) {
	tg.Helper()
	s := tg.dial()
	if err := s.SendWant(tg.want(keys)); err != nil {
		tg.Fatal(err)
	}
	plan, err := s.Plan()
	return s, plan, err
}

// deploy applies and commits.
func (tg *target) deploy(keys string) (converge.Applied, error) {
	tg.Helper()
	s, plan, err := tg.planned(keys)
	if err != nil {
		return converge.Applied{}, err
	}
	var applied converge.Applied
	if len(plan.Steps) > 0 {
		if applied, err = s.Apply(converge.Events{}); err != nil {
			return applied, err
		}
		if err := s.Proven(); err != nil {
			return applied, err
		}
	}
	_, err = s.Commit()
	return applied, errors.Join(err, s.cmd.Wait())
}

// tree lists what lies on the server: kinds, modes, owners, contents. Caches and logs are nobody's settings, and
// /var/www and ucf's bookkeeping are what Debian's own packages leave behind when they are purged.
func (tg *target) tree() string {
	tg.Helper()
	return tg.sh(`find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /dev -o -path /root \
		-o -path /var/cache -o -path /var/www -o -path /var/lib/ucf -o -path /var/log -o -path /var/tmp -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/systemd \
		-o -path /etc/passwd- -o -path /etc/group- -o -path /etc/shadow- -o -path /etc/gshadow- -o -path /etc/ld.so.cache \) -prune -o -printf '%p %y %m %u %g %l\n' | sort
	find /etc /opt /usr/local /var/lib/gca /lib/systemd/system -xdev -type f ! -name '*-' ! -name ld.so.cache -exec sha256sum {} + 2>/dev/null | sort -k2 || true`)
}

func (tg *target) same(before, when string) {
	tg.Helper()
	after := tg.tree()
	if before == after {
		return
	}
	old := map[string]bool{}
	for line := range strings.Lines(before) {
		old[line] = true
	}
	now := map[string]bool{}
	for line := range strings.Lines(after) {
		if now[line] = true; !old[line] {
			tg.Errorf("%s: new: %s", when, strings.TrimSpace(line))
		}
	}
	for line := range old {
		if !now[line] {
			tg.Errorf("%s: gone: %s", when, strings.TrimSpace(line))
		}
	}
}

func (tg *target) get(path string) (int, string) {
	tg.Helper()
	resp, err := http.Get("http://" + tg.server.Addr + path)
	if err != nil {
		tg.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		tg.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
