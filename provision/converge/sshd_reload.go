package converge

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

const sshReloadTime = 10 * time.Second

// reloadSSH has sshd read its files again, if it runs. One that ssh.socket started cannot come by the socket again by itself, so
// it is started anew, which ends no session.
func (s *system) reloadSSH(ctx context.Context) error {
	units, err := collectUnits(ctx, &s.reader)
	if err != nil {
		return err
	}
	if units[sshSocket].Active {
		return s.systemctl(ctx, "try-restart", sshUnit)
	}
	old, err := sshdSockets(&s.reader, units[sshUnit].PID)
	if err != nil {
		return err
	}
	if err := s.systemctl(ctx, "try-reload-or-restart", sshUnit); err != nil {
		return err
	}
	return s.sshdReopened(ctx, old)
}

// sshdReopened returns when sshd waits for logins again. `systemctl reload` returns as soon as the signal is sent; sshd then closes
// its sockets, begins anew as the same process and opens them (sighup_restart in sshd.c): meanwhile nobody gets in.
func (s *system) sshdReopened(ctx context.Context, old []string) error {
	late := time.After(sshReloadTime)
	for len(old) > 0 {
		units, err := collectUnits(ctx, &s.reader)
		if err != nil {
			return err
		}
		now, err := sshdSockets(&s.reader, units[sshUnit].PID)
		if err != nil {
			return err
		}
		if len(now) >= len(old) && !slices.ContainsFunc(old, func(inode string) bool { return slices.Contains(now, inode) }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-late:
			if len(now) > 0 { // at other ports than before, by what a person wrote and had not had read
				return nil
			}
			return withHint(fmt.Errorf("sshd took no logins %s after it was told to read its files again", sshReloadTime), "sshd -t; systemctl status "+sshUnit)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// sshdSockets are the sockets at which a process waits for connections, by the kernel's numbers; of no process there are none.
func sshdSockets(s *reader, pid int) ([]string, error) {
	if pid == 0 {
		return nil, nil
	}
	held := socketsOf(s, pid)
	var sockets []string
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := s.readText(table)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(text) {
			if _, inode, ok := parseListener(line, tcpListening); ok && slices.Contains(held, inode) {
				sockets = append(sockets, inode)
			}
		}
	}
	return sockets, nil
}
