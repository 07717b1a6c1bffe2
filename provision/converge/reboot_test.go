package converge

import (
	"fmt"
	"os"
	"slices"
	"testing"
)

func TestIsDeleted(t *testing.T) {
	f := func(line string, want bool) {
		t.Helper()
		if isDeleted(line) != want {
			t.Errorf("%q: not %v", line, want)
		}
	}
	const at = "7f1c2a400000-7f1c2a5c0000 "
	f(at+"r-xp 00028000 00:2f 1234 /usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)", true)
	f(at+"r-xp 00000000 08:01 99 /usr/sbin/nginx (deleted)", true)
	f(at+"r-xp 00000000 08:01 99 /usr/sbin/nginx", false)
	f(at+"rw-p 00000000 00:2f 1234 /usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)", false)
	f(at+"rw-s 00000000 00:01 5 /dev/zero (deleted)", false)
	f(at+"r-xp 00000000 00:2f 5 /memfd:code (deleted)", false)
	f("", false)
}

func TestRebootOf(t *testing.T) {
	m := newMachine(t)
	f := func(want Reboot, reason string) {
		t.Helper()
		got, err := rebootOf(&m.sys.reader)
		if err != nil || got.Required != want.Required || !slices.Equal(got.By, want.By) || !slices.Equal(got.Stale, want.Stale) || got.Reason() != reason {
			t.Errorf("%+v, %v: %q", got, err, got.Reason())
		}
	}
	process := func(pid int, maps, cgroup string) {
		dir := fmt.Sprintf("/proc/%d", pid)
		m.must(os.MkdirAll(m.sys.at(dir), 0o755))
		m.put(dir+"/maps", maps)
		m.put(dir+"/cgroup", cgroup)
	}
	f(Reboot{}, "")
	const old = "7f-80 r-xp 0 00:2f 1 /usr/lib/libssl.so.3 (deleted)\n"
	process(20, old, "0::/system.slice/nginx.service\n")
	process(21, old, "0::/system.slice/nginx.service\n")
	process(30, "", "0::/system.slice/ssh.service\n")
	process(40, old, "0::/user.slice/user-0.slice/session-1.scope\n")
	f(Reboot{Stale: []string{"nginx.service"}}, "since nginx.service still run what was there before an update; to restart that would do, too")
	m.put(rebootFile, "*** System restart required ***\n")
	f(Reboot{Required: true, Stale: []string{"nginx.service"}}, "for an update that does not say its name")
	m.put(rebootPackages, "linux-image-6.1.0-2-amd64\nlibc6\nlibc6\n")
	f(Reboot{Required: true, By: []string{"libc6", "linux-image-6.1.0-2-amd64"}, Stale: []string{"nginx.service"}}, "for libc6 and linux-image-6.1.0-2-amd64")
}
