package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// What a server says to a laptop names the laptop's commands.
func TestRenamed(t *testing.T) {
	f := func(there, here string) {
		t.Helper()
		var out bytes.Buffer
		if n, err := (renamed{&out, "root@vps"}).Write([]byte(there)); err != nil || n != len(there) || out.String() != here {
			t.Errorf("%q becomes %q, want %q; %d, %v", there, &out, here, n, err)
		}
	}
	f("no\nhint: gemini-manage start\n", "no\nhint: gca start root@vps\n")
	f("cure: sudo gemini-manage restart", "cure: gca restart root@vps")
	f("gemini-manage keys test says why; gemini-manage keys add, then keys remove, replaces it", "gca keys test root@vps says why; gca keys add root@vps, then keys remove, replaces it")
	f("hint: gemini-manage config set GEMINI_API_KEYS=- reads them", "hint: gca config set root@vps GEMINI_API_KEYS=- reads them")
	f("cure: sudo gemini-manage cert renew; journalctl -u gemini-adapter-cert", "cure: gca cert renew root@vps; journalctl -u gemini-adapter-cert")
	f("for HTTPS, from your laptop: gca deploy --domain NAME HOST", "for HTTPS, gca deploy --domain NAME root@vps")
	f("see all: sudo gemini-manage status\n", "see all: ssh -t root@vps sudo gemini-manage status\n")
	f("cure: sudo gemini-manage backup", "cure: ssh -t root@vps sudo gemini-manage backup") // gca backup brings one to the laptop, which cures nothing there
	f("hint: gemini-manage backup prune --keep-count 3 removes older archives", "hint: gca backup prune root@vps --keep-count 3 removes older archives")
	f("cure: sudo gemini-manage alerts test", "cure: gca alerts test root@vps")
	f("/usr/local/bin/gemini-manage is a link; gemini-manage: no", "/usr/local/bin/gemini-manage is a link; gemini-manage: no")
}

func TestStreams_fromLaptop(t *testing.T) {
	f := func(target, want string) {
		t.Helper()
		t.Setenv(targetVariable, target)
		var out, err bytes.Buffer
		s := &streams{out: &out, err: &err}
		s.fromLaptop()
		for _, w := range []struct {
			to  io.Writer
			got *bytes.Buffer
		}{{s.err, &err}, {s.words(), &out}} {
			if _, failed := w.to.Write([]byte("gemini-manage logs")); failed != nil || w.got.String() != want {
				t.Errorf("for %q: %q, %v", target, w.got, failed)
			}
		}
	}
	f("", "gemini-manage logs")
	f("a b; rm -r /", "gemini-manage logs")
	f("-i x;y root@vps", "gemini-manage logs")
	f("-x y root@vps", "gemini-manage logs")
	f("-i 'my key' -p 2222 root@vps", "gca logs -i 'my key' -p 2222 root@vps")
	f("ann@[2001:db8::1]:22", "gca logs ann@[2001:db8::1]:22")
}

// A command that is named can be typed as it is: with what this run needed to log in.
func TestSSHFlags_named(t *testing.T) {
	f := func(flags sshFlags, target, want string) {
		t.Helper()
		if got := flags.named(target); got != want || !namedTarget.MatchString(got) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(sshFlags{}, "root@vps", "root@vps")
	f(sshFlags{hostKey: "SHA256:x", acceptNew: true, noInput: true}, "[2001:db8::1]:22", "[2001:db8::1]:22")
	f(sshFlags{identity: "/home/ann/my key", port: 2222, jump: "bob@bastion"}, "root@vps", "-i '/home/ann/my key' -p 2222 -J bob@bastion root@vps")

	err := error(&noAdapterError{named: (&sshFlags{identity: "k", port: 2222}).named("root@vps")})
	if !strings.HasSuffix(err.Error(), "hint: gca deploy -i k -p 2222 root@vps") || exitCode(err) != exitRefused {
		t.Errorf("%v; exit code %d", err, exitCode(err))
	}
}

// A laptop chooses from the server's list of releases, and names its own commands where that fails.
func TestRollback_chooseFromLaptop(t *testing.T) {
	f := &rollbackFlags{group: group{&streams{}, &sshFlags{port: 2222}}}
	_, _, err := f.choose(&manage.ReleaseList{Releases: []converge.Release{{Name: "0.1.0-aa", Current: true}}}, "", "root@vps")
	const want = "hint: gca rollback -p 2222 root@vps --list shows all that are kept; gca deploy --binary FILE -p 2222 root@vps brings another one"
	if exitCode(err) != exitUsage || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}
