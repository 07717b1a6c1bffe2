package remote

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

func TestLab_Limits(t *testing.T) {
	v := newVPS(t, lab.Options{})
	v.visit()
	t.Run("trap27 MaxSessions", v.maxSessions)
	t.Run("trap27 MaxSessions of one", v.maxSessionsOfOne)
	t.Run("trap27 MaxStartups", v.maxStartups)
}

func (v *vps) maxSessions(t *testing.T) {
	v.sshd("MaxSessions 2")
	conn, err := v.enter("root@"+v.Addr, Options{IdentityFile: v.KeyFile})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, conn)
	data := randomBytes(1 << 20)
	file := fileOf("/root/file", data)
	if err := conn.Upload(t.Context(), bytes.NewReader(data), file); err != nil {
		t.Error(err)
	}
	var running []*Process
	for range 2 {
		p, err := conn.Start(t.Context(), "cat")
		if err != nil {
			t.Fatal(err)
		}
		running = append(running, p)
	}
	_, err = conn.Start(t.Context(), "cat")
	wantError(t, err, KindRemote, "refuses another session", "MaxSessions")
	for _, p := range running {
		p.endInput()
		if err := p.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func (v *vps) maxSessionsOfOne(t *testing.T) {
	v.sshd("MaxSessions 1")
	conn, err := v.enter("root@"+v.Addr, Options{IdentityFile: v.KeyFile})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, conn)
	data := randomBytes(1 << 20)
	for range 3 { // one session has to be enough, whichever comes first
		if err := conn.Upload(t.Context(), bytes.NewReader(data), fileOf("/root/file", data)); err != nil {
			t.Error(err)
		}
	}
}

func (v *vps) maxStartups(t *testing.T) {
	v.sshd("MaxStartups 1:100:1")
	var held net.Conn
	hold := func() {
		sock, err := net.Dial("tcp", v.Addr+":22")
		if err != nil {
			t.Fatal(err)
		}
		held = sock
		if _, err := sock.Read(make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
	}
	hold()
	told := 0
	v.wantIn("root@"+v.Addr, Options{IdentityFile: v.KeyFile, pauses: []time.Duration{100 * time.Millisecond, 100 * time.Millisecond, time.Second, time.Second},
		Prompts: Prompts{Waiting: func(text string) {
			told++
			if !strings.Contains(text, "as a busy server does") {
				t.Errorf("told %q", text)
			}
			if told == 2 {
				held.Close()
			}
		}}}, "root@"+v.Addr+", key "+v.KeyFile)
	if told < 2 {
		t.Errorf("told %d times", told)
	}
}

// The environment is the server's, whatever the laptop's is.
func TestLab_Environment(t *testing.T) {
	v := newVPS(t, lab.Options{})
	v.visit()
	for _, name := range []string{"LANG", "LC_ALL", "LC_CTYPE", "LANGUAGE"} {
		t.Setenv(name, "tlh_KX.UTF-8")
	}
	v.sh("echo PATH=/usr/bin:/bin >/etc/environment")
	said := func(run func(*Conn, Cmd) error, line string) string {
		t.Helper()
		conn, err := v.enter("admin@"+v.Addr, Options{IdentityFile: v.KeyFile})
		if err != nil {
			t.Fatal(err)
		}
		defer closed(t, conn)
		var out, complaints bytes.Buffer
		if err := run(conn, Cmd{Line: line, Stdout: &out, Stderr: &complaints}); err != nil || complaints.Len() > 0 {
			t.Errorf("%s: %v\n%s", line, err, complaints.String())
		}
		return strings.TrimSpace(out.String())
	}
	user := func(c *Conn, cmd Cmd) error { return c.Run(t.Context(), cmd) }
	root := func(c *Conn, cmd Cmd) error { return c.RunRoot(t.Context(), cmd) }
	t.Run("trap22 the laptop's locale", func(t *testing.T) {
		const line = `env | grep -v SUDO_COMMAND | grep -c tlh; perl -e 'print "ok\n"'; echo $LC_ALL`
		for _, run := range []func(*Conn, Cmd) error{user, root} {
			if got := said(run, line); got != "0\nok\nC.UTF-8" {
				t.Errorf("got %q", got)
			}
		}
	})
	t.Run("trap23 a PATH without sbin", func(t *testing.T) {
		for _, run := range []func(*Conn, Cmd) error{user, root} {
			if got := said(run, "command -v sshd"); got != "/usr/sbin/sshd" {
				t.Errorf("got %q", got)
			}
		}
	})
}

func TestLab_Shells(t *testing.T) {
	v := newVPS(t, lab.Options{Packages: []string{"fish", "tcsh", "zsh"}})
	v.visit()
	enter := func() *Conn {
		t.Helper()
		conn, err := v.enter("admin@"+v.Addr, Options{IdentityFile: v.KeyFile})
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	const script = "# it's a \"script\"!\nx='a\\b'\nif [ \"$x\" = 'a\\b' ]; then\n\tprintf '%s!\\n' \"$x\" ~admin; cat\nfi"
	for _, shell := range []string{"/bin/sh", "/bin/bash", "/usr/bin/fish", "/bin/tcsh", "/bin/zsh"} {
		t.Run("trap24 "+shell, func(t *testing.T) {
			v.sh("usermod -s " + shell + " admin")
			conn := enter()
			defer closed(t, conn)
			for _, run := range []func(Cmd) error{
				func(cmd Cmd) error { return conn.Run(t.Context(), cmd) },
				func(cmd Cmd) error { return conn.RunRoot(t.Context(), cmd) },
			} {
				var out bytes.Buffer
				if err := run(Cmd{Line: script, Stdin: strings.NewReader("in"), Stdout: &out}); err != nil || out.String() != "a\\b!\n/home/admin!\nin" {
					t.Errorf("got %q, %v", out.String(), err)
				}
			}
			data := randomBytes(1 << 16)
			if err := conn.Upload(t.Context(), bytes.NewReader(data), fileOf("/home/admin/file", data)); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("trap24 nologin", func(t *testing.T) {
		v.sh("usermod -s /usr/sbin/nologin admin")
		conn := enter()
		defer closed(t, conn)
		wantError(t, conn.Run(t.Context(), Cmd{Line: "true"}), KindAuth, "its login shell runs no commands", "not available", "usermod -s /bin/bash admin")
	})
}
