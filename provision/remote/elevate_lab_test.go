package remote

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// vps is a lab server that a test has for itself.
type vps struct {
	*lab.Server
	t testing.TB
}

func newVPS(t testing.TB, opts lab.Options) *vps {
	t.Helper()
	return &vps{lab.Require(t, opts), t}
}

// in is the server in a part of its test.
func (v *vps) in(t *testing.T) *vps { return &vps{v.Server, t} }

func (v *vps) sh(script string) string {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), time.Minute)
	defer cancel()
	out, err := v.Sh(ctx, script)
	if err != nil {
		v.t.Fatal(err)
	}
	return out
}

// admit lets the lab's key in as user.
func (v *vps) admit(user string) {
	v.t.Helper()
	v.sh("install -d -m 700 -o " + user + " /home/" + user + "/.ssh; install -m 600 -o " + user + " /home/sudoer/.ssh/authorized_keys /home/" + user + "/.ssh/")
}

// as logs in; each answer is given once, and the dialogue must not want more.
func (v *vps) as(user string, answers ...string) *Conn {
	v.t.Helper()
	return v.over(v.Addr, user, answers...)
}

// over is as, by another way to the server.
func (v *vps) over(addr, user string, answers ...string) *Conn {
	v.t.Helper()
	asked := 0
	prompts := Prompts{Sudo: func(who string, attempt int) ([]byte, error) {
		asked++
		if who != user || attempt != asked || asked > len(answers) {
			v.t.Errorf("question %d for %s's password, as attempt %d", asked, who, attempt)
			return nil, os.ErrInvalid
		}
		return []byte(answers[asked-1]), nil
	}}
	if len(answers) == 0 {
		prompts.Sudo = nil
	}
	host, err := ParseHost(user + "@" + addr)
	if err != nil {
		v.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(v.t.Context(), time.Minute)
	defer cancel()
	opts := Options{IdentityFile: v.KeyFile, KnownHostsFile: v.KnownHosts, Prompts: prompts}
	if addr != v.Addr {
		opts.KnownHostsFile, opts.AcceptNew = filepath.Join(v.t.TempDir(), "known_hosts"), true
	}
	conn, err := Dial(ctx, host, opts)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			v.t.Error(err)
		}
		if asked != len(answers) {
			v.t.Errorf("%d questions for the password, want %d", asked, len(answers))
		}
	})
	return conn
}

// wantRoot checks that conn's root commands are root's, take any input whole, and say how they ended.
func wantRoot(t *testing.T, conn *Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 2 {
		in := randomBytes(3 << 20)
		var out, said bytes.Buffer
		err := conn.RunRoot(ctx, Cmd{Line: `echo "$(id -u) $PATH" >&2; cat; exit 3`, Stdin: bytes.NewReader(in), Stdout: &out, Stderr: &said})
		if exit, ok := err.(*ExitError); !ok || exit.Status != 3 {
			t.Fatalf("got %v, want status 3", err)
		}
		if !bytes.Equal(out.Bytes(), in) {
			t.Errorf("%d bytes came back, other than the %d sent", out.Len(), len(in))
		}
		if !strings.HasSuffix(said.String(), "0 /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n") {
			t.Errorf("stderr %q", said.String())
		}
	}
}

// sudoRS is sudo-rs in sudo's place, and a shell that is no POSIX one.
var sudoRS = lab.Options{Suite: "trixie", Packages: []string{"sudo-rs", "fish"}}

const putSudoRS = "mv /usr/bin/sudo /usr/bin/sudo.old; ln -s sudo-rs /usr/bin/sudo; usermod -s /usr/bin/fish admin; usermod -s /usr/bin/fish sudoer"

