package remote

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// writeConfig makes ~/.ssh/config, and returns the home directory.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	dir := home(t)
	if err := os.WriteFile(filepath.Join(dir, ".ssh", "config"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// lookups are both ways to read ssh_config: they have to agree.
func lookups(t *testing.T, check func(t *testing.T, find lookup)) {
	t.Helper()
	t.Run("ssh -G", func(t *testing.T) {
		find, err := newLookup()
		if err != nil {
			t.Fatal(err)
		}
		check(t, find)
	})
	t.Run("without an ssh program", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		find, err := newLookup()
		if err != nil {
			t.Fatal(err)
		}
		check(t, find)
	})
}

const lookupConfig = `
Host tokyo
  HostName 203.0.113.9
  User ubuntu
  Port 2222
  IdentityFile ~/.ssh/%r_at_%h
  IdentityFile "~/.ssh/with space"
  IdentitiesOnly yes
  IdentityAgent ~/agent.sock
  ProxyJump me@bastion:2200,second
  UserKnownHostsFile ~/.ssh/kh ~/.ssh/kh2
  HostKeyAlias tk
  StrictHostKeyChecking accept-new
  ConnectTimeout 7
  PasswordAuthentication no
  KbdInteractiveAuthentication no
Host tunnel
  ProxyCommand nc %h %p
  PubkeyAuthentication no
  StrictHostKeyChecking yes
  IdentityAgent none
  IdentityFile none
Host *.example.com !no.example.com
  User deploy
  HostName %h
Match all
  Include `

func TestLookup(t *testing.T) {
	more := filepath.Join(t.TempDir(), "more")
	dir := writeConfig(t, lookupConfig+more+"\n")
	if err := os.WriteFile(more, []byte("Host paris\n Port 99\n User included\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(dir, ".ssh", name) }
	own := []string{in("known_hosts"), in("known_hosts2")}
	lookups(t, func(t *testing.T, find lookup) {
		f := func(q query, want settings) {
			t.Helper()
			got, err := find(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			// Those of the system are the machine's own affair.
			got.globalKnownHosts = nil
			if want.user == "" {
				got.user = ""
			}
			if got.port == 0 {
				got.port = defaultPort
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		}
		f(query{target: target{name: "tokyo"}}, settings{hostName: "203.0.113.9", user: "ubuntu", port: 2222,
			identityFiles: []string{in("ubuntu_at_203.0.113.9"), in("with space")}, identitiesOnly: true, identityAgent: filepath.Join(dir, "agent.sock"),
			jump: "me@bastion:2200,second", userKnownHosts: []string{in("kh"), in("kh2")}, hostKeyAlias: "tk", strict: strictAcceptNew,
			timeout: 7 * time.Second, noPasswords: true, noChallenges: true})
		f(query{target: target{name: "tunnel", user: "root", port: 24}}, settings{hostName: "tunnel", user: "root", port: 24, command: "nc %h %p",
			noKeys: true, strict: strictYes, identityAgent: "none", identityFiles: []string{}, userKnownHosts: own})
		f(query{target: target{name: "tunnel", user: "root"}, jump: "other:23"}, settings{hostName: "tunnel", user: "root", port: 22, jump: "other:23",
			noKeys: true, strict: strictYes, identityAgent: "none", identityFiles: []string{}, userKnownHosts: own})
		f(query{target: target{name: "a.example.com"}}, settings{hostName: "a.example.com", user: "deploy", port: 22, userKnownHosts: own})
		f(query{target: target{name: "no.example.com"}}, settings{hostName: "no.example.com", port: 22, userKnownHosts: own})
		f(query{target: target{name: "paris"}}, settings{hostName: "paris", user: "included", port: 99, userKnownHosts: own})
		f(query{target: target{name: "paris", user: "me", port: 98}}, settings{hostName: "paris", user: "me", port: 98, userKnownHosts: own})
	})
}

func TestLookup_Bad(t *testing.T) {
	f := func(config string, parts ...string) {
		t.Helper()
		writeConfig(t, config)
		lookups(t, func(t *testing.T, find lookup) {
			_, err := find(context.Background(), query{target: target{name: "tokyo"}})
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range append(parts, "\nhint: ") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in: %v", part, err)
				}
			}
		})
	}
	f("Host tokyo\n Port many\n", "tokyo", "config")
	f("Host tokyo\n ProxyUseFdpass yes\n ProxyCommand nc\n", "proxyusefdpass yes", "ProxyCommand")
	f("Match nonsense x\n", "tokyo")
}

// A Match exec that hangs must not hold us, nor what prints without end.
func TestLookup_Bounded(t *testing.T) {
	dir := home(t)
	f := func(script, want string) {
		t.Helper()
		program := filepath.Join(dir, "ssh")
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := sshProgram{program, "", dir}.lookup(context.Background(), query{target: target{name: "tokyo"}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f("exec yes hostname x", "prints more than")
	f("printf 'bad \\033[31mline' >&2; exit 255", "bad [31mline")
	f("exit 255", "exit status 255")

	stop := context.Canceled
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(stop)
	if _, err := (sshProgram{filepath.Join(dir, "ssh"), "", dir}).lookup(ctx, query{target: target{name: "tokyo"}}); err == nil {
		t.Error("no error of a cancelled lookup")
	}
}

func TestSplitPaths(t *testing.T) {
	f := func(value string, want ...string) {
		t.Helper()
		if got := splitPaths(value, "/home/me"); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
	f("/a/b", "/a/b")
	f("/a/b ~/c", "/a/b", "/home/me/c")
	f("/a b/c /d", "/a b/c", "/d")
	f("none")
	f("")
}

func FuzzParseSettings(f *testing.F) {
	f.Add("host tokyo\nuser ubuntu\nhostname 203.0.113.9\nport 2222\nidentityfile ~/.ssh/id_rsa\nproxyjump a,b:2\n")
	f.Add("userknownhostsfile /a b /c none\nidentityagent $X\nproxycommand none\nconnecttimeout 99999999999\n")
	f.Add("port 0\n")
	f.Add("\n \nuser\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSettings(text, "/home/me")
		if err != nil {
			if !strings.Contains(err.Error(), "hint: ") {
				t.Errorf("no hint: %v", err)
			}
			return
		}
		if s.timeout < 0 || s.timeout > time.Hour {
			t.Errorf("timeout %s", s.timeout)
		}
		for _, file := range slices.Concat(s.userKnownHosts, s.globalKnownHosts) {
			if file == "" || file == "none" {
				t.Errorf("known hosts in %q", file)
			}
		}
		again, err := parseSettings(text, "/home/me")
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("the second time: %+v, %v", again, err)
		}
	})
}
