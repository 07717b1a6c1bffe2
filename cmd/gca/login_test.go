package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// sshHome gives the rig's user an ssh_config and the server's host keys.
func (r *rig) sshHome(config string) {
	r.t.Helper()
	dir := filepath.Join(r.home, ".ssh")
	known, err := os.ReadFile(r.server.KnownHosts)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "known_hosts"), known, 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// accepted counts the logins of a user's in the server's log.
func (r *rig) accepted(user string) string {
	r.t.Helper()
	return strings.TrimSpace(r.on("journalctl --sync; journalctl -u ssh -o cat | grep -c '^Accepted .* for " + user + " ' || :"))
}

// A deploy by an alias, through a jump host, with nothing but passwords: each is asked for once.
func TestLogin_Deploy(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	r.sshHome("Host tokyo\n HostName " + r.server.Addr + "\n User sudoer\n ProxyJump edge\nHost edge\n HostName " + r.server.Addr + "\n User login\n")
	passwords := []answer{{"Password of login on " + r.server.Addr, lab.LoginPassword}, {"Password of sudoer on " + r.server.Addr, lab.SudoerPassword}}
	deploy := func() result {
		t.Helper()
		got := r.typed([]string{keysVariable + "=" + strings.Join(goodKeys, ",")}, passwords, "deploy", "--yes", "--gemini-base-url", r.base, "tokyo")
		if got.code != 0 {
			t.Fatalf("exit code %d\n%s", got.code, got.out)
		}
		if strings.Contains(got.out, lab.SudoerPassword) || strings.Contains(got.out, lab.LoginPassword) {
			t.Errorf("a password is on the screen:\n%s", got.out)
		}
		return got
	}
	deploy()
	t.Run("trap27 one connection to work on, one as proof", func(t *testing.T) {
		if got := r.in(t).accepted("sudoer"); got != "2" { // the firewall was changed
			t.Errorf("%s logins", got)
		}
	})
	deploy()
	t.Run("trap27 one connection where nothing changes", func(t *testing.T) {
		if got := r.in(t).accepted("sudoer"); got != "3" {
			t.Errorf("%s logins in both deploys", got)
		}
	})
	t.Run("reading needs no password of sudo's", func(t *testing.T) {
		r := r.in(t)
		if got := r.typed(nil, passwords, "status", "tokyo"); got.code != 0 || strings.Contains(got.out, "for sudo") {
			t.Errorf("exit code %d\n%s", got.code, got.out)
		}
		args := append([]string{"status", "--json"}, r.login()...)
		if got := r.ok(nil, append(args, "admin@"+r.server.Addr)...); !strings.Contains(got.out, `"schema":1`) {
			t.Errorf("as a user whose sudo asks nothing:\n%s", got.out)
		}
	})
	t.Run("changing asks once", func(t *testing.T) {
		r := r.in(t)
		args := append([]string{"restart"}, r.login()...)
		got := r.typed(nil, []answer{{"Password of sudoer for sudo", lab.SudoerPassword}}, append(args, "sudoer@"+r.server.Addr)...)
		if got.code != 0 {
			t.Errorf("exit code %d\n%s", got.code, got.out)
		}
		if got := r.run(nil, append(append(args, "--no-input"), "sudoer@"+r.server.Addr)...); got.code != exitAuth || !strings.Contains(got.err, "hint: ") {
			t.Errorf("with nobody to ask: exit code %d\n%s", got.code, got.err)
		}
	})
}

// A wrong password is tried once, and no password without anybody to ask; exit code 4 either way.
func TestLogin_Refused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.sshHome("")
	target := "login@" + r.server.Addr
	got := r.typed(nil, []answer{{"Password of login on " + r.server.Addr, "no such"}}, "status", target)
	if got.code != exitAuth || !strings.Contains(got.out, "refuses the password of login") || strings.Contains(got.out, "no such") {
		t.Errorf("exit code %d\n%s", got.code, got.out)
	}
	if failed := strings.TrimSpace(r.on("journalctl --sync; journalctl -u ssh -o cat | grep -c '^Failed password' || :")); failed != "1" {
		t.Errorf("the server was given %s wrong passwords", failed)
	}
	if got := r.run(nil, "status", "--no-input", target); got.code != exitAuth || !strings.Contains(got.err, "nobody to ask") {
		t.Errorf("exit code %d\n%s", got.code, got.err)
	}
	if got := r.run(nil, "status", "-J", "-bad", target); got.code != exitUsage {
		t.Errorf("exit code %d\n%s", got.code, got.err)
	}
	r.sshHome("Port many\n")
	if got := r.run(nil, "status", target); got.code != exitUsage || !strings.Contains(got.err, "ssh's configuration cannot be used") {
		t.Errorf("exit code %d\n%s", got.code, got.err)
	}
}