func TestLab_Root(t *testing.T) {
	t.Parallel()
	f := func(name string, opts lab.Options, setUp string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVPS(t, opts)
			v.sh(setUp)
			wantRoot(t, v.as("root"))
			wantRoot(t, v.as("admin"))
			wantRoot(t, v.as("sudoer", lab.SudoerPassword))
			wantRoot(t, v.as("sudoer", "wrong", lab.SudoerPassword))
			v.secret(t)
		})
	}
	f("trap06 trap23 sudo", lab.Options{}, "echo 'export PATH=/usr/bin:/bin' | tee /home/admin/.bashrc >/home/sudoer/.bashrc; echo 'echo hello from a chatty shell' >>/home/sudoer/.bashrc")
	f("trap06 sudo that uses a pty", lab.Options{Suite: "trixie"}, "true")
	f("trap07 trap24 sudo-rs and fish", sudoRS, putSudoRS)
}

// secret looks for the password wherever another process, or a later reader, might find it.
func (v *vps) secret(t *testing.T) {
	t.Helper()
	p, err := v.as("sudoer", lab.SudoerPassword).StartRoot(t.Context(), "echo gca-visible; read -r end; cat; exit 4")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(p.Stdout, make([]byte, len("gca-visible\n"))); err != nil {
		t.Fatal(err)
	}
	find := func(word string) string {
		cmd := v.Command(t.Context(), "sh", "-c", "cat >/run/word; grep -lsaf /run/word /proc/[0-9]*/cmdline /proc/[0-9]*/environ; grep -rlsaf /run/word /var/log /tmp /run/sudo; journalctl -o export | grep -af /run/word")
		cmd.Stdin = strings.NewReader(word + "\n")
		out, err := cmd.Output()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return string(out)
	}
	if seen := find("gca-visible"); !strings.Contains(seen, "cmdline") || !strings.Contains(seen, "COMMAND") {
		t.Errorf("the look at the server does not find what is there: %q", seen)
	}
	if seen := find(lab.SudoerPassword); seen != "" {
		t.Errorf("the password is to be seen in:\n%s", seen)
	}
	if _, err := io.WriteString(p.Stdin, "end\n"); err != nil {
		t.Error(err)
	}
	if err := p.Stdin.Close(); err != nil {
		t.Error(err)
	}
	if out, err := io.ReadAll(p.Stdout); err != nil || len(out) > 0 {
		t.Errorf("the command's input also had %q, %v", out, err)
	}
	if err := p.Wait(); err == nil || strings.Contains(err.Error()+p.Stderr(), lab.SudoerPassword) {
		t.Errorf("the end: %v", err)
	}
}

// wantNoRoot checks that the answer is no, the second time without a question.
func wantNoRoot(t *testing.T, conn *Conn, parts ...string) {
	t.Helper()
	for range 2 {
		err := conn.RunRoot(t.Context(), Cmd{Line: "true"})
		wantError(t, err, KindSudo, append(parts, "\nhint: log in as root@")...)
		if strings.Contains(err.Error(), lab.SudoerPassword) || strings.Contains(err.Error(), "wrong-") {
			t.Errorf("a password is in: %v", err)
		}
	}
}

