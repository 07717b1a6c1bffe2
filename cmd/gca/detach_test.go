package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// underway is a gca that runs beside the test.
type underway struct {
	r    *rig
	cmd  *exec.Cmd
	out  bytes.Buffer
	said chan string // lines of its standard error
	err  strings.Builder
}

// begin starts gca, and returns when a line of its standard error says at.
func (r *rig) begin(at string, env []string, args ...string) *underway {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 3*time.Minute)
	r.t.Cleanup(cancel)
	u := &underway{r: r, cmd: exec.CommandContext(ctx, r.gca, args...), said: make(chan string)}
	u.cmd.Env = append([]string{"HOME=" + r.home, "PATH=" + os.Getenv("PATH")}, env...)
	u.cmd.Stdout = &u.out
	stderr, err := u.cmd.StderrPipe()
	if err == nil {
		err = u.cmd.Start()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	go func() {
		defer close(u.said)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			u.said <- lines.Text()
		}
	}()
	for text := range u.said {
		u.err.WriteString(text + "\n")
		if strings.Contains(text, at) {
			return u
		}
	}
	r.t.Fatalf("gca never said %q: %v\n%s", at, u.cmd.Wait(), u.err.String())
	return nil
}

// interrupt presses Ctrl-C.
func (u *underway) interrupt() result {
	u.r.t.Helper()
	if err := u.cmd.Process.Signal(os.Interrupt); err != nil {
		u.r.t.Fatal(err)
	}
	return u.end()
}

// end waits for gca to end by itself.
func (u *underway) end() result {
	u.r.t.Helper()
	for text := range u.said {
		u.err.WriteString(text + "\n")
	}
	var exit *exec.ExitError
	if err := u.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		u.r.t.Fatal(err)
	}
	return result{u.out.String(), u.err.String(), u.cmd.ProcessState.ExitCode()}
}

// holdPackages takes dpkg's lock on the server, so that a deploy that installs something stands still.
func (r *rig) holdPackages() {
	r.t.Helper()
	r.on(`cat >/root/hold <<'END'
import fcntl, time
f = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(f, fcntl.LOCK_EX)
open("/run/held", "w")
time.sleep(600)
END
systemd-run -q --unit=hold python3 /root/hold
for i in $(seq 100); do [ -e /run/held ] && exit 0; sleep 0.1; done; exit 1`)
}

func (r *rig) letPackagesGo() {
	r.t.Helper()
	r.on("systemctl stop hold; rm -f /root/hold /run/held")
}

const holding = "waiting for the dpkg lock, held by python3"

// wantEnd checks how a command ended, and what it said.
func wantEnd(t testing.TB, what string, got result, code int, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(got.out+got.err, want) {
			t.Errorf("%s: want %q in:\n%s%s", what, want, got.out, got.err)
		}
	}
	if got.code != code {
		t.Errorf("%s: exit code %d, want %d\n%s%s", what, got.code, code, got.out, got.err)
	}
}

// Ctrl-C costs nothing: the bytes that arrived stay, and what was begun goes on; a plain re-run finishes.
func TestDeploy_interrupted(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	before := r.on(everything)
	got := r.begin("sending gca", withKeys(), r.deployArgs()...).interrupt()
	wantEnd(t, "Ctrl-C while sending", got, exitInterrupted, "interrupted")
	for text := range strings.Lines(differ(before, r.on(everything))) {
		if !strings.HasPrefix(text, "+ /opt/gemini-adapter") {
			t.Errorf("an interrupted upload left: %s", text)
		}
	}
	got = r.begin("✓ write /etc/systemd", withKeys(), r.deployArgs()...).interrupt()
	wantEnd(t, "Ctrl-C while applying", got, exitInterrupted, "the server goes on by itself", "gca deploy --", "--abort "+r.target())
	again := r.run(withKeys(), r.deployArgs()...)
	wantEnd(t, "the deploy after it", again, exitOK, "an unfinished deploy of release", "Client token, shown this once", "✓ make the system user gemini", "done in")
	r.ok(nil, "test")
	wantEnd(t, "one more", r.run(nil, r.deployArgs()...), exitOK, "up to date")
}

