package remote

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// vps is a lab server that a test has for itself.
type vps struct {
	*lab.Server
	t *testing.T
}

func newVPS(t *testing.T, opts lab.Options) *vps {
	t.Helper()
	return &vps{lab.Require(t, opts), t}
}

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
	host, err := ParseHost(user + "@" + v.Addr)
	if err != nil {
		v.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(v.t.Context(), time.Minute)
	defer cancel()
	conn, err := Dial(ctx, host, Options{IdentityFile: v.KeyFile, KnownHostsFile: v.KnownHosts, Prompts: prompts})
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

func TestLab_Root(t *testing.T) {
	t.Parallel()
	f := func(name string, opts lab.Options, setUp string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVPS(t, opts)
			if setUp != "" {
				v.sh(setUp)
			}
			wantRoot(t, v.as("root"))
			wantRoot(t, v.as("admin"))
			wantRoot(t, v.as("sudoer", lab.SudoerPassword))
			wantRoot(t, v.as("sudoer", "wrong", lab.SudoerPassword))
			data := randomBytes(4 << 20)
			file := fileOf(filepath.Join("/opt", "file"), data)
			if err := v.as("sudoer", lab.SudoerPassword).Upload(t.Context(), bytes.NewReader(data), file); err != nil {
				t.Error(err)
			}
		})
	}
	f("trap06 sudo", lab.Options{}, "")
	f("trap06 sudo that uses a pty", lab.Options{Suite: "trixie"}, "")
	f("trap07 sudo-rs", lab.Options{Suite: "trixie", Packages: []string{"sudo-rs"}}, "rm /usr/bin/sudo; ln -s sudo-rs /usr/bin/sudo")
}
