package lab

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// echoServer sends back what it gets, and stands for a server with one port.
func echoServer(t *testing.T) (*Server, int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return &Server{Name: "echo", Addr: "127.0.0.1"}, listener.Addr().(*net.TCPAddr).Port
}

func echoLink(t *testing.T, o LinkOptions) *Link {
	t.Helper()
	server, port := echoServer(t)
	o.Ports = []int{port}
	return NewLink(t, server, o)
}

func (l *Link) dial(t *testing.T) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", l.listeners[0].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.TCPConn)
}

// try says text over a new connection.
func (l *Link) try(t *testing.T, text string) (string, error) {
	t.Helper()
	conn, err := net.Dial("tcp", l.listeners[0].Addr().String())
	if err != nil {
		return "", err
	}
	t.Cleanup(func() { _ = conn.Close() })
	return say(t, conn.(*net.TCPConn), text)
}

// say sends text and returns how much of it comes back before the connection ends or a moment has passed.
func say(t *testing.T, conn *net.TCPConn, text string) (string, error) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		return "", err
	}
	return hear(t, conn, len(text))
}

func hear(t *testing.T, conn *net.TCPConn, n int) (string, error) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	back := make([]byte, n)
	n, err := io.ReadFull(conn, back)
	return string(back[:n]), err
}

func TestLink(t *testing.T) {
	t.Parallel()
	l := echoLink(t, LinkOptions{})
	conn := l.dial(t)
	if got, err := say(t, conn, "hello"); got != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	if up, down := l.Bytes(ToServer), l.Bytes(FromServer); up != 5 || down != 5 {
		t.Errorf("counted %d and %d bytes, want 5 and 5", up, down)
	}
	// An end of one direction is no end of the other.
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	again := l.dial(t)
	go func() { _, _ = again.Write(big); _ = again.CloseWrite() }()
	if got, err := io.ReadAll(again); err != nil || !bytes.Equal(got, big) {
		t.Errorf("of %d bytes %d came back, %v", len(big), len(got), err)
	}
	if n := l.Connections(l.listeners[0].Addr().(*net.TCPAddr).Port); n != 2 {
		t.Errorf("counted %d connections, want 2", n)
	}
}

func TestLink_speed(t *testing.T) {
	t.Parallel()
	f := func(o LinkOptions, size int, least, most time.Duration) {
		t.Helper()
		conn := echoLink(t, o).dial(t)
		begun := time.Now()
		if _, err := conn.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took < least || took > most {
			t.Errorf("%d bytes over %+v took %v, want %v to %v", size, o, took, least, most)
		}
	}
	f(LinkOptions{Latency: 50 * time.Millisecond}, 10, 100*time.Millisecond, 2*time.Second)
	f(LinkOptions{Latency: 50 * time.Millisecond}, 1<<20, 100*time.Millisecond, 4*time.Second)
	f(LinkOptions{Bandwidth: 256}, 128<<10, 400*time.Millisecond, 5*time.Second)
}

func TestLink_faults(t *testing.T) {
	t.Parallel()
	f := func(d Direction, after int64, fault Fault, want string, wantErr error) {
		t.Helper()
		l := echoLink(t, LinkOptions{})
		conn := l.dial(t)
		struck := l.BreakAfter(d, after, fault)
		got, err := say(t, conn, "0123456789")
		// Of what went to the server before the link broke the echo may still have come back.
		came := got == want || d == ToServer && strings.HasPrefix("0123456789"[:after], got)
		if !came || !errors.Is(err, wantErr) {
			t.Errorf("%d bytes %s, then %d: got %q, %v; want %q, %v", after, d, fault, got, err, want, wantErr)
		}
		<-struck
		if n := l.Bytes(d); n != after {
			t.Errorf("%d bytes went %s, want %d", n, d, after)
		}
		// New connections fare alike, until the link is healed.
		if _, err := l.try(t, "x"); !errors.Is(err, wantErr) {
			t.Errorf("a new connection: %v, want %v", err, wantErr)
		}
		l.Heal()
		if got, err := l.try(t, "x"); got != "x" {
			t.Errorf("healed: got %q, %v", got, err)
		}
		switch rest, err := hear(t, conn, 10-len(got)); {
		case fault == Stall && rest != "0123456789"[len(got):]:
			t.Errorf("healed, a stalled connection brings %q, %v", rest, err)
		case fault != Stall && (rest != "" || err == nil):
			t.Errorf("healed, a dead connection brings %q, %v", rest, err)
		}
	}
	f(ToServer, 4, Stall, "", os.ErrDeadlineExceeded)
	f(FromServer, 0, Stall, "", os.ErrDeadlineExceeded)
	f(ToServer, 4, Drop, "", os.ErrDeadlineExceeded)
	f(FromServer, 9, Drop, "012345678", os.ErrDeadlineExceeded)
	f(FromServer, 0, Reset, "", syscall.ECONNRESET)
	f(FromServer, 0, Drop, "", os.ErrDeadlineExceeded)
}

func TestLink_breakNow(t *testing.T) {
	t.Parallel()
	l := echoLink(t, LinkOptions{})
	conn := l.dial(t)
	if got, err := say(t, conn, "x"); got != "x" {
		t.Fatal(err)
	}
	l.Break(Reset)
	if got, err := hear(t, conn, 1); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %q, %v", got, err)
	}
	// A fault that was called off does not strike.
	l.Heal()
	l.BreakAfter(ToServer, 2, Reset)
	l.Heal()
	if got, err := l.try(t, "0123456789"); got != "0123456789" {
		t.Errorf("got %q, %v", got, err)
	}
}

// Links have addresses of their own, and leave neither a listener nor a goroutine.
func TestLink_ends(t *testing.T) {
	server, port := echoServer(t)
	var addrs []string
	for _, fault := range []Fault{noFault, Stall, Drop, Reset} {
		l, err := newLink(server, LinkOptions{Latency: time.Millisecond, Bandwidth: 1 << 20, Ports: []int{port}})
		if err != nil {
			t.Fatal(err)
		}
		other := NewLink(t, server, LinkOptions{Ports: []int{port}})
		if l.Addr == other.Addr {
			t.Errorf("two links at %s", l.Addr)
		}
		conn := l.dial(t)
		if got, err := say(t, conn, "hello"); got != "hello" {
			t.Fatal(err)
		}
		l.Break(fault)
		_, _ = io.WriteString(conn, "still on the way") // a reset one is gone
		if got, err := l.try(t, "one more"); fault != noFault && err == nil {
			t.Errorf("a new connection over a broken link brings %q", got)
		}
		l.close()
		if _, err := net.Dial("tcp", l.listeners[0].Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a closed link: %v", err)
		}
		other.close()
		addrs = append(addrs, l.Addr)
	}
	if addrs[0] != addrs[3] {
		t.Errorf("a free address is not used again: %v", addrs)
	}
	left := ""
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
		stacks := make([]byte, 1<<20)
		left = string(stacks[:runtime.Stack(stacks, true)])
		if !strings.Contains(left, "toxi") && !strings.Contains(left, "lab.(*Link)") && !strings.Contains(left, "lab.(*pair)") {
			return
		}
	}
	t.Errorf("goroutines are left:\n%s", left)
}