func TestLab_NoRoot(t *testing.T) {
	t.Parallel()
	v := newVPS(t, lab.Options{})
	v.admit("login")
	wantNoRoot(t, v.as("login", lab.LoginPassword), "login may not become root", "usermod -aG sudo login")
	wantNoRoot(t, v.as("sudoer", "wrong-1", "wrong-2", "wrong-3"), "sudo has refused sudoer's password 3 times")
	wantNoRoot(t, v.as("sudoer"), "sudo wants sudoer's password, and there is nobody to ask", "sudoer ALL=(ALL) NOPASSWD: ALL")

	t.Run("trap06 an account without a password", func(t *testing.T) {
		v := v.in(t)
		v.sh("cp /etc/shadow /run/shadow; passwd -d sudoer")
		wantRoot(t, v.as("sudoer"))
		wantRoot(t, v.as("sudoer", ""))
		v.sh("cp /run/shadow /etc/shadow")
	})
	t.Run("trap06 one command free of a password", func(t *testing.T) {
		v := v.in(t)
		v.sh("echo 'sudoer ALL=(ALL) NOPASSWD: /usr/bin/apt' >>/etc/sudoers.d/sudoer")
		wantRoot(t, v.as("sudoer", lab.SudoerPassword))
		// The line itself, but no probe: sudo reads no password there, and leaves it to the command's input.
		v.sh(`echo 'sudoer ALL=(ALL) NOPASSWD: /bin/sh -c SSH_CONNECTION*' >>/etc/sudoers.d/sudoer`)
		conn := v.as("sudoer", lab.SudoerPassword)
		var out bytes.Buffer
		if err := conn.RunRoot(t.Context(), Cmd{Line: "cat", Stdin: strings.NewReader("input"), Stdout: &out}); err != nil || out.String() != "input" {
			t.Errorf("%q, %v", out.String(), err)
		}
	})
	t.Run("trap06 a host name that does not resolve", func(t *testing.T) {
		v := v.in(t)
		v.sh("hostname nowhere.invalid")
		wantRoot(t, v.as("admin"))
		wantRoot(t, v.as("sudoer", lab.SudoerPassword))
	})
	t.Run("trap08 requiretty", func(t *testing.T) {
		v := v.in(t)
		v.sh("echo 'Defaults requiretty' >/etc/sudoers.d/tty")
		wantNoRoot(t, v.as("admin"), "sudo works at a terminal only (requiretty)", "visudo", "Defaults:admin !requiretty")
		v.sh("echo 'Defaults:admin !requiretty' >>/etc/sudoers.d/tty") // what the hint says
		wantRoot(t, v.as("admin"))
		v.sh("rm /etc/sudoers.d/tty")
	})
	t.Run("a sudo that is broken", func(t *testing.T) {
		v := v.in(t)
		v.sh("chmod 0755 /usr/bin/sudo")
		wantNoRoot(t, v.as("admin"), "sudo failed: ", "setuid")
	})
	t.Run("no sudo", func(t *testing.T) {
		v := v.in(t)
		v.sh("mv /usr/bin/sudo /usr/bin/sudo.gone")
		wantNoRoot(t, v.as("admin"), "the server has no sudo, and admin is not root", "apt-get install sudo && usermod -aG sudo admin")
		wantRoot(t, v.as("root"))
	})
}

func TestLab_NoRoot_SudoRS(t *testing.T) {
	t.Parallel()
	v := newVPS(t, sudoRS)
	v.sh(putSudoRS)
	v.admit("login")
	wantNoRoot(t, v.as("login"), "login may not become root", "usermod -aG sudo login")
	wantNoRoot(t, v.as("sudoer", "wrong-1", "wrong-2", "wrong-3"), "sudo has refused sudoer's password 3 times")
	wantNoRoot(t, v.as("sudoer"), "sudo wants sudoer's password, and there is nobody to ask")

	// As where sudo-rs does not understand the rules that name this user.
	t.Run("trap07 the older sudo beside it", func(t *testing.T) {
		v := v.in(t)
		v.sh("mv /usr/bin/sudo.old /usr/bin/sudo.ws; rm /usr/bin/sudo; printf '#!/bin/sh\\necho \"sudo-rs: I am sorry $(id -un). I am afraid I can not do that\" >&2\\nexit 1\\n' >/usr/bin/sudo; chmod 755 /usr/bin/sudo")
		wantRoot(t, v.as("admin"))
		wantRoot(t, v.as("sudoer", lab.SudoerPassword))
	})
}

// The text costs no round trip of its own, and goes on where it cannot be root.
func TestLab_TryRoot(t *testing.T) {
	t.Parallel()
	v := newVPS(t, lab.Options{})
	f := func(user, want string) {
		t.Helper()
		var out bytes.Buffer
		line := TryRoot("echo \"root $(id -u)\"; cat") + "echo not"
		if err := v.as(user).Run(t.Context(), Cmd{Line: line, Stdin: strings.NewReader("input"), Stdout: &out}); err != nil || out.String() != want {
			t.Errorf("%s: %q, %v", user, out.String(), err)
		}
	}
	f("root", "root 0\ninput")
	f("admin", "root 0\ninput")
	f("sudoer", "not\n")
}
