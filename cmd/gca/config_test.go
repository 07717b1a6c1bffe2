package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

const secretKey = "AIza-very-secret-key-4444"

// verb is a command line of gca with this user's login: words is the verb, what its subcommand is, and what follows the host.
func (r *rig) verb(words []string, more ...string) []string {
	args := append(append([]string{}, words...), r.login()...)
	return append(append(args, r.target()), more...)
}

// words splits a verb.
func words(text string) []string { return strings.Fields(text) }

// fails runs gca and fails the test unless it ends with code and says want.
func (r *rig) fails(env []string, code int, want string, args ...string) result {
	r.t.Helper()
	got := r.run(env, args...)
	if got.code != code || !strings.Contains(got.err, want) {
		r.t.Errorf("gca %s: exit code %d, want %d and %q\n%s%s", strings.Join(args, " "), got.code, code, want, got.out, got.err)
	}
	return got
}

// unchanged runs f and fails the test if that changes or restarts anything on the server.
func (r *rig) unchanged(f func()) {
	r.t.Helper()
	before := r.on(everything) + r.on(running)
	f()
	if after := r.on(everything) + r.on(running); after != before {
		r.t.Errorf("something changed:\n%s", differ(before, after))
	}
}

// serves fails the test unless the adapter answers through Nginx, on each of many new connections.
func (r *rig) serves() {
	r.t.Helper()
	asker := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for range 20 {
		resp, err := asker.Get("http://" + r.server.Addr + "/health")
		if err != nil {
			r.t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
			r.t.Fatalf("/health answers %d, %v", resp.StatusCode, err)
		}
	}
}

// script writes a shell script for this user and returns its path.
func (r *rig) script(name, text string) string {
	r.t.Helper()
	file := filepath.Join(r.t.TempDir(), name)
	if err := os.WriteFile(file, []byte("#!/bin/sh\nset -eu\n"+text+"\n"), 0o700); err != nil {
		r.t.Fatal(err)
	}
	return file
}

// The operator changes settings, on the server and from a laptop.
func TestConfig(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	r.deploy()
	t.Run("get", func(t *testing.T) { testConfigGet(t, r.in(t)) })
	t.Run("set moves socket and Nginx", func(t *testing.T) { testConfigSet(t, r.in(t)) })
	t.Run("set refuses", func(t *testing.T) { testConfigRefused(t, r.in(t)) })
	t.Run("set goes back", func(t *testing.T) { testConfigBack(t, r.in(t)) })
	t.Run("secrets", func(t *testing.T) { testConfigSecrets(t, r.in(t)) })
	t.Run("set goes on alone", func(t *testing.T) { testConfigAlone(t, r.in(t)) })
	t.Run("edit on the server", func(t *testing.T) { testEditHere(t, r.in(t)) })
	t.Run("edit from a laptop", func(t *testing.T) { testEditAfar(t, r.in(t)) })
	t.Run("edit at a terminal", func(t *testing.T) { testEditTyped(t, r.in(t)) })
	t.Run("users", func(t *testing.T) { testConfigUsers(t, r.in(t)) })
	t.Run("restart", func(t *testing.T) { testRestart(t, r.in(t)) })
}

func testConfigGet(t *testing.T, r *rig) {
	if got := r.on("gemini-manage config get PORT"); got != "8000\n" {
		t.Errorf("config get PORT printed %q", got)
	}
	got := r.ok(nil, r.verb(words("config get"))...)
	for _, want := range []string{"PORT=8000\n", "HOST=127.0.0.1\n", "MAX_BODY=50MB  (default)\n", "GEMINI_BASE_URL=" + r.base + "\n"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("config get lacks %q:\n%s", want, got.out)
		}
	}
	got = r.ok(nil, r.verb(words("config get"), "MAX_BODY", "--json")...)
	var report struct {
		Schema   int
		Settings []struct{ Name, Value, Source string }
	}
	if err := json.Unmarshal([]byte(got.out), &report); err != nil || report.Schema != 1 || len(report.Settings) != 1 || report.Settings[0].Source != "default" {
		t.Errorf("config get --json printed %s (%v)", got.out, err)
	}
	r.fails(nil, exitUsage, "PROT: no such setting", r.verb(words("config get"), "PROT")...)
}

