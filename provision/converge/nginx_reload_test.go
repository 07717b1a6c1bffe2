package converge

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"
)

func (m *machine) process(pid, cmdline, children string) {
	m.Helper()
	m.must(os.MkdirAll(m.sys.at("/proc/"+pid+"/task/"+pid), 0o755))
	m.put("/proc/"+pid+"/cmdline", cmdline)
	m.put("/proc/"+pid+"/task/"+pid+"/children", children)
}

func TestNginxWorkers(t *testing.T) {
	m := newMachine(t)
	f := func(want ...string) {
		t.Helper()
		got, err := nginxWorkers(&m.sys.reader)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	f()
	m.put(nginxPID, "70\n")
	f()
	m.process("70", "nginx: master process /usr/sbin/nginx\x00", "71 72 73 74 ")
	m.process("71", "nginx: worker process\x00", "")
	m.process("72", "nginx: worker process is shutting down\x00", "")
	m.process("73", "nginx: worker process                   ", "")
	m.process("80", "nginx: worker process\x00", "") // somebody else's
	f("71", "73")
}

// A reload is over when the workers of before are, however long that takes, up to a bound.
func TestReloadNginx(t *testing.T) {
	m := newMachine(t)
	m.put("/units/nginx.service.active", "")
	m.put(nginxPID, "70\n")
	m.process("70", "", "71 ")
	m.process("71", "nginx: worker process\x00", "")
	leaves := time.AfterFunc(100*time.Millisecond, func() { m.process("71", "nginx: worker process is shutting down\x00", "") })
	defer leaves.Stop()
	m.must(reloadNginx(t.Context(), m.sys))
	if now, err := nginxWorkers(&m.sys.reader); err != nil || len(now) > 0 {
		t.Errorf("the workers of before still serve: %q, %v", now, err)
	}
	m.process("71", "nginx: worker process\x00", "")
	left, leave := context.WithCancelCause(t.Context())
	time.AfterFunc(100*time.Millisecond, func() { leave(errors.New("interrupted")) })
	if err := reloadNginx(left, m.sys); err == nil || err.Error() != "interrupted" {
		t.Errorf("when it is interrupted: %v", err)
	}
}
