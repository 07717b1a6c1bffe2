package remote

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// TestMain fails a run that leaves goroutines of a connection behind.
func TestMain(m *testing.M) {
	code := lab.Main(m)
	if left := leftovers(5 * time.Second); left != "" && code == 0 {
		os.Stderr.WriteString("goroutines left behind:\n" + left + "\n")
		code = 1
	}
	os.Exit(code)
}

func leftovers(patience time.Duration) string {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for give := time.Now().Add(patience); ; <-ticker.C {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		var left []string
		for _, stack := range strings.Split(string(stacks), "\n\n")[1:] {
			if strings.Contains(stack, "crypto/ssh") || strings.Contains(stack, "pkg/sftp") || strings.Contains(stack, "provision/remote") {
				left = append(left, stack)
			}
		}
		if len(left) == 0 || time.Now().After(give) {
			return strings.Join(left, "\n\n")
		}
	}
}

// server is an SSH server on loopback that runs real commands and serves the real
// file system by sftp.
type server struct {
	t        *testing.T
	listener net.Listener
	config   *ssh.ServerConfig
	noSFTP   bool
	sftp     func(io.ReadWriteCloser) // instead of the real file system
	silent   bool                     // global requests stay without an answer
	noExec   bool
	noJumps  bool
	profile  string        // what the login shell runs before each line
	hostKey  ssh.PublicKey // the first one

	mu          sync.Mutex
	work        sync.WaitGroup
	connections []*countingConn
	offered     []string // fingerprints, in order
	authorized  map[string]bool
	commands    []string
	running     map[*exec.Cmd]bool
	ended       sync.Cond // a command has
}

func newServer(t *testing.T, hostKeys ...ssh.Signer) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, listener: listener, authorized: map[string]bool{}, running: map[*exec.Cmd]bool{}}
	s.ended.L = &s.mu
	s.config = &ssh.ServerConfig{PublicKeyCallback: s.authorize}
	if hostKeys == nil {
		hostKeys = []ssh.Signer{newSigner(t)}
	}
	s.hostKey = hostKeys[0].PublicKey()
	for _, key := range hostKeys {
		s.config.AddHostKey(key)
	}
	t.Cleanup(s.close)
	return s
}

// start begins to serve, after the test has set the server up.
func (s *server) start() *server {
	s.work.Go(func() {
		for {
			sock, err := s.listener.Accept()
			if err != nil {
				return
			}
			counting := &countingConn{Conn: sock}
			s.mu.Lock()
			s.connections = append(s.connections, counting)
			s.mu.Unlock()
			s.work.Go(func() { s.serve(counting) })
		}
	})
	return s
}

func (s *server) close() {
	s.listener.Close()
	s.cut()
	s.mu.Lock()
	for cmd := range s.running {
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			s.t.Error(err)
		}
	}
	s.mu.Unlock()
	s.work.Wait()
}

// cut breaks every connection, as a lost network does once noticed.
func (s *server) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sock := range s.connections {
		sock.Close()
	}
}

// received is how many bytes came over the last connection.
func (s *server) received() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connections[len(s.connections)-1].received.Load()
}

// idle waits until no command runs.
func (s *server) idle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.running) > 0 {
		s.ended.Wait()
	}
}

func (s *server) host() Host {
	host, err := ParseHost("tester@" + s.listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	return host
}

func (s *server) allow(keys ...ssh.PublicKey) {
	for _, key := range keys {
		s.authorized[string(key.Marshal())] = true
	}
}

func (s *server) authorize(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offered = append(s.offered, ssh.FingerprintSHA256(key))
	if !s.authorized[string(key.Marshal())] {
		return nil, errors.New("not authorized")
	}
	return nil, nil
}

func (s *server) seen() (connections int, offered, commands []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.connections), s.offered, s.commands
}

func (s *server) serve(sock net.Conn) {
	defer sock.Close()
	conn, channels, requests, err := ssh.NewServerConn(sock, s.config)
	if err != nil {
		return // the client's side of the test says why
	}
	s.work.Go(func() { s.answer(requests) })
	for offer := range channels {
		if offer.ChannelType() == "direct-tcpip" {
			s.work.Go(func() { s.forward(offer) })
			continue
		}
		ch, reqs, err := offer.Accept()
		if err != nil {
			break
		}
		s.work.Go(func() { s.session(ch, reqs) })
	}
	_ = conn.Wait() // how the client left is no matter here
}