func testConfigSet(t *testing.T, r *rig) {
	before := r.on("cat /etc/gemini-adapter/adapter.env")
	got := r.ok(nil, r.verb(words("config set"), "PORT=9100", "MAX_BODY=1MB", "DRAIN_TIMEOUT=20")...)
	if planned, done := strings.Index(got.err, "  + restart the adapter"), strings.Index(got.err, "  ✓ "); planned < 0 || done < planned {
		t.Errorf("config set did not show its steps before it took them:\n%s", got.err)
	}
	r.serves()
	state := r.on("systemctl show -p Listen gemini-adapter.socket; systemctl show -p TimeoutStopUSec gemini-adapter; cat /etc/nginx/sites-available/gemini-adapter /etc/gemini-adapter/adapter.env")
	for _, want := range []string{"127.0.0.1:9100", "TimeoutStopUSec=30s", "client_max_body_size 1048576", "PORT=9100", "MAX_BODY=1MB"} {
		if !strings.Contains(state, want) {
			t.Errorf("no %q in\n%s", want, state)
		}
	}
	if old := r.on("cat /etc/gemini-adapter/adapter.env.old"); old != before {
		t.Errorf("the old file became\n%s\nand was\n%s", old, before)
	}
	if mode := r.on("stat -c '%a %U %G' /etc/gemini-adapter/adapter.env.old"); mode != "640 root gemini\n" {
		t.Errorf("the old file has %s", mode)
	}
	r.unchanged(func() {
		for _, again := range []string{
			r.ok(nil, r.verb(words("config set"), "PORT=9100", "MAX_RETRIES=")...).err,
			r.on("gemini-manage config set PORT=9100 2>&1"),
		} {
			if !strings.Contains(again, "nothing was changed") {
				t.Errorf("what is so already gives:\n%s", again)
			}
		}
	})
	r.on("gemini-manage config set MAX_BODY= 2>&1")
	if got := r.on("gemini-manage config get MAX_BODY; grep -c MAX_BODY /etc/gemini-adapter/adapter.env || true"); got != "50MB\n0\n" {
		t.Errorf("a setting that was taken out leaves %q", got)
	}
}

func testConfigRefused(t *testing.T, r *rig) {
	r.on("systemd-run -q --unit=squatter python3 -m http.server 9300 --bind 127.0.0.1; until ss -ltn | grep -q :9300; do sleep 0.1; done")
	r.unchanged(func() {
		f := func(code int, want string, more ...string) {
			t.Helper()
			r.fails(nil, code, want, r.verb(words("config set"), more...)...)
		}
		f(exitUsage, `PORT="99999": expected a whole number from 1 to 65535`, "MAX_RETRIES=3", "PORT=99999")
		f(exitUsage, "PROT: no such setting", "PROT=1")
		f(exitUsage, "PORT is given twice", "PORT=1", "PORT=2")
		f(exitUsage, "hint: GEMINI_API_KEYS=- reads it from standard input", "GEMINI_API_KEYS="+secretKey)
		f(exitUsage, "GEMINI_API_KEYS: nothing was given", "GEMINI_API_KEYS=-")
		f(exitUsage, "an argument is missing")
		f(exitRefused, "Nginx", "PORT=80")
		f(exitRefused, "9300", "PORT=9300")
		if got := r.on("gemini-manage config set PORT=x 2>&1 || echo code $?"); !strings.Contains(got, `PORT="x": expected a whole number`) || !strings.Contains(got, "code 2") {
			t.Errorf("on the server PORT=x gives:\n%s", got)
		}
	})
	r.on("systemctl stop squatter")
}

// testConfigBack has the adapter fail to start with a setting that is right in itself.
func testConfigBack(t *testing.T, r *rig) {
	r.on(`mkdir /etc/systemd/system/gemini-adapter.service.d
printf '[Service]\nExecStartPre=/bin/sh -c "! grep -q MAX_RETRIES=7 /etc/gemini-adapter/adapter.env"\n' >/etc/systemd/system/gemini-adapter.service.d/picky.conf
systemctl daemon-reload`)
	before := r.on(everything)
	r.fails(nil, exitRolledBack, "everything was put back", r.verb(words("config set"), "MAX_RETRIES=7", "PORT=9400")...)
	if after := r.on(everything); after != before {
		t.Errorf("a change that failed left something:\n%s", differ(before, after))
	}
	r.serves()
	r.on("rm -r /etc/systemd/system/gemini-adapter.service.d; systemctl daemon-reload")
}

