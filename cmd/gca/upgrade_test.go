package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// changedGCA is built from the source with a small change in the midst of it.
func changedGCA(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	source, err := filepath.Abs("../../proxy/access.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	const at = "\ts.requests.Add(1)\n"
	changed := strings.Replace(string(text), at, at+`	for i, word := range []string{"first", "second", "one that was not there before"} {
		if a.problem == word && status == 200+i {
			a.problem = strings.Repeat(word+", then another; ", i+3)
		}
	}
`, 1)
	if changed == string(text) {
		t.Fatalf("%s has no place for a change", source)
	}
	if !strings.Contains(changed, "\t\"strings\"\n") {
		changed = strings.Replace(changed, "import (\n", "import (\n\t\"strings\"\n", 1)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {source: filepath.Join(dir, "access.go")}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"access.go": []byte(changed), "overlay.json": overlay} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "gca")
	cmd := exec.Command("go", "build", "-trimpath", "-overlay", filepath.Join(dir, "overlay.json"), "-ldflags", "-s -w", "-o", file, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return file
}

// verbArgs is a command for the rig's server, with words behind it.
func (r *rig) verbArgs(verb string, more ...string) []string {
	return append(append(append([]string{verb}, r.login()...), r.target()), more...)
}

func (r *rig) release() string {
	r.t.Helper()
	return strings.TrimSpace(r.on("basename $(readlink /opt/gemini-adapter/current)"))
}

// runs wants the release to be in force, with everything of the server as it was.
func (r *rig) runs(release, kept string) {
	r.t.Helper()
	if now := r.release(); now != release {
		r.t.Errorf("the release in force is %s, not %s", now, release)
	}
	if now := r.on(keptByUpgrades); now != kept {
		r.t.Errorf("it changed what it was to keep:\n%s", differ(kept, now))
	}
	r.ok(nil, "test")
}

// keptByUpgrades is what an upgrade and a rollback leave alone.
const keptByUpgrades = `
find /etc -type f ! -name '*-' ! -path '/etc/systemd/*' -exec sha256sum {} + | sort
getent passwd; ufw status verbose; dpkg-query -W`

// An upgrade sends what is new and keeps everything else; a rollback goes back to any release that is kept.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	wantEnd(t, "an upgrade of nothing", r.run(withKeys(), r.verbArgs("upgrade", "--yes")...), exitRefused, "no adapter is installed on", "hint: gca deploy")
	if left := r.on("ls /opt"); left != "" {
		t.Errorf("an upgrade that was refused left %s", left)
	}
	r.deploy()
	r.ok(nil, append(append([]string{"config", "set"}, r.login()...), r.target(), "MAX_BODY=20MB")...)
	r.on("ufw allow 8080/tcp; echo '# mine' >>/etc/sysctl.d/60-gemini-adapter.conf")
	first, kept := r.release(), r.on(keptByUpgrades)

	next := r.in(t)
	next.gca = changedGCA(t)
	wantEnd(t, "nobody to ask", next.run(nil, next.verbArgs("upgrade")...), exitUsage, "nobody can be asked")
	far, link := next.over(lab.LinkOptions{})
	sent := link.Bytes(lab.ToServer)
	got := far.ok(nil, far.verbArgs("upgrade", "--yes")...)
	sent = link.Bytes(lab.ToServer) - sent
	info, err := os.Stat(next.gca)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes went to the server, %.2f %% of the binary's %d", sent, 100*float64(sent)/float64(info.Size()), info.Size())
	if sent > info.Size()/10 {
		t.Errorf("%d bytes went to the server for a small change, more than a tenth of %d", sent, info.Size())
	}
	wantText(t, got.err, "what is new since "+first)
	second := r.release()
	if second == first {
		t.Fatal("the release is the one of before")
	}
	r.runs(second, kept)
	wantEnd(t, "an upgrade of what is up to date", next.run(nil, next.verbArgs("upgrade", "--yes")...), exitOK, "up to date")

	t.Run("rollback", func(t *testing.T) { testRollback(t, next.in(t), first, second) })
}

func testRollback(t *testing.T, r *rig, first, second string) {
	list := r.ok(nil, r.verbArgs("rollback", "--list")...)
	wantText(t, list.out, "* "+second, "  "+first)
	var releases manage.ReleaseList
	if got := r.ok(nil, r.verbArgs("rollback", "--list", "--json")...); json.Unmarshal([]byte(got.out), &releases) != nil || releases.Schema != 1 || len(releases.Releases) != 2 {
		t.Errorf("--list --json printed %s", got.out)
	}
	wantEnd(t, "nobody to ask", r.run(nil, r.verbArgs("rollback")...), exitUsage, "nobody can be asked")
	wantEnd(t, "a release that is not kept", r.run(nil, r.verbArgs("rollback", "9.9")...), exitUsage, `named "9.9"; there are: `+second)
	wantEnd(t, "the release in force", r.run(nil, r.verbArgs("rollback", second)...), exitUsage, "is the release in force")
	kept := testRollbackSettings(t, r, first, second)
	back := r.typed(nil, []answer{{"Go back to " + first, "y"}}, r.verbArgs("rollback")...)
	wantEnd(t, "a rollback", back, exitOK, "release "+first+" is in force")
	r.runs(first, kept)
	r.ok(nil, r.verbArgs("rollback", "--yes", "--json", second)...)
	r.runs(second, kept)

	// A release that does not start is not switched to.
	r.on(`mkdir -p /run/systemd/system/gemini-adapter-handover.service.d
printf '[Service]\nExecStartPre=+/bin/sh -c "echo sick of it; exit 1"\n' >/run/systemd/system/gemini-adapter-handover.service.d/sick.conf; systemctl daemon-reload`)
	wantEnd(t, "a sick release", r.run(nil, r.verbArgs("rollback", "--yes", first)...), exitRolledBack, "start a second adapter beside the one that serves: putting everything back", "everything was put back")
	r.on("rm -r /run/systemd/system/gemini-adapter-handover.service.d; systemctl daemon-reload")
	r.runs(second, kept)
}

