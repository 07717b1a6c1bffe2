package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testSickIsNotSwitchedTo has what is new fail: in the second unit before it is ready, then in the main one after the switch.
func testSickIsNotSwitchedTo(t *testing.T, r *rig, token string) {
	r.settled()
	state := everything + "\n" + adapterPID
	before := r.on(state)
	under(t, r, token, func() {
		r.on(`mkdir /run/systemd/system/gemini-adapter-handover.service.d
printf '[Service]\nExecStartPre=+/bin/sh -c "echo sick of it; exit 1"\n' >/run/systemd/system/gemini-adapter-handover.service.d/sick.conf; systemctl daemon-reload`)
		r.fails(nil, exitRolledBack, "sick of it", r.verb(words("config set"), "MAX_RETRIES=7", otherBase(r))...)
		r.fails(nil, exitRolledBack, "sick of it", r.verb(words("restart"))...)
		r.on("rm -r /run/systemd/system/gemini-adapter-handover.service.d; systemctl daemon-reload")
	})
	if after := r.on(state); after != before {
		t.Errorf("what was sick left something:\n%s", differ(before, after))
	}
	before = r.on(everything)
	under(t, r, token, func() {
		r.on(`mkdir /run/systemd/system/gemini-adapter.service.d
printf '[Service]\nExecStartPre=+/bin/sh -c "! grep MAX_RETRIES=7 /etc/gemini-adapter/adapter.env"\n' >/run/systemd/system/gemini-adapter.service.d/sick.conf; systemctl daemon-reload`)
		r.fails(nil, exitRolledBack, "everything was put back", r.verb(words("config set"), "MAX_RETRIES=7", otherBase(r))...)
		r.on("rm -r /run/systemd/system/gemini-adapter.service.d; systemctl daemon-reload")
	})
	if after := r.on(everything); after != before {
		t.Errorf("what failed after the switch left something:\n%s", differ(before, after))
	}
	if failed := r.on("systemctl --failed --no-legend"); strings.Contains(failed, "gemini") {
		t.Errorf("failed units are left:\n%s", failed)
	}
}

// sickGCA is a release that is ready, answers on its control socket, and then fails at /health.
func sickGCA(t *testing.T) string {
	t.Helper()
	source, err := filepath.Abs("../../proxy/health.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	answer := "	reply(in, status, h)\n"
	sick := strings.Replace(string(text), answer, "	select {\n	case asked <- 1: // itself\n	default:\n		status = 500\n	}\n"+answer, 1) + "\nvar asked = make(chan int, 1)\n"
	dir := t.TempDir()
	overlay, err := json.Marshal(struct{ Replace map[string]string }{map[string]string{source: filepath.Join(dir, "health.go")}})
	if err := errors.Join(err, os.WriteFile(filepath.Join(dir, "health.go"), []byte(sick), 0o600), os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600)); err != nil || !strings.Contains(sick, "case asked") {
		t.Fatal("no sick release:", err)
	}
	file := filepath.Join(dir, "gca")
	if out, err := build(file, "-s -w", "-overlay", filepath.Join(dir, "overlay.json")); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return file
}

// testSickOverHTTP deploys a release that fails at /health alone.
func testSickOverHTTP(t *testing.T, r *rig) {
	r.settled()
	well := r.gca
	r.gca = sickGCA(t)
	const state = "readlink /opt/gemini-adapter/current /opt/gemini-adapter/next; " + adapterPID
	before := r.on(state)
	r.fails(withKeys(), exitRolledBack, "500 Internal Server Error", r.deployArgs()...)
	r.gca = well
	r.settled()
	if after := r.on(state); after != before {
		t.Errorf("a sick release was switched to:\n%s", differ(before, after))
	}
	r.serves()
}

// testStuck has the main unit fail to start while the other one serves: that is told, and the next change goes on.
func testStuck(t *testing.T, r *rig) {
	r.on(`mkdir /run/systemd/system/gemini-adapter.service.d
printf '[Service]\nExecStartPre=+/bin/grep -q MAX_RETRIES=9 /etc/gemini-adapter/adapter.env\n' >/run/systemd/system/gemini-adapter.service.d/sick.conf
systemctl daemon-reload; systemctl start gemini-adapter-handover; systemctl kill -s KILL gemini-adapter
for i in $(seq 100); do systemctl show -p SubState --value gemini-adapter | grep -q auto-restart && exit 0; sleep 0.1; done; exit 1`)
	r.serves()
	got := r.run(nil, r.verb(words("status"))...)
	if got.code != exitFailed {
		t.Errorf("status of an adapter whose main unit does not start: exit code %d", got.code)
	}
	wantText(t, got.out, "gemini-adapter.service does not start (auto-restart", "gca error-logs "+r.named(), "gca restart "+r.named())
	r.ok(nil, r.verb(words("config set"), "MAX_RETRIES=9", otherBase(r))...)
	r.settled()
	r.on("gemini-manage status; rm -r /run/systemd/system/gemini-adapter.service.d; systemctl daemon-reload")
}

// testStopLetsNobodyIn stops the adapter while a stream is open: that goes on to its end, nobody new is let in, and a deploy that is at work
// is not disturbed.
func testStopLetsNobodyIn(t *testing.T, r *rig, token string) {
	r.on("echo pid 1 since today: a deploy >/run/gca.lock; systemd-run -q --unit=deployer flock /run/gca.lock sleep 60; until ! flock -n /run/gca.lock true; do sleep 0.05; done")
	locked := r.fails(nil, exitLocked, "pid 1 since today: a deploy", r.verb(words("stop"))...)
	r.on("systemctl stop deployer")
	wantText(t, locked.err, "hint: wait for it to end, then again: gca stop "+r.named())
	r.serves()
	l := &load{t: t, url: "http://" + r.server.Addr, token: token, client: http.DefaultClient}
	story := make(chan string)
	go func() {
		text, err := l.ask(longStory)
		story <- fmt.Sprint(text, err)
	}()
	r.on("until ss -Htn state established '( dport = :" + strings.TrimPrefix(r.base[strings.LastIndexByte(r.base, ':'):], ":") + " )' | grep -q .; do sleep 0.05; done")
	state := r.on(`gemini-manage stop >/dev/null 2>&1 &
for i in $(seq 200); do ss -Hltn '( sport = :8000 )' | grep -q . || { systemctl show -p ActiveState --value gemini-adapter.service; break; }; sleep 0.02; done; wait`)
	if state != "deactivating\n" {
		t.Errorf("once nobody is let in, the adapter is %q", state)
	}
	if text := <-story; !wholeStory(strings.TrimSuffix(text, "<nil>")) {
		t.Errorf("the open stream ended with %q", text)
	}
	r.on("gemini-manage start 2>&1")
	r.serves()
}

// testStopInHandover stops all three units.
func testStopInHandover(t *testing.T, r *rig) {
	r.on("systemctl start gemini-adapter-handover; gemini-manage stop 2>&1")
	if state := r.on("systemctl is-active gemini-adapter.socket gemini-adapter.service gemini-adapter-handover.service || true"); state != "inactive\ninactive\ninactive\n" {
		t.Errorf("after stop the units are %q", state)
	}
	r.on("gemini-manage start 2>&1")
	r.serves()
}