// testConfigAlone loses sight of changes that the server then finishes.
func testConfigAlone(t *testing.T, r *rig) {
	r.on(`mkdir /etc/systemd/system/gemini-adapter.service.d
printf '[Service]\nExecStartPre=sleep 2\n' >/etc/systemd/system/gemini-adapter.service.d/slow.conf; systemctl daemon-reload`)
	finished := func(what string, got result, code int, far *rig, port string) {
		t.Helper()
		wantEnd(t, what, got, code, "the server goes on with it by itself", "hint: `gca config get "+far.named()+"`")
		r.on("i=0; until [ $((i += 1)) -gt 200 ] || ss -Hltn | grep -q :" + port + " && flock -n /run/gca.lock true && [ $(gemini-manage config get PORT) = " + port + " ]; do sleep 0.1; done; [ $i -le 200 ]")
		r.serves()
	}
	finished("Ctrl-C", r.begin("  + restart the adapter", nil, r.verb(words("config set"), "PORT=9450")...).interrupt(), exitInterrupted, r, "9450")
	far, link := r.over(lab.LinkOptions{})
	cut := far.begin("  + restart the adapter", nil, far.verb(words("config set"), "PORT=9460")...)
	link.Break(lab.Reset)
	finished("a cut", cut.end(), exitUnreachable, far, "9460")
	r.on("rm -r /etc/systemd/system/gemini-adapter.service.d; systemctl daemon-reload")
}

