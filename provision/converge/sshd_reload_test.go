package converge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// listens has process 1, which is sshd here, wait at one port on IPv4 and IPv6, by the kernel's numbers of these sockets.
func (m *machine) listens(inodes ...int) {
	m.Helper()
	m.must(os.RemoveAll(m.sys.at("/proc/1/fd")))
	m.must(os.MkdirAll(m.sys.at("/proc/1/fd"), 0o755))
	m.must(os.MkdirAll(m.sys.at("/proc/net"), 0o755))
	const line = "   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 %d 1 0 100 0 0 10 0\n"
	table := fmt.Sprintf(line, 7) // somebody else's
	for i, inode := range inodes {
		m.must(os.Symlink(fmt.Sprintf("socket:[%d]", inode), m.sys.at(fmt.Sprintf("/proc/1/fd/%d", i))))
		table += fmt.Sprintf(line, inode)
	}
	m.put("/proc/net/tcp", table)
}

// A reload is over when sshd waits at new sockets, as many as before.
func TestReloadSSH(t *testing.T) {
	m := newMachine(t)
	m.must(m.sys.reloadSSH(t.Context())) // it does not run
	m.put("/units/ssh.service.active", "")
	m.listens(100, 101)
	closed := time.AfterFunc(50*time.Millisecond, func() { m.listens() })
	half := time.AfterFunc(100*time.Millisecond, func() { m.listens(200) })
	opened := time.AfterFunc(150*time.Millisecond, func() { m.listens(200, 201) })
	m.must(m.sys.reloadSSH(t.Context()))
	for _, timer := range []*time.Timer{closed, half, opened} {
		if timer.Stop() {
			t.Error("sshd was not waited for")
		}
	}
	now, err := sshdSockets(&m.sys.reader, 1)
	if err != nil || !slices.Equal(now, []string{"200", "201"}) {
		t.Errorf("sshd waits at %q, %v", now, err)
	}
	left, leave := context.WithCancelCause(t.Context())
	time.AfterFunc(100*time.Millisecond, func() { leave(errors.New("interrupted")) })
	if err := m.sys.reloadSSH(left); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("when it is interrupted: %v", err)
	}
}
