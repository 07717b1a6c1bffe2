package remote

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"
)

func TestConn_Close(t *testing.T) {
	_, conn := dialed(t, nil)
	p, err := conn.Start(context.Background(), "cat")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	wantError(t, p.Wait(), KindUnreachable, "was closed on this side")
	wantError(t, conn.Run(context.Background(), Cmd{Line: "true"}), KindUnreachable, "was closed on this side")
}

// memoryConn is one end of a connection in memory with room for what was sent,
// whose waiting synctest's clock understands. A frozen one loses everything.
type memoryConn struct {
	in, out *memoryBuffer
}

type memoryBuffer struct {
	mu     sync.Mutex
	filled sync.Cond
	data   []byte
	frozen bool
	closed bool
}

func newMemoryConns() (a, b *memoryConn) {
	left, right := &memoryBuffer{}, &memoryBuffer{}
	left.filled.L, right.filled.L = &left.mu, &right.mu
	return &memoryConn{left, right}, &memoryConn{right, left}
}

func (c *memoryConn) Read(p []byte) (int, error) {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	for len(c.in.data) == 0 && !c.in.closed {
		c.in.filled.Wait()
	}
	if len(c.in.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.in.data)
	c.in.data = c.in.data[n:]
	return n, nil
}

func (c *memoryConn) Write(p []byte) (int, error) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.out.closed {
		return 0, net.ErrClosed
	}
	if !c.out.frozen {
		c.out.data = append(c.out.data, p...)
		c.out.filled.Broadcast()
	}
	return len(p), nil
}

func (c *memoryConn) Close() error {
	for _, b := range []*memoryBuffer{c.in, c.out} {
		b.mu.Lock()
		b.closed = true
		b.filled.Broadcast()
		b.mu.Unlock()
	}
	return nil
}

// freeze loses, from now on, what the other end sends.
func (c *memoryConn) freeze() {
	c.in.mu.Lock()
	c.in.frozen = true
	c.in.mu.Unlock()
}

func (c *memoryConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *memoryConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *memoryConn) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (c *memoryConn) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

// inMemory is a connection to a server in the same synctest bubble. The server
// answers keepalives unless silent, and writes to a command's output what comes
// by talk.
func inMemory(t *testing.T, silent bool, talk <-chan string) (*Conn, *memoryConn) {
	t.Helper()
	near, far := newMemoryConns()
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(newSigner(t))
	go func() {
		_, channels, requests, err := ssh.NewServerConn(far, config)
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			for req := range requests {
				if req.Type == "keepalive@openssh.com" && req.WantReply && !silent {
					if err := req.Reply(false, nil); err != nil {
						return
					}
				}
			}
		}()
		for offer := range channels {
			ch, reqs, err := offer.Accept()
			if err != nil {
				return
			}
			go func() {
				for req := range reqs {
					if err := req.Reply(true, nil); err != nil {
						return
					}
				}
			}()
			go func() {
				for word := range talk { // the test closes it
					if _, err := io.WriteString(ch, word); err != nil {
						return
					}
				}
			}()
		}
	}()
	sock := &countingConn{Conn: near}
	conn, channels, requests, err := ssh.NewClientConn(sock, "", &ssh.ClientConfig{HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err != nil {
		t.Fatal(err)
	}
	host, err := ParseHost("root@vps")
	if err != nil {
		t.Fatal(err)
	}
	w := &way{stops: []stop{{host: host}}, opts: Options{keepalive: keepaliveInterval, memory: &memory{}}}
	return newConn(w, &link{client: ssh.NewClient(conn, channels, requests), traffic: sock, base: sock}), near
}

func closedTalk() <-chan string {
	talk := make(chan string)
	close(talk)
	return talk
}

// A live connection stays; a dead one is closed, and whoever waits is told why.
func TestKeepalive_trap29(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, near := inMemory(t, false, closedTalk())
		p, err := conn.Start(context.Background(), "wait")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if err := conn.alive.Err(); err != nil {
			t.Fatalf("closed after an idle hour: %v", context.Cause(conn.alive))
		}
		near.freeze()
		began := time.Now()
		wantError(t, p.Wait(), KindUnreachable, "lost the connection to vps:22", "no sign of life for 30s", "hint: ")
		if took := time.Since(began); took > 5*keepaliveInterval {
			t.Errorf("found out after %s", took)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
}

// On a slow link the answer to a keepalive queues behind other bytes: they count.
func TestKeepalive_BytesAreLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		talk := make(chan string)
		conn, _ := inMemory(t, true, talk)
		p, err := conn.Start(context.Background(), "talk")
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			time.Sleep(keepaliveInterval)
			talk <- "x"
			if _, err := io.ReadFull(p.Stdout, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		wantError(t, p.Wait(), KindUnreachable, "no sign of life")
		close(talk)
	})
}

// A keepalive that waits for its answer must not hold Close, nor must a command
// that is being started on a dead link outlive its context.
func TestKeepalive_CloseWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, near := inMemory(t, true, closedTalk())
		time.Sleep(keepaliveInterval + time.Second)
		near.freeze()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		began := time.Now()
		if err := conn.Run(ctx, Cmd{Line: "true"}); err != context.DeadlineExceeded || time.Since(began) != time.Second {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
		if err := conn.Close(); err != nil || time.Since(began) != time.Second {
			t.Errorf("closing: %v after %s", err, time.Since(began))
		}
	})
}
