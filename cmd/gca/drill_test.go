package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/lab"
	"github.com/gemini-claude-adapter/gca/proxy/store/storetest"
)

// The disaster drill: a server that serves, a backup, and the server is gone. A new machine becomes the same adapter: the same
// tokens, keys, certificates and usage. It prints the seconds from an empty machine to the first answer.
func TestDrill(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	ca := lab.NewServerCA(t, r.server, 0)
	ca.Points(tlsDomain, r.server.Addr)
	r = r.knowing(r.server.Addr + " " + tlsDomain)
	r.ok(withKeys(), r.tlsArgs(ca, "--domain", tlsDomain)...)
	r.ok(nil, "backup", "key")
	for i := range 5 {
		r.ok(nil, "ask", fmt.Sprintf("question %d", i))
	}
	file, used := "", int64(0)
	storetest.Until(t, "a backup has the requests, which are written within a second", func() bool {
		file = filepath.Join(t.TempDir(), "tokyo.tar.gz.age")
		r.ok(nil, r.verb(words("backup"), "-o", file)...)
		used = requestsIn(t, r, file)
		return used >= 5
	})
	const held = "cd /etc/gemini-adapter; sha256sum adapter.env keys tokens; sha256sum /var/lib/gca/tls/*"
	before := r.on(held)
	if err := r.server.PowerCut(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := newRig(t, ready()...)
	other.home = r.home
	other = other.knowing(other.server.Addr + " " + tlsDomain) // DNS was changed
	begun := time.Now()
	other.ok(nil, other.verb(words("restore"), "--yes", file)...)
	after := filepath.Join(t.TempDir(), "after.tar.gz.age")
	restored := time.Since(begun)
	other.ok(nil, other.verb(words("backup"), "-o", after)...)
	if now := requestsIn(t, other, after); now != used {
		t.Errorf("the new machine has %d requests, the old one had %d", now, used)
	}
	begun = time.Now()
	other.ok(nil, "ask", "is it you?")
	t.Logf("%.1f s from an empty machine to the first answer", (restored + time.Since(begun)).Seconds())
	if now := other.on(held); now != before {
		t.Errorf("the new machine has:\n%s", differ(before, now))
	}
	other.secure(ca, tlsDomain)
}

// requestsIn is how many requests the usage in an archive has.
func requestsIn(t *testing.T, r *rig, archive string) (n int64) {
	t.Helper()
	for _, row := range usageIn(t, r, archive) {
		n += row.Requests
	}
	return n
}

// A move to another server, which fails at first: the old one serves all the while, and in the end has stopped.
func TestMigrate(t *testing.T) {
	t.Parallel()
	r, other := newRig(t, ready()...), newRig(t, ready()...)
	r.deploy()
	r.ok(nil, "backup", "key")
	r.on("printf 'usage of a year' >/var/lib/gemini-adapter/usage.db; chown gemini:gemini /var/lib/gemini-adapter/usage.db")
	other.home = r.home
	hosts := ""
	known := ""
	for name, one := range map[string]*rig{"old": r, "new": other} {
		hosts += "Host " + name + "\n HostName " + one.server.Addr + "\n User root\n IdentityFile " + one.server.KeyFile + "\n"
		text, err := os.ReadFile(one.server.KnownHosts)
		if err != nil {
			t.Fatal(err)
		}
		known += string(text)
	}
	r.sshHome(hosts)
	if err := os.WriteFile(filepath.Join(r.home, ".ssh", "known_hosts"), []byte(known), 0o600); err != nil {
		t.Fatal(err)
	}
	r.ok(nil, "ask", "before")
	r.on("echo refused-key-four-4444 >>/etc/gemini-adapter/keys; gemini-manage reload; gemini-manage keys test || true") // which keeps nobody from moving
	r.on("sed -i /role=admin/d /etc/gemini-adapter/tokens; gemini-manage reload")                                        // the new server makes one
	file := filepath.Join(t.TempDir(), "move.tar.gz.age")
	r.fails(nil, exitUsage, "are the same server", "migrate", "--yes", "old", "old")
	r.fails(nil, exitUsage, "hint: -o FILE", "migrate", "--yes", "-o", "-", "old", "new")
	other.on(`mkdir -p /etc/systemd/system/gemini-adapter.service.d
printf '[Service]\nExecStartPre=/bin/sh -c "! [ -e /var/lib/gemini-adapter/usage.db ]"\n' >/etc/systemd/system/gemini-adapter.service.d/picky.conf`)
	r.fails(nil, exitRolledBack, "old serves as before, and its backup is in "+file+"; the same command, with another file behind -o, goes on", "migrate", "--yes", "--drain", "-o", file, "old", "new")
	r.serves()
	other.on("rm -r /etc/systemd/system/gemini-adapter.service.d; systemctl daemon-reload")
	second := filepath.Join(t.TempDir(), "again.tar.gz.age")
	got := r.ok(nil, "migrate", "--yes", "--drain", "-o", second, "old", "new")
	wantText(t, got.err, "! 3 of 4 keys are active")
	wantText(t, got.out, "new serves at http://", "with the same keys, tokens and usage", "old is stopped")
	if state := r.on("systemctl is-active gemini-adapter || true"); state != "inactive\n" {
		t.Errorf("the old adapter is %s", state)
	}
	other.serves()
	const held = "cd /etc/gemini-adapter; sha256sum keys; grep -v role=admin tokens; cat /var/lib/gemini-adapter/usage.db"
	if before, now := r.on(held), other.on(held); now != before {
		t.Errorf("the new server has:\n%s", differ(before, now))
	}
	admin := regexp.MustCompile(`Admin token, shown this once: (\S+)`).FindStringSubmatch(got.out)
	if admin == nil {
		t.Fatalf("no admin token in:\n%s", got.out)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+other.server.Addr+"/stats", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+admin[1])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("the admin token that is shown gets %s, %v", resp.Status, err)
	}
	after := filepath.Join(t.TempDir(), "after.tar.gz.age")
	other.ok(nil, other.verb(words("backup"), "-o", after)...)
	if was, is := requestsIn(t, r, second+".drained"), requestsIn(t, other, after); was < 1 || is != was {
		t.Errorf("the new server has %d requests, the old one had %d", is, was)
	}
	other.ok(nil, "ask", "is it you?")
}
