package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// journey is a user with a key for each of two servers, tokyo behind bastion, and
// an ssh_config that names both.
type journey struct {
	home           string
	bastion, tokyo *server
	known          string
}

const journeyConfig = `
Host bastion
  HostName 127.0.0.1
  Port %d
  User jumper
  IdentityFile ~/.ssh/bastion
Host tokyo
  HostName 127.0.0.1
  Port %d
  User tester
  IdentityFile ~/.ssh/tokyo
  HostKeyAlias tk
`

func newJourney(t *testing.T, more string) *journey {
	t.Helper()
	j := &journey{home: home(t), bastion: newServer(t), tokyo: newServer(t)}
	j.known = filepath.Join(j.home, ".ssh", "known_hosts")
	for name, s := range map[string]*server{"bastion": j.bastion, "tokyo": j.tokyo} {
		public, _ := writeKey(t, filepath.Join(j.home, ".ssh", name), "")
		s.allow(public)
	}
	j.write(t, "config", fmt.Sprintf(journeyConfig, j.bastion.host().Port(), j.tokyo.host().Port())+more)
	j.bastion.start()
	j.tokyo.start()
	return j
}

func (j *journey) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(j.home, ".ssh", name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// travel resolves, dials and runs a command.
func (j *journey) travel(text string, opts Options) (*Conn, error) {
	host, err := Resolve(context.Background(), text, &opts)
	if err != nil {
		return nil, err
	}
	conn, err := Dial(context.Background(), host, opts)
	if err != nil {
		return nil, err
	}
	return conn, conn.Run(context.Background(), Cmd{Line: "true"})
}

func closed(t testing.TB, conn *Conn) {
	t.Helper()
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

func TestWay_Alias(t *testing.T) {
	j := newJourney(t, "")
	f := func(text string, opts Options, want string) {
		t.Helper()
		opts.AcceptNew = true
		conn, err := j.travel(text, opts)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := conn.Describe(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
		closed(t, conn)
	}
	end := fmt.Sprintf("tester@127.0.0.1:%d", j.tokyo.host().Port())
	f("tokyo", Options{}, end+", key ~/.ssh/tokyo")
	f("other@tokyo", Options{}, strings.Replace(end, "tester", "other", 1)+", key ~/.ssh/tokyo")
	f(fmt.Sprintf("tester@bastion:%d", j.tokyo.host().Port()), Options{IdentityFile: filepath.Join(j.home, ".ssh", "tokyo")}, end+", key ~/.ssh/tokyo")
	f("tokyo:1", Options{Port: j.tokyo.host().Port()}, end+", key ~/.ssh/tokyo")
	f("tokyo", Options{Jump: "bastion"}, end+" via bastion, key ~/.ssh/tokyo")
	f("tokyo", Options{Jump: fmt.Sprintf("jumper@bastion:%d,bastion", j.bastion.host().Port())}, end+" via bastion, bastion, key ~/.ssh/tokyo")
}

// A way through a jump host is one TCP connection from here, and ends whole.
func TestWay_Jump(t *testing.T) {
	j := newJourney(t, "")
	j.write(t, "config", strings.Replace(fmt.Sprintf(journeyConfig, j.bastion.host().Port(), j.tokyo.host().Port()),
		"HostKeyAlias tk", "HostKeyAlias tk\n  ProxyJump bastion", 1))
	conn, err := j.travel("tokyo", Options{AcceptNew: true})
	if err != nil {
		t.Fatal(err)
	}
	if connections, _, commands := j.bastion.seen(); connections != 1 || len(commands) != 0 {
		t.Errorf("the jump host saw %d connections and the commands %q", connections, commands)
	}
	raw, err := os.ReadFile(j.known)
	if err != nil || !strings.HasPrefix(string(raw), fmt.Sprintf("[127.0.0.1]:%d ", j.bastion.host().Port())) || !strings.Contains(string(raw), "\ntk ssh-ed25519 ") {
		t.Errorf("known_hosts, %v:\n%s", err, raw)
	}
	if _, err := conn.Redial(context.Background(), ""); err != nil {
		t.Error(err)
	}
	if connections, _, _ := j.bastion.seen(); connections != 2 {
		t.Errorf("the jump host saw %d connections after a second one", connections)
	}
	p, err := conn.Start(context.Background(), "cat")
	if err != nil {
		t.Fatal(err)
	}
	j.bastion.cut()
	wantError(t, p.Wait(), KindUnreachable, "lost the connection to "+j.tokyo.host().Addr())
	closed(t, conn)
}

func TestWay_JumpFails(t *testing.T) {
	j := newJourney(t, "Host loop\n ProxyJump loop2\nHost loop2\n ProxyJump loop\n")
	f := func(text string, opts Options, kind Kind, parts ...string) {
		t.Helper()
		opts.AcceptNew = true
		opts.pauses = []time.Duration{}
		conn, err := j.travel(text, opts)
		if err == nil {
			closed(t, conn)
		}
		wantError(t, err, kind, parts...)
	}
	f("tokyo:1", Options{Jump: "bastion"}, KindUnreachable, "the jump host cannot reach 127.0.0.1:1: Connection [31mrefused", "hint: ")
	f("tokyo", Options{Jump: "bastion:1"}, KindUnreachable, "connection refused by 127.0.0.1:1")
	f("tokyo", Options{Jump: "bastion,tokyo:1"}, KindUnreachable, "cannot reach 127.0.0.1:1")
	f(fmt.Sprintf("tokyo:%d", j.bastion.host().Port()), Options{Jump: "bastion"}, KindAuth, "accepts none of the keys")

	j.bastion.noJumps = true
	f("tokyo", Options{Jump: "bastion"}, KindUnreachable, "does not pass connections on", "AllowTcpForwarding")

	var told *Error
	if _, err := j.travel("loop", Options{}); err == nil || errors.As(err, &told) || !strings.Contains(err.Error(), "more than 8 jump hosts") {
		t.Errorf("a loop: %v", err)
	}
	if _, err := j.travel("tokyo", Options{Jump: "-x"}); err == nil || !strings.Contains(err.Error(), "hint: ") {
		t.Errorf("an option for a jump: %v", err)
	}
	if _, err := j.travel("tokyo", Options{Port: 70000}); err == nil || !strings.Contains(err.Error(), "out of range") {
		t.Errorf("a port: %v", err)
	}
	_, err := Dial(context.Background(), j.tokyo.host(), Options{Jump: "bastion"})
	wantError(t, err, KindUnreachable, "was not looked up")
}

// Every server on the way has to show the key that known_hosts has for it.
func TestWay_HostKeys(t *testing.T) {
	j := newJourney(t, "")
	stranger := newSigner(t).PublicKey()
	address := func(s *server) string { return s.host().Addr() }
	f := func(name string, lines []string, kind Kind, parts ...string) {
		t.Helper()
		t.Run("trap30 "+name, func(t *testing.T) {
			j.write(t, "known_hosts", strings.Join(lines, "\n")+"\n")
			conn, err := j.travel("tokyo", Options{Jump: "bastion"})
			if kind == 0 {
				if err != nil {
					t.Fatal(err)
				}
				closed(t, conn)
				return
			}
			wantError(t, err, kind, parts...)
		})
	}
	key := func(s *server) ssh.PublicKey { return s.hostKey }
	bastion := xknownhosts.Line([]string{address(j.bastion)}, key(j.bastion))
	f("alias, and a port in brackets", []string{bastion, "tk " + string(ssh.MarshalAuthorizedKey(key(j.tokyo)))}, 0)
	f("hashed", []string{xknownhosts.HashHostname("["+"127.0.0.1"+"]:"+fmt.Sprint(j.bastion.host().Port())) + " " + string(ssh.MarshalAuthorizedKey(key(j.bastion))),
		xknownhosts.HashHostname("tk") + " " + string(ssh.MarshalAuthorizedKey(key(j.tokyo)))}, 0)
	f("the alias stands for the address", []string{bastion, xknownhosts.Line([]string{address(j.tokyo)}, key(j.tokyo))}, KindHostKey, "is not known yet")
	f("a hop that is unknown", []string{"tk " + string(ssh.MarshalAuthorizedKey(key(j.tokyo)))}, KindHostKey, address(j.bastion), "is not known yet")
	f("a hop that changed", []string{xknownhosts.Line([]string{address(j.bastion)}, stranger), "tk " + string(ssh.MarshalAuthorizedKey(key(j.tokyo)))},
		KindHostKey, address(j.bastion), "has changed", "ssh-keygen -f "+j.known+" -R '[127.0.0.1]:")
	f("a server that changed", []string{bastion, "tk " + string(ssh.MarshalAuthorizedKey(stranger))}, KindHostKey, "has changed", "-R tk")
}

// The same words as a server that has too many logins under way.
func TestWay_Dropped(t *testing.T) {
	f := func(greeting string, drops int, wantTries int32, kind Kind, parts ...string) {
		t.Helper()
		t.Run("trap27 MaxStartups", func(t *testing.T) {
			dir := home(t)
			s := newServer(t)
			public, _ := writeKey(t, filepath.Join(dir, ".ssh", "id_ed25519"), "")
			s.allow(public)
			s.start()
			var tries atomic.Int32
			host := listen(t, func(sock net.Conn) {
				if int(tries.Add(1)) <= drops {
					_, _ = sock.Write([]byte(greeting)) // a client that has gone needs no word
					return
				}
				relay(t, sock, s.host().Addr())
			})
			var told []string
			conn, err := Dial(context.Background(), host, Options{AcceptNew: true, pauses: []time.Duration{time.Millisecond, 2 * time.Millisecond},
				Prompts: Prompts{Waiting: func(text string) { told = append(told, text) }}})
			if kind != 0 {
				wantError(t, err, kind, parts...)
			} else if err != nil {
				t.Fatal(err)
			} else {
				closed(t, conn)
			}
			if tries.Load() != wantTries || len(told) != int(wantTries)-1 {
				t.Errorf("%d connections, told %q", tries.Load(), told)
			}
		})
	}
	f("", 2, 3, 0)
	f("Exceeded MaxStartups\r\n", 1, 2, 0)
	f("Exceeded MaxStartups\r\n", 9, 3, KindUnreachable, "said: Exceeded MaxStartups", "MaxStartups", "wait ten minutes")
	f("", 9, 3, KindUnreachable, "closed the connection before the login", "PerSourcePenalties")
	f("Not allowed at this time\r\n", 9, 1, KindUnreachable, "said: Not allowed at this time")
	f("SSH-2.0-x\r\n", 9, 1, KindUnreachable, "closed the connection before the login")
}

func relay(t *testing.T, sock net.Conn, to string) {
	far, err := net.Dial("tcp", to)
	if err != nil {
		t.Error(err)
		return
	}
	var work sync.WaitGroup
	work.Go(func() {
		untilEnd(far, sock)
		far.Close()
	})
	untilEnd(sock, far)
	sock.Close()
	work.Wait()
}

// untilEnd copies until one side has gone, which is how a test's connection ends.
func untilEnd(to, from net.Conn) {
	for buf := make([]byte, 4096); ; {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// Waiting for a busy server can be called off.
func TestWay_DroppedCancel(t *testing.T) {
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(context.Background())
	home(t)
	_, err := Dial(ctx, listen(t, func(net.Conn) {}), Options{AcceptNew: true, pauses: []time.Duration{time.Hour},
		Prompts: Prompts{Waiting: func(string) { cancel(stop) }}})
	if !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

// A refused login is never tried again, whatever the pauses.
func TestWay_RefusedOnce(t *testing.T) {
	home(t)
	s, tries := passwordServer(t)
	who := person{password: "wrong"}
	_, err := Dial(context.Background(), s.start().host(), Options{AcceptNew: true, Prompts: who.prompts(), pauses: []time.Duration{0, 0}})
	wantError(t, err, KindAuth, "refuses the password")
	if connections, _, _ := s.seen(); connections != 1 || *tries != 1 {
		t.Errorf("%d connections, %d tries", connections, *tries)
	}
}

func TestUnbracket(t *testing.T) {
	f := func(item, want string) {
		t.Helper()
		if got := unbracket(item); got != want {
			t.Errorf("%q: got %q, want %q", item, got, want)
		}
	}
	f("me@[203.0.113.9]:22", "me@203.0.113.9:22")
	f("[203.0.113.9]", "203.0.113.9")
	f("[2001:db8::1]:22", "[2001:db8::1]:22")
	f("vps", "vps")
	f("[vps", "[vps")
}