// An unfinished deploy is put back at a word, from wherever it is.
func TestDeploy_abort(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	r.on("apt-get -q -y purge ufw 2>&1") // so that there is something to install
	before := r.on(everything)
	abort := append(append([]string{"deploy", "--abort"}, r.login()...), r.target())
	wantEnd(t, "nothing to put back, no adapter", r.run(nil, abort...), exitOK, "there is nothing to put back")
	r.holdPackages()
	got := r.begin(holding, withKeys(), r.deployArgs()...).interrupt()
	wantEnd(t, "Ctrl-C while waiting for a lock", got, exitInterrupted, "the server goes on by itself")
	wantEnd(t, "--abort", r.run(nil, abort...), exitOK, "an unfinished deploy of release", "was put back")
	r.letPackagesGo()
	if after := r.on(everything); after != before {
		t.Errorf("not everything was put back:\n%s", differ(before, after))
	}
	wantEnd(t, "nothing to put back", r.run(nil, abort...), exitOK, "there is nothing to put back")
}

// One deploy at a time: another laptop, and another gca, are told who is at work; a person may take over.
func TestDeploy_twoLaptops(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	r.on("apt-get -q -y purge ufw 2>&1") // so that there is something to install
	r.holdPackages()
	first := r.begin(holding, withKeys(), r.deployArgs()...)

	wantEnd(t, "another laptop", r.run(withKeys(), r.deployArgs()...), exitLocked, "a deploy of this server is at work: release ",
		"from "+r.server.Gateway+", which is yours: perhaps in another terminal", "; waiting for up to 25 s", "a deploy of this server is at work already", "hint: ")
	other := r.otherGCA()
	wantEnd(t, "another gca", r.run(withKeys(), r.deployArgs("--binary", other)...), exitLocked, "a deploy by another gca is at work on this server: pid ", "hint: ")

	args := append(append([]string{"deploy", "--gemini-base-url", r.base}, r.login()...), r.target())
	no := r.typed(withKeys(), []answer{{"Go on with it from here instead?", "n"}}, args...)
	wantEnd(t, "a person who says no", no, exitLocked, "another terminal")
	second := make(chan result)
	go func() {
		second <- r.typed(withKeys(), []answer{{"Go on with it from here instead?", "y"}}, args...)
	}()
	wantEnd(t, "the first laptop", first.end(), exitLocked, "another laptop", "has taken this deploy over")
	r.letPackagesGo()
	wantEnd(t, "the one that took over", <-second, exitOK, "Client token, shown this once")
	r.ok(nil, "test")
}

// A laptop that sleeps, or whose connection was cut without a word, stands in nobody's way for long.
func TestDeploy_silentLaptop(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	r.on("apt-get -q -y purge ufw 2>&1")
	r.holdPackages()
	first := r.begin(holding, withKeys(), r.deployArgs()...)
	r.saysDeploying()
	first.signal("STOP")
	second := r.begin("this is what happened meanwhile", withKeys(), r.deployArgs()...)
	first.signal("CONT")
	wantEnd(t, "the laptop that slept", first.end(), exitLocked, "has taken this deploy over")
	r.letPackagesGo()
	wantEnd(t, "the one that went on", second.end(), exitOK, "Client token, shown this once")
}

// saysDeploying looks at a server that a deploy is at work on: its half-way state is no damage.
func (r *rig) saysDeploying() {
	r.t.Helper()
	for look, code := range map[string]int{"status": exitLocked, "doctor": exitFailed} {
		got := r.run(nil, append(append([]string{look}, r.login()...), r.target())...)
		wantEnd(r.t, look+" while a deploy is at work", got, code, "a deploy is at work", "wait for it")
		for _, wrong := range []string{"the plan", "systemctl", "gca start", "gca deploy", "the last deploy"} {
			if strings.Contains(got.out+got.err, wrong) {
				r.t.Errorf("%s while a deploy is at work speaks of %q:\n%s%s", look, wrong, got.out, got.err)
			}
		}
	}
	plan := r.run(nil, append(append([]string{"plan"}, r.login()...), r.target())...)
	wantEnd(r.t, "a plan while a deploy is at work", plan, exitPending, "a deploy is at work since ", "the plan is for the server as it is at this moment")
}

