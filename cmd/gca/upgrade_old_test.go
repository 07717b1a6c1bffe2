package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/manage/client"
)

// formerCommit is a gca from before certificates, upgrades and destroy, with the state, the tokens and the archives of schema 1.
const formerCommit = "d40a23b4e8a1e2821a37eb578b1bd10c1fa28634"

// formerGCA is built from the repository's history.
func formerGCA(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("git", "cat-file", "-e", formerCommit+"^{commit}").CombinedOutput(); err != nil {
		t.Skipf("this checkout's history does not go back to %s: %v %s", formerCommit, err, out)
	}
	unpack := exec.Command("sh", "-euc", `git -C "$1" archive --format=tar "$2" | tar -x -C "$3"`, "sh", "../..", formerCommit, dir)
	if out, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	file := filepath.Join(dir, "former-gca")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", file, "./cmd/gca")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return file
}

// A server that an earlier gca deployed is brought to this one, and what it knows and was told is there afterwards; an archive
// of that time is one that this gca restores; and a way back that there is not is told before anything is changed.
func TestUpgrade_former(t *testing.T) {
	t.Parallel()
	file := formerGCA(t) // takes longest, and needs no server
	r := newRig(t, ready()...)
	former := r.in(t)
	former.gca = file
	shown := clientTokenShown.FindStringSubmatch(former.deploy().out)
	if shown == nil {
		t.Fatal("the former gca made no token")
	}
	token := shown[1]
	r.on("gemini-manage config set MAX_RETRIES=4 MODEL_MAP='*opus*=gemini-3.8-flash'")
	asks(t, r, token, 20)
	first := r.release()
	used := r.on(schemas)
	archive := filepath.Join(t.TempDir(), "former.tar.gz")
	former.ok(nil, former.verbArgs("backup", "-o", archive)...)

	r.ok(nil, "backup", "key")
	sealed := filepath.Join(t.TempDir(), "sealed.tar.gz.age")
	wantEnd(t, "an encrypted backup of a release that has none", r.run(nil, r.verbArgs("backup", "-o", sealed)...), exitRefused,
		"is older than this gca, and has no encrypted backups yet", "hint: gca upgrade "+r.target())
	moved := append(append([]string{"migrate", "--yes", "--output", sealed}, r.login()...), r.target(), "root@203.0.113.1")
	wantEnd(t, "a migration from it", r.run(nil, moved...), exitRefused, "hint: gca upgrade "+r.target())
	wantEnd(t, "security updates by it", r.run(nil, r.verbArgs("upgrade", "--packages", "--yes")...), exitRefused, "hint: gca upgrade "+r.target())

	wantText(t, r.ok(nil, r.verbArgs("upgrade", "--yes")...).out, "Admin token, shown this once: ") // there was none in those days
	if now := r.on(schemas); now != used {
		t.Errorf("what was kept is another one:\n%s", differ(used, now))
	}
	if got := r.on("gemini-manage config get MAX_RETRIES"); got != "4\n" {
		t.Errorf("MAX_RETRIES is %s", got)
	}
	var told client.Usage
	if got := r.on("gemini-manage usage --json"); json.Unmarshal([]byte(got), &told) != nil || told.Total.Requests < 20 {
		t.Errorf("of the 20 requests from before the upgrade the state knows %s", got)
	}
	asks(t, r, token, 1)
	wantEnd(t, "a plan after it", r.run(nil, r.verbArgs("upgrade", "--dry-run")...), exitOK, "up to date")

	wantEnd(t, "a rollback to a release from before rollbacks", r.run(nil, r.verbArgs("rollback", "--yes", first)...), exitUsage,
		"release "+first+" is from before rollbacks", "nothing was changed")
	asks(t, r, token, 1)
	r.ok(nil, "backup", "verify", archive)
	r.on("gemini-manage config set MAX_RETRIES=1")
	r.ok(nil, r.verbArgs("restore", archive, "--yes")...)
	if got := r.on("gemini-manage config get MAX_RETRIES"); got != "4\n" {
		t.Errorf("after the restore of an archive of %s, MAX_RETRIES is %s", formerCommit, got)
	}
	asks(t, r, token, 1)
}

var clientTokenShown = regexp.MustCompile(`Client token, shown this once: (\S+)`)

// schemas is what an upgrade must leave as it is: settings, keys, clients' tokens, and the number that the state's file has.
const schemas = `cd /etc/gemini-adapter; sha256sum adapter.env keys; grep -v role=admin tokens
od -A n -t u1 -j 60 -N 4 /var/lib/gemini-adapter/state.db`

// asks has the adapter answer n times.
func asks(t *testing.T, r *rig, token string, n int) {
	t.Helper()
	l := &load{t: t, url: "http://" + r.host, token: token, client: &http.Client{}}
	defer l.client.CloseIdleConnections()
	for range n {
		if text, err := l.ask(shortQuestion); err != nil || !strings.Contains(text, endTurn) {
			t.Fatalf("an answer: %s, %v", text, err)
		}
	}
}
