package remote

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// visit is a person with a home of their own, who knows the server's host keys.
func (v *vps) visit() string {
	v.t.Helper()
	dir := home(v.t)
	known, err := os.ReadFile(v.KnownHosts)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, ".ssh", "known_hosts"), known, 0o600)
	}
	if err != nil {
		v.t.Fatal(err)
	}
	return dir
}

// sshd changes the server's configuration.
func (v *vps) sshd(lines string) {
	v.t.Helper()
	v.sh("echo '" + lines + "' >/etc/ssh/sshd_config.d/00-test.conf; sshd -t && systemctl restart ssh")
}

// logged counts lines of sshd's log.
func (v *vps) logged(pattern string) string {
	v.t.Helper()
	return strings.TrimSpace(v.sh("journalctl --sync; journalctl -u ssh -o cat | grep -c '" + pattern + "' || :"))
}

// enter is the way of every command: Resolve, then Dial.
func (v *vps) enter(text string, opts Options) (*Conn, error) {
	host, err := Resolve(v.t.Context(), text, &opts)
	if err != nil {
		return nil, err
	}
	return Dial(v.t.Context(), host, opts)
}

// wantIn logs in, runs a command, proves a second connection, and checks Describe.
func (v *vps) wantIn(text string, opts Options, describe string) {
	v.t.Helper()
	conn, err := v.enter(text, opts)
	if err != nil {
		v.t.Fatal(err)
	}
	defer closed(v.t, conn)
	var out bytes.Buffer
	if err := conn.Run(v.t.Context(), Cmd{Line: "id -un", Stdout: &out}); err != nil || strings.TrimSpace(out.String()) != conn.Host().User() {
		v.t.Errorf("%s is %q on the server, %v", text, out.String(), err)
	}
	if got := conn.Describe(); got != describe {
		v.t.Errorf("%s, want %s", got, describe)
	}
	if _, err := conn.Redial(v.t.Context(), ""); err != nil {
		v.t.Errorf("redial: %v", err)
	}
}

// becomesRoot logs in and runs a command as root, twice in one run.
func (v *vps) becomesRoot(t *testing.T, text string, opts Options) {
	t.Helper()
	for range 2 { // the second one remembers the first
		host, err := Resolve(t.Context(), text, &opts)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := Dial(t.Context(), host, opts)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := conn.RunRoot(t.Context(), Cmd{Line: "id -un", Stdout: &out}); err != nil || out.String() != "root\n" {
			t.Errorf("%q, %v", out.String(), err)
		}
		closed(t, conn)
	}
}

func TestLab_Login(t *testing.T) {
	v := newVPS(t, lab.Options{})
	v.visit()
	at := "@" + v.Addr

	who := person{password: lab.LoginPassword}
	v.wantIn("login"+at, Options{Prompts: who.prompts()}, "login"+at+", password")
	if len(who.asked) != 1 || v.logged("^Accepted password for login") != "2" {
		t.Errorf("asked %q, the server says %s times", who.asked, v.logged("^Accepted password for login"))
	}

	t.Run("the login's password serves sudo", func(t *testing.T) {
		who := person{password: lab.SudoerPassword}
		v.becomesRoot(t, "sudoer"+at, Options{Prompts: who.prompts()})
		if len(who.asked) != 1 {
			t.Errorf("asked %q", who.asked)
		}
	})
	t.Run("sudo's password is asked for once in a run", func(t *testing.T) {
		asked := 0
		v.becomesRoot(t, "sudoer"+at, Options{IdentityFile: v.KeyFile, Prompts: Prompts{Sudo: func(string, int) ([]byte, error) {
			asked++
			return []byte(lab.SudoerPassword), nil
		}}})
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
	})

	v.sshd("KbdInteractiveAuthentication yes\nPasswordAuthentication no")
	who = person{password: lab.LoginPassword}
	v.wantIn("login"+at, Options{Prompts: who.prompts()}, "login"+at+", password")
	if len(who.asked) != 1 || v.logged("^Accepted keyboard-interactive/pam for login") != "2" {
		t.Errorf("asked %q", who.asked)
	}

	v.sshd("Match User sudoer\nAuthenticationMethods publickey,password")
	who = person{password: lab.SudoerPassword}
	v.wantIn("sudoer"+at, Options{IdentityFile: v.KeyFile, Prompts: who.prompts()}, "sudoer"+at+", key "+v.KeyFile+" and password")
	if len(who.asked) != 1 {
		t.Errorf("asked %q", who.asked)
	}

	v.sshd("KbdInteractiveAuthentication yes\nMatch User sudoer\nAuthenticationMethods publickey,keyboard-interactive")
	who = person{password: lab.SudoerPassword}
	v.wantIn("sudoer"+at, Options{IdentityFile: v.KeyFile, Prompts: who.prompts()}, "sudoer"+at+", key "+v.KeyFile+" and password")
	if got := v.logged("^Failed"); got != "0" {
		t.Errorf("%s refused logins", got)
	}
}