// A laptop that dies for good leaves a deploy that waits: whoever looks is told so, with when it is put back and what to do, from the
// laptop and on the server.
func TestDeploy_silentLaptopForGood(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	deaf := " INPUT -p tcp --dport 80 -s " + r.server.Gateway + " -j DROP"
	r.on("iptables -I" + deaf) // so that nothing is committed
	dying := r.begin("looking at http://", withKeys(), r.deployArgs()...)
	dying.signal("KILL")
	if got := dying.end(); got.code == exitOK {
		t.Fatalf("%+v", got)
	}
	r.on("iptables -D" + deaf)
	host := append(r.login(), r.target())
	waits := []string{"an unfinished deploy waits to be finished: at ", " (UTC) it is put", "gca deploy ", r.target() + "   # finishes it, and gca deploy --abort ", r.target() + " puts it back"}
	for tries := 0; tries < 20 && !strings.Contains(r.run(nil, append([]string{"status"}, host...)...).out, waits[0]); tries++ { // the server hears of the death
	}
	wantEnd(t, "status", r.run(nil, append([]string{"status"}, host...)...), exitFailed, append(waits, "healthy")...)
	wantEnd(t, "doctor", r.run(nil, append([]string{"doctor"}, host...)...), exitFailed, waits...)
	dry := r.run(nil, r.deployArgs("--dry-run")...)
	wantEnd(t, "deploy --dry-run", dry, exitPending, waits...)
	if strings.Contains(dry.out+dry.err, "would change nothing") {
		t.Errorf("deploy --dry-run:\n%s%s", dry.out, dry.err)
	}
	for _, look := range []string{"status", "doctor"} {
		wantText(t, r.on("if gemini-manage "+look+"; then exit 1; fi"), waits[0], "gca deploy HOST ", "gca deploy --abort HOST ")
	}
	wantEnd(t, "the deploy that finishes it", r.run(withKeys(), r.deployArgs()...), exitOK, "Client token, shown this once")
	wantEnd(t, "doctor", r.doctor(), exitOK, "all well")
	r.ok(nil, append([]string{"status"}, host...)...)
}

// Nor does it stand in the way of --abort.
func TestDeploy_abortSilent(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	r.on("apt-get -q -y purge ufw 2>&1")
	before := r.on(everything)
	r.holdPackages()
	first := r.begin(holding, withKeys(), r.deployArgs()...)
	first.signal("STOP")
	abort := append(append([]string{"deploy", "--abort"}, r.login()...), r.target())
	wantEnd(t, "--abort", r.run(nil, abort...), exitOK, "a deploy of this server is at work: release ", "was put back")
	first.signal("CONT")
	wantEnd(t, "the laptop that slept", first.end(), exitLocked, "has taken this deploy over")
	r.letPackagesGo()
	if after := r.on(everything); after != before {
		t.Errorf("not everything was put back:\n%s", differ(before, after))
	}
}

func (u *underway) signal(name string) {
	u.r.t.Helper()
	if out, err := exec.Command("kill", "-"+name, strconv.Itoa(u.cmd.Process.Pid)).CombinedOutput(); err != nil {
		u.r.t.Fatalf("%v: %s", err, out)
	}
}