// testRollbackSettings: what only a later release knows has no effect as a setting, and is still there on the way forth again; as a
// limit of a token it stops a way back before anything is changed. It returns what is kept from then on.
func testRollbackSettings(t *testing.T, r *rig, first, second string) (kept string) {
	t.Helper()
	r.on("cd /etc/gemini-adapter; echo SHINY_NEW_LIMIT=7 >>adapter.env; cp -p tokens /root; sed -i 's/role=client/& week_usd=5/' tokens")
	before := r.on(keptByUpgrades)
	got := r.run(nil, r.verbArgs("rollback", "--yes", first)...)
	wantEnd(t, "a rollback to what does not know a limit", got, exitRefused, "nothing was changed: tokens: line 1: expected ", "\nhint: if a later gca wrote that line, stay with that one")
	if now := r.on(keptByUpgrades); now != before || r.release() != second {
		t.Errorf("it changed something:\n%s", differ(before, now))
	}
	r.on("mv /root/tokens /etc/gemini-adapter")
	wantText(t, r.on("gemini-manage config get; /opt/gemini-adapter/releases/"+first+"/gca serve --check --config-dir /etc/gemini-adapter 2>&1"), "SHINY_NEW_LIMIT", "SHINY_NEW_LIMIT: no such setting")
	return r.on(keptByUpgrades)
}

// Where the release on the server is another one than was kept, the whole of the new one is sent.
func TestTrap_upgradeBase(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	r.deploy()
	kept := r.on(keptByUpgrades)
	r.on("cd /opt/gemini-adapter/current; cp -p gca more; printf x >>more; mv more gca") // runs as before
	r.gca = r.otherGCA()
	got := r.ok(nil, r.verbArgs("upgrade", "--yes")...)
	wantText(t, got.err, "the whole binary is sent", "the patch is for another release")
	r.runs(r.release(), kept)
}

// Where the new release does not answer from outside, an upgrade and a rollback put the old one back.
func TestTrap_upgradeUnseen(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	r.deploy()
	first, kept := r.release(), r.on(keptByUpgrades)
	next := r.in(t)
	next.gca = r.otherGCA()
	// The way in closes once the new release is there.
	shut := `for i in $(seq 600); do case $(readlink /opt/gemini-adapter/current) in *%s) ;; *) iptables -I INPUT -p tcp --dport 80 ! -i lo -j REJECT --reject-with tcp-reset; exit;; esac; sleep 0.1; done`
	r.on("cat >/root/shut <<'END'\n" + strings.Replace(shut, "%s", first, 1) + "\nEND\nsystemd-run -q --unit=shut sh /root/shut")
	wantEnd(t, "an upgrade", next.run(nil, next.verbArgs("upgrade", "--yes")...), exitRolledBack, "so everything was put back")
	r.on("iptables -D INPUT 1")
	r.runs(first, kept)

	next.ok(nil, next.verbArgs("upgrade", "--yes")...)
	second := r.release()
	r.on("sed -i s/" + first + "/" + second + "/ /root/shut; systemctl reset-failed 2>/dev/null; systemd-run -q --unit=shut2 sh /root/shut")
	wantEnd(t, "a rollback", r.run(nil, r.verbArgs("rollback", "--yes")...), exitRolledBack, "so "+second+" was put back")
	r.on("iptables -D INPUT 1")
	r.runs(second, kept)
}

// All of it under a name with a certificate: an upgrade keeps it, a rollback is looked at there, and a destroy leaves nothing of it.
func TestTrap_upgradeTLS(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	ca, other := lab.NewServerCA(t, r.server, 0), r.otherGCA()
	r = r.knowing(r.server.Addr + " " + tlsDomain)
	ca.Points(tlsDomain, r.server.Addr)
	before := r.on(whole)
	r.ok(withKeys(), r.tlsArgs(ca, "--domain", tlsDomain)...)
	first, kept := r.release(), r.on(keptByUpgrades)
	wantText(t, r.ok(nil, r.verbArgs("upgrade", "--yes", "--binary", other)...).out, "The adapter serves at https://"+tlsDomain)
	r.runs(r.release(), kept)
	back := r.ok(nil, r.verbArgs("rollback", "--yes")...)
	if strings.Contains(back.err, "could not be reached from here") {
		t.Errorf("the rollback was not looked at from here:\n%s", back.err)
	}
	r.runs(first, kept)
	got := r.ok(nil, r.destroyArgs("--yes")...)
	if strings.Contains(got.out, "Left as it is") {
		t.Errorf("it left something:\n%s", got.out)
	}
	r.wantAsBefore(before, "destroyed")
	wantEnd(t, "gca test afterwards", r.run(nil, "test"), exitUsage, "no adapter is connected")
}