// Providers hand out first passwords that have to be changed at once.
func TestLab_Expired(t *testing.T) {
	v := newVPS(t, lab.Options{})
	v.visit()
	v.sh("chage -d 0 login")
	who := person{password: lab.LoginPassword}
	conn, err := v.enter("login@"+v.Addr, Options{Prompts: who.prompts()})
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, conn.Run(t.Context(), Cmd{Line: "true"}), KindAuth, "has expired", "`ssh -p 22 login@"+v.Addr+"`")
	wantError(t, conn.RunRoot(t.Context(), Cmd{Line: "true", Stdout: io.Discard, Stderr: io.Discard}), KindAuth, "has expired")
	closed(t, conn)

	// By keyboard-interactive the server asks for the new one itself.
	v.sshd("KbdInteractiveAuthentication yes")
	const fresh = "x7-Kj2-Quux-99"
	prompts := who.prompts()
	var asked []string
	prompts.Challenge = func(_ string, questions []string, _ []bool) ([]string, error) {
		asked = append(asked, questions...)
		if strings.HasSuffix(questions[0], "Current password:") {
			return []string{lab.LoginPassword}, nil
		}
		return []string{fresh}, nil
	}
	conn, err = v.enter("login@"+v.Addr, Options{Prompts: prompts})
	if err != nil {
		t.Fatalf("%v, asked %q", err, asked)
	}
	defer closed(t, conn)
	if err := conn.Run(t.Context(), Cmd{Line: "true"}); err != nil || len(asked) != 3 {
		t.Errorf("%v, asked %q", err, asked)
	}
	if _, err := conn.Redial(t.Context(), ""); err != nil {
		t.Errorf("redial: %v", err)
	}
	if got := v.logged("^Failed"); got != "0" {
		t.Errorf("%s refused logins", got)
	}
}

// ssh_config leads through a jump host, here the server itself, to its second port.
func TestLab_Config(t *testing.T) {
	v := newVPS(t, lab.Options{})
	dir := v.visit()
	v.sshd("Port 22\nPort 2222")
	config := fmt.Sprintf(`
Host tokyo
  HostName 127.0.0.1
  Port 2222
  User sudoer
  IdentityFile %[2]s
  HostKeyAlias %[1]s
  ProxyJump edge
Host edge
  HostName %[1]s
  User admin
  IdentityFile %[2]s
  IdentitiesOnly yes
`, v.Addr, v.KeyFile)
	if err := os.WriteFile(filepath.Join(dir, ".ssh", "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	v.wantIn("edge", Options{}, "admin@"+v.Addr+", key "+v.KeyFile)
	v.wantIn("tokyo", Options{}, "sudoer@127.0.0.1:2222 via edge, key "+v.KeyFile)
	v.wantIn("root@tokyo", Options{Jump: "sudoer@edge:22"}, "root@127.0.0.1:2222 via edge, key "+v.KeyFile)

	// A jump host with a password, which is asked for once.
	v.sshd("Port 22\nPort 2222\nMatch User login\nPasswordAuthentication yes")
	who := person{password: lab.LoginPassword}
	v.wantIn("tokyo", Options{Jump: "login@" + v.Addr, Prompts: who.prompts()}, "sudoer@127.0.0.1:2222 via "+v.Addr+", key "+v.KeyFile)
	if len(who.asked) != 1 {
		t.Errorf("asked %q", who.asked)
	}

	v.sshd("Port 22\nPort 2222\nAllowTcpForwarding no")
	_, err := v.enter("tokyo", Options{})
	wantError(t, err, KindUnreachable, "does not pass connections on", "AllowTcpForwarding")

	t.Run("trap30 the type of key that known_hosts has", func(t *testing.T) {
		known := filepath.Join(v.visit(), ".ssh", "known_hosts")
		var lines string
		for _, key := range v.HostKeys {
			if strings.HasPrefix(key.Line, "ecdsa") {
				lines += v.Addr + " " + key.Line + "\n"
			}
		}
		if err := os.WriteFile(known, []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
		v.wantIn("admin@"+v.Addr, Options{IdentityFile: v.KeyFile}, "admin@"+v.Addr+", key "+v.KeyFile)
	})
}

// What is refused is refused once: the server's own log is the witness.
func TestLab_Refused(t *testing.T) {
	v := newVPS(t, lab.Options{})
	v.visit()
	v.sshd("KbdInteractiveAuthentication yes\nPasswordAuthentication yes\nLogLevel VERBOSE")
	who := person{password: "wrong"}
	_, err := v.enter("login@"+v.Addr, Options{Prompts: who.prompts()})
	wantError(t, err, KindAuth, "refuses the password of login", "tried once")
	if failed := v.logged("^Failed "); failed != "1" || len(who.asked) != 1 {
		t.Errorf("%s refused logins, asked %q", failed, who.asked)
	}

	t.Run("trap28 an agent with 73 keys", func(t *testing.T) {
		ring := startAgent(t)
		for i := range 73 {
			addKey(t, ring, nil, fmt.Sprint("key ", i))
		}
		_, err := v.enter("admin@"+v.Addr, Options{})
		wantError(t, err, KindAuth, "accepts none of the keys offered", `"key 0"`, `"key 3"`, "69 more not offered", "-i FILE")
		if got := v.logged("Too many authentication failures"); got != "0" {
			t.Errorf("the server hung up over too many keys, %s times", got)
		}
	})
	t.Run("trap28 the agent holds the key that ssh_config names", func(t *testing.T) {
		dir := v.visit()
		ring := startAgent(t)
		for i := range 73 {
			addKey(t, ring, nil, fmt.Sprint("key ", i))
		}
		giveKey(t, ring, v.KeyFile)
		public, err := os.ReadFile(v.KeyFile + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, ".ssh", "vps.pub"), public, 0o600); err != nil {
			t.Fatal(err)
		}
		config := "Host vps\n HostName " + v.Addr + "\n User admin\n IdentityFile ~/.ssh/vps.pub\n"
		if err := os.WriteFile(filepath.Join(dir, ".ssh", "config"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		v.wantIn("vps", Options{}, "admin@"+v.Addr+", key ~/.ssh/vps (agent)")
	})
}

// giveKey is ssh-add.
func giveKey(t *testing.T, ring agent.Agent, file string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	private, err := ssh.ParseRawPrivateKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	addKey(t, ring, private, "vps")
}