// A deploy that was put back with nobody there is told of by the next one, once.
func TestDeploy_putBackAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	r.on("apt-get -q -y purge ufw 2>&1")
	r.holdPackages()
	got := r.begin(holding, withKeys(), r.deployArgs()...).interrupt()
	wantEnd(t, "Ctrl-C", got, exitInterrupted, "the server goes on by itself")
	r.on("systemctl stop gca-deploy.service")
	r.letPackagesGo()
	plan := append(append([]string{"plan"}, r.login()...), r.target())
	wantEnd(t, "a plan", r.run(nil, plan...), exitPending, "it was put back")
	wantEnd(t, "the next deploy", r.run(withKeys(), r.deployArgs()...), exitOK, "it was put back", "Client token, shown this once")
	if again := r.run(nil, r.deployArgs()...); strings.Contains(again.err, "it was put back") || again.code != exitOK {
		t.Errorf("exit code %d\n%s", again.code, again.err)
	}
}

// A deploy that comes while another one is being put back, which had been applied whole, waits for the end of that, and then does
// its own work.
func TestDeploy_whilePutBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	deaf := " INPUT -p tcp --dport 80 -s " + r.server.Gateway + " -j DROP"
	r.on("apt-get -q -y purge ufw 2>&1; iptables -I" + deaf) // so that nothing is committed, and there is a package to take away again
	got := r.begin("looking at http://", withKeys(), r.deployArgs()...).interrupt()
	wantEnd(t, "Ctrl-C while looking", got, exitInterrupted, "the server goes on by itself")
	r.holdPackages()
	abort := r.begin("an unfinished deploy of release", nil, append(append([]string{"deploy", "--abort"}, r.login()...), r.target())...)
	r.on("for i in $(seq 300); do grep -q undone /var/lib/gca/journal/open/journal && exit 0; sleep 0.1; done; exit 1")
	wantEnd(t, "Ctrl-C while it is put back", abort.interrupt(), exitInterrupted, "the server goes on by itself")
	again := r.begin("it is being put back", withKeys(), r.deployArgs()...)
	r.letPackagesGo()
	r.on("iptables -D" + deaf)
	wantEnd(t, "the deploy after it", again.end(), exitOK, "called off by gca deploy --abort", "everything was put back", "Client token, shown this once")
	r.ok(nil, "test")
}

// otherGCA is a binary that differs from the rig's in a byte that nothing reads.
func (r *rig) otherGCA() string {
	r.t.Helper()
	text, err := os.ReadFile(r.gca)
	if err != nil {
		r.t.Fatal(err)
	}
	path := filepath.Join(r.t.TempDir(), "gca")
	if err := os.WriteFile(path, append(text, 0), 0o755); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// An unfinished deploy of another release is followed to its end; then comes what this one wants.
func TestDeploy_otherRelease(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	r.deploy()
	release := r.on("readlink /opt/gemini-adapter/current")
	got := r.begin("✓ point /opt/gemini-adapter/current", nil, r.deployArgs("--binary", r.otherGCA())...).interrupt()
	wantEnd(t, "Ctrl-C while upgrading", got, exitInterrupted, "the server goes on by itself")
	wantEnd(t, "the deploy after it", r.run(nil, r.deployArgs()...), exitOK, "an unfinished deploy of release", "✓ point /opt/gemini-adapter/current to "+strings.TrimSpace(release))
	if now := r.on("readlink /opt/gemini-adapter/current"); now != release {
		t.Errorf("%s is the current release, not %s", now, release)
	}
	r.ok(nil, "test")
}

// A link on which nothing arrives any more is explained before it is given up; what was begun goes on meanwhile.
func TestDeploy_stalled(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	far, link := r.over(lab.LinkOptions{})
	u := far.begin("✓ make the system user gemini", withKeys(), far.deployArgs()...)
	link.Break(lab.Stall)
	wantEnd(t, "a stalled link", u.end(), exitUnreachable, "nothing heard from "+far.host+" for 1", "Ctrl-C and deploy again costs nothing",
		"the server goes on by itself", "gca deploy --", "--abort "+far.target())
	link.Heal()
	wantEnd(t, "the deploy after it", far.run(withKeys(), far.deployArgs()...), exitOK, "an unfinished deploy of release", "Client token, shown this once")
}