// forward is what a jump host does.
func (s *server) forward(offer ssh.NewChannel) {
	var to struct {
		Host     string
		Port     uint32
		From     string
		FromPort uint32
	}
	err := ssh.Unmarshal(offer.ExtraData(), &to)
	if err != nil || s.noJumps {
		_ = offer.Reject(ssh.Prohibited, "administratively prohibited") // the client says what came of it
		return
	}
	sock, err := net.Dial("tcp", net.JoinHostPort(to.Host, strconv.Itoa(int(to.Port))))
	if err != nil {
		_ = offer.Reject(ssh.ConnectionFailed, "Connection \x1b[31mrefused")
		return
	}
	defer sock.Close()
	ch, requests, err := offer.Accept()
	if err != nil {
		return
	}
	defer ch.Close()
	s.work.Go(func() { ssh.DiscardRequests(requests) })
	s.work.Go(func() {
		_, _ = io.Copy(sock, ch) // ends with either side
		sock.Close()
	})
	_, _ = io.Copy(ch, sock)
}

func (s *server) answer(requests <-chan *ssh.Request) {
	for req := range requests {
		if req.WantReply && !s.silent {
			if err := req.Reply(false, nil); err != nil {
				return
			}
		}
	}
}

func (s *server) session(ch ssh.Channel, requests <-chan *ssh.Request) {
	var running *exec.Cmd
	for req := range requests {
		ok, started := false, false
		switch {
		case req.Type == "exec" && !s.noExec && running == nil:
			var exec struct{ Line string }
			if err := ssh.Unmarshal(req.Payload, &exec); err != nil {
				s.t.Error(err)
			}
			running = s.exec(ch, exec.Line)
			ok, started = running != nil, running != nil
		case req.Type == "subsystem" && !s.noSFTP:
			ok = true
			s.work.Go(func() { s.serveSFTP(ch) })
		case req.Type == "signal" && running != nil:
			// The group may have ended a moment ago.
			if err := syscall.Kill(-running.Process.Pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
				s.t.Error(err)
			}
		}
		replied := !req.WantReply || req.Reply(ok, nil) == nil
		if started { // a channel that ended before the reply would look like a lost connection
			s.work.Go(func() { s.await(ch, running) })
		}
		if !replied {
			break
		}
	}
	for range requests {
	}
}

func (s *server) serveSFTP(ch ssh.Channel) {
	defer ch.Close()
	if s.sftp != nil {
		s.sftp(ch)
		return
	}
	files, err := sftp.NewServer(ch)
	if err != nil {
		s.t.Error(err)
		return
	}
	_ = files.Serve() // ends with the channel, whatever ended that
	_ = files.Close()
}

// exec runs a line as sshd does: a closed channel ends the command's input, no more.
func (s *server) exec(ch ssh.Channel, line string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", s.profile+line)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stdout, cmd.Stderr = ch, ch.Stderr()
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.t.Error(err)
		return nil
	}
	s.mu.Lock()
	s.commands = append(s.commands, line)
	s.running[cmd] = true
	s.mu.Unlock()
	s.work.Go(func() {
		_, _ = io.Copy(stdin, ch) // a command need not read its input
		_ = stdin.Close()
	})
	return cmd
}

func (s *server) await(ch ssh.Channel, cmd *exec.Cmd) {
	_ = cmd.Wait() // the state says all
	s.mu.Lock()
	delete(s.running, cmd)
	s.ended.Broadcast()
	s.mu.Unlock()
	s.exit(ch, cmd.ProcessState.Sys().(syscall.WaitStatus))
}

func (s *server) exit(ch ssh.Channel, status syscall.WaitStatus) {
	// The client may be gone: errors have nobody to tell.
	if status.Signaled() {
		_, _ = ch.SendRequest("exit-signal", false, ssh.Marshal(struct {
			Name           string
			Dumped         bool
			Message, Local string
		}{Name: strings.TrimPrefix(map[syscall.Signal]string{syscall.SIGKILL: "KILL", syscall.SIGTERM: "TERM"}[status.Signal()], "SIG")}))
	} else {
		_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(status.ExitStatus())}))
	}
	_ = ch.Close()
}
