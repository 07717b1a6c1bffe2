//go:build unix

package proxy

import (
	"errors"
	"syscall"
)

// peek looks at what the client sent without taking it: whether there is something to read, and whether the client closed or
// lost the connection. It does not wait.
func (c *conn) peek() (readable, gone bool) {
	if c.raw == nil {
		return false, false
	}
	var (
		b    [1]byte
		n    int
		err  error
		left bool
	)
	look := func(fd uintptr) {
		n, _, err = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		left = n > 0 && hungUp(int(fd))
	}
	if c.raw.Control(look) != nil {
		return false, true
	}
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR) {
		return false, false
	}
	return n > 0, err != nil || n == 0 || left
}
