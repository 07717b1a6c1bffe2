package remote

import (
	"bufio"
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

// listen answers each connection on loopback by serve alone.
func listen(t *testing.T, serve func(net.Conn)) Host {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			sock, err := listener.Accept()
			if err != nil {
				return
			}
			serve(sock)
			sock.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	host, err := ParseHost("tester@" + listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return host
}

func dialOnly(ctx context.Context, t *testing.T, host Host, timeout time.Duration) error {
	t.Helper()
	home(t)
	conn, err := Dial(ctx, host, Options{Timeout: timeout, AcceptNew: true, pauses: []time.Duration{}})
	if err == nil {
		t.Errorf("connected to %s", host)
		return conn.Close()
	}
	return err
}

// untilClosed reads until the client goes.
func untilClosed(sock net.Conn) {
	for buf := make([]byte, 1024); ; {
		if _, err := sock.Read(buf); err != nil {
			return
		}
	}
}

func TestDial_trap43_Unreachable(t *testing.T) {
	ctx := context.Background()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	listener.Close()
	host, err := ParseHost("tester@" + closed)
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, dialOnly(ctx, t, host, 0), KindUnreachable, "connection refused by "+closed, "hint: ", "sshd is down", "another port", "firewall rejects", "banned")

	if host, err = ParseHost("tester@no-such-host.invalid"); err != nil {
		t.Fatal(err)
	}
	wantError(t, dialOnly(ctx, t, host, time.Second), KindUnreachable, "no-such-host.invalid", "hint: ")

	wantError(t, dialOnly(ctx, t, Host{}, 0), KindUnreachable, "no host given")
}

// A server that says nothing, or stops in the middle, must not hold us.
func TestDial_Stall(t *testing.T) {
	f := func(serve func(net.Conn)) {
		t.Helper()
		began := time.Now()
		err := dialOnly(context.Background(), t, listen(t, serve), 200*time.Millisecond)
		wantError(t, err, KindUnreachable, "did not answer within 200ms", "hint: ")
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("took %s", took)
		}
	}
	f(untilClosed)
	f(func(sock net.Conn) {
		if _, err := sock.Write([]byte("SSH-2.0-stalled\r\n")); err != nil {
			t.Error(err)
		}
		untilClosed(sock)
	})
}

func TestDial_NotSSH(t *testing.T) {
	ctx := context.Background()
	wantError(t, dialOnly(ctx, t, listen(t, func(net.Conn) {}), 0), KindUnreachable, "closed the connection before the login", "MaxStartups")
	host := listen(t, func(sock net.Conn) {
		if _, err := sock.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")); err == nil {
			untilClosed(sock)
		}
	})
	wantError(t, dialOnly(ctx, t, host, 300*time.Millisecond), KindUnreachable, host.Addr())
}

func TestDial_Cancel(t *testing.T) {
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(context.Background())
	host := listen(t, func(sock net.Conn) {
		if _, err := bufio.NewReader(sock).ReadString('\n'); err != nil {
			t.Error(err)
		}
		cancel(stop)
		untilClosed(sock)
	})
	if err := dialOnly(ctx, t, host, time.Hour); !errors.Is(err, stop) {
		t.Errorf("got %v, want the cause", err)
	}
	if err := dialOnly(ctx, t, host, time.Hour); !errors.Is(err, stop) {
		t.Errorf("already cancelled: got %v, want the cause", err)
	}
}
