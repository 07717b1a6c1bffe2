package remote

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestDialError(t *testing.T) {
	host, err := ParseHost("root@[2001:db8::1]:2222")
	if err != nil {
		t.Fatal(err)
	}
	f := func(err error, parts ...string) {
		t.Helper()
		wantError(t, dialError(host, 20*time.Second, err), KindUnreachable, parts...)
	}
	f(&net.DNSError{IsNotFound: true}, "no such host: 2001:db8::1", "check the spelling")
	f(&net.DNSError{IsTemporary: true, Err: "server misbehaving"}, "cannot look up", "server misbehaving", "DNS")
	f(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}, "no route to [2001:db8::1]:2222", "IPv6")
	f(&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, "no answer from [2001:db8::1]:2222 within 20s", "TCP port 2222")
	f(errors.New("odd"), "cannot connect to", "odd")
}