func testConfigSecrets(t *testing.T, r *rig) {
	r.on(sampler)
	stdin := r.script("keys", "")
	if err := os.WriteFile(stdin, []byte(goodKeys[0]+","+secretKey+"\nsecret-client-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := r.piped(stdin, r.verb(words("config set"), "GEMINI_API_KEYS=-", "MAX_RETRIES=3", "CLIENT_TOKENS=-", otherBase(r))...)
	r.on("systemctl stop sampler")
	shown := got.out + got.err + r.ok(nil, r.verb(words("config get"))...).out
	if !strings.Contains(shown, "CLIENT_TOKENS=1 hidden") || !strings.Contains(shown, "-4444\n") {
		t.Errorf("keys and tokens are not named:\n%s", shown)
	}
	shown += r.on("cat /root/seen; journalctl --no-pager -o cat; cat /var/log/nginx/*.log; find /var/lib/gca /run/gca -type f -exec cat {} + 2>/dev/null || true")
	if !strings.Contains(shown, "gemini-manage config set") {
		t.Error("the command was not seen at all")
	}
	if strings.Contains(shown, secretKey) || strings.Contains(shown, "secret-client-token") {
		t.Error("a secret shows")
	}
	r.on("grep -q " + secretKey + " /etc/gemini-adapter/adapter.env")
	r.ok(nil, r.verb(words("config set"), "GEMINI_API_KEYS=", "CLIENT_TOKENS=")...)
}

// piped runs gca with a file as its standard input.
func (r *rig) piped(stdin string, args ...string) result {
	r.t.Helper()
	wrapped := *r
	wrapped.gca = r.script("piped", `exec '`+r.gca+`' "$@" <'`+stdin+`'`)
	return wrapped.ok(nil, args...)
}

func testEditHere(t *testing.T, r *rig) {
	const noCopy = "; ls -d /run/gca-edit-* 2>/dev/null && echo a copy is left || true"
	r.on(`EDITOR='sed -i s/PORT=.*/PORT=9200/' gemini-manage config edit 2>&1`)
	if got := r.on("gemini-manage config get PORT" + noCopy); got != "9200\n" {
		t.Errorf("after an edit PORT is %s", got)
	}
	r.serves()
	r.unchanged(func() {
		f := func(editor, want string) {
			t.Helper()
			got := r.on("VISUAL=\"" + editor + "\" gemini-manage config edit 2>&1 </dev/null || echo code $?" + noCopy)
			if !strings.Contains(got, want) || strings.Contains(got, "a copy is left") {
				t.Errorf("%s: got\n%s", editor, got)
			}
		}
		f("true", "nothing was changed")
		f("sed -i s/9200/92000/", `PORT="92000": expected a whole number from 1 to 65535`)
		f("sed -i s/PORT/PROT/", "PROT: no such setting")
		f("false", "code 1")
		if got := r.on("gemini-manage config edit 2>&1 </dev/null || echo code $?"); !strings.Contains(got, "there is no terminal to edit in") {
			t.Errorf("without terminal and editor:\n%s", got)
		}
	})
}

func testEditAfar(t *testing.T, r *rig) {
	seen := filepath.Join(t.TempDir(), "seen")
	good := r.script("editor", `stat -c %a "$1" >`+seen+`; grep HOST= "$1" >>`+seen+`; sed -i s/PORT=.*/PORT=9210/ "$1"`)
	copies := "TMPDIR=" + t.TempDir()
	r.ok([]string{"EDITOR=" + good, copies}, r.verb(words("config edit"))...)
	if text, err := os.ReadFile(seen); err != nil || string(text) != "600\nHOST=127.0.0.1\n" {
		t.Errorf("the editor saw %q, %v", text, err)
	}
	if got := r.on("gemini-manage config get PORT"); got != "9210\n" {
		t.Errorf("after an edit PORT is %s", got)
	}
	r.unchanged(func() {
		r.fails([]string{"EDITOR=sed -i s/9210/x/", copies}, exitUsage, `PORT="x": expected a whole number`, r.verb(words("config edit"))...)
		r.fails([]string{"EDITOR=false", copies}, exitFailed, "the editor", r.verb(words("config edit"))...)
		r.fails([]string{copies}, exitUsage, "there is no terminal to edit in", r.verb(words("config edit"))...)
	})
	late := r.script("late", "ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -i '"+r.server.KeyFile+"' root@"+r.server.Addr+
		` 'echo "# theirs" >>/etc/gemini-adapter/adapter.env' >/dev/null 2>&1; sed -i s/9210/9220/ "$1"`)
	r.fails([]string{"EDITOR=" + late, copies}, exitUsage, "somebody else has changed the settings meanwhile", r.verb(words("config edit"))...)
	if got := r.on("tail -n 1 /etc/gemini-adapter/adapter.env; gemini-manage config get PORT"); got != "# theirs\n9210\n" {
		t.Errorf("after a refused edit there is %q", got)
	}
	if left, err := os.ReadDir(strings.TrimPrefix(copies, "TMPDIR=")); err != nil || len(left) > 0 {
		t.Errorf("copies are left: %v, %v", left, err)
	}
}

// testEditTyped mends at the second try what was wrong at the first. Ctrl-C in the editor is the editor's.
func testEditTyped(t *testing.T, r *rig) {
	once := filepath.Join(t.TempDir(), "once")
	editor := r.script("editor", `if [ -e `+once+` ]; then sed -i s/PORT=.*/PORT=9230/ "$1"; else touch `+once+`; sed -i s/PORT=.*/PORT=bad/ "$1"; fi`)
	held := r.script("held", `trap ': >`+once+`.held' INT; echo editing; while ! [ -e `+once+`.held ]; do sleep 0.1 || :; done; exec '`+editor+`' "$1"`)
	got := r.typed([]string{"EDITOR='" + held + "'"}, []answer{{"editing", "\x03"}, {"Edit again?", "y"}}, r.verb(words("config edit"))...)
	if got.code != 0 || !strings.Contains(got.out, `PORT="bad": expected a whole number`) {
		t.Errorf("exit code %d\n%s", got.code, got.out)
	}
	if got := r.on("gemini-manage config get PORT"); got != "9230\n" {
		t.Errorf("after an edit PORT is %s", got)
	}
}

func testConfigUsers(t *testing.T, r *rig) {
	r.as("admin").ok(nil, r.as("admin").verb(words("config set"), "PORT=9240")...)
	sudoer := r.as("sudoer")
	got := sudoer.typed(nil, []answer{{"Password of sudoer for sudo", lab.SudoerPassword}}, sudoer.verb(words("config set"), "PORT=9250")...)
	if got.code != 0 || r.on("gemini-manage config get PORT") != "9250\n" {
		t.Errorf("exit code %d\n%s", got.code, got.out)
	}
	r.unchanged(func() {
		sudoer.fails(nil, exitAuth, "hint: ", sudoer.verb(words("config get"))...)
		for _, line := range []string{"config get", "config set PORT=9260", "backup", "backup list", "restart", "restore /dev/null"} {
			got := r.on("runuser -u sudoer -- gemini-manage " + line + " 2>&1 || echo code $?")
			if !strings.Contains(got, "hint: the same command with sudo in front") || !strings.Contains(got, "code 4") {
				t.Errorf("gemini-manage %s without sudo:\n%s", line, got)
			}
		}
	})
}

func testRestart(t *testing.T, r *rig) {
	const pid = "systemctl show -p MainPID --value gemini-adapter"
	restarts := func(f func()) {
		t.Helper()
		before := r.on(pid)
		f()
		if after := r.on(pid); after == before || after == "0\n" {
			t.Errorf("the adapter's pid was %s and is %s", before, after)
		}
		r.serves()
	}
	restarts(func() { r.ok(nil, r.verb(words("restart"))...) })
	restarts(func() { r.on("gemini-manage restart 2>&1") })
	restarts(func() { r.as("admin").ok(nil, r.as("admin").verb(words("restart"))...) })
	restarts(func() {
		sudoer := r.as("sudoer")
		if got := sudoer.typed(nil, []answer{{"Password of sudoer for sudo", lab.SudoerPassword}}, sudoer.verb(words("restart"))...); got.code != 0 {
			t.Errorf("exit code %d\n%s", got.code, got.out)
		}
	})
	r.on("runuser -u admin -- sudo gemini-manage restart 2>&1")
}
