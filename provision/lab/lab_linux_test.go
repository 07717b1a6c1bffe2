package lab

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func exec1(t *testing.T, s *Server, args ...string) string {
	t.Helper()
	out, err := s.Exec(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// number is the network number of s.
func number(t *testing.T, s *Server) int {
	t.Helper()
	return int(netip.MustParseAddr(s.Addr).As4()[2])
}

// wantNothingLeft fails if anything of a server that ended is still there.
func wantNothingLeft(t *testing.T, s *Server) {
	t.Helper()
	n := number(t, s)
	groups, err := cgroups(n)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(groups, s.dir) {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left (%v)", path, err)
		}
	}
	if _, err := net.InterfaceByName(hostInterface(n)); err == nil {
		t.Errorf("interface %s is left", hostInterface(n))
	}
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), s.dir+"/") {
		t.Errorf("a mount under %s is left", s.dir)
	}
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range commands {
		line, err := os.ReadFile(c)
		if err == nil && strings.Contains(string(line), s.dir+"/") {
			t.Errorf("a process is left: %q", line)
		}
	}
}

// Tests of one process ask side by side.
func TestCheckSideBySide(t *testing.T) {
	want := Check()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := Check(); (err == nil) != (want == nil) {
				t.Errorf("got %v, alone %v", err, want)
			}
		})
	}
	all.Wait()
}

func TestServer(t *testing.T) {
	t.Parallel()
	s := Require(t, Options{})
	t.Run("users", func(t *testing.T) { testUsers(t, s) })
	t.Run("exec", func(t *testing.T) { testExec(t, s) })
	t.Run("network", func(t *testing.T) { testNetwork(t, s) })
	t.Run("packages", func(t *testing.T) { testPackages(t, s) })
	t.Run("side by side", func(t *testing.T) { testSecond(t, s) })
	t.Run("reboot", func(t *testing.T) { testReboot(t, s) })
	t.Run("power cut", func(t *testing.T) { testPowerCut(t, s) })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantNothingLeft(t, s)
	if err := s.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

func testUsers(t *testing.T, s *Server) {
	f := func(user, command, want string) {
		t.Helper()
		args := append(s.sshArgs(user, "-o", "BatchMode=yes"), command)
		out, err := output(exec.CommandContext(t.Context(), "ssh", args...))
		if got := strings.TrimSpace(out); got != want {
			t.Errorf("%s: %s: got %q, %v; want %q", user, command, got, err, want)
		}
	}
	f("root", "id -un", "root")
	f("admin", "sudo -n id -un", "root")
	f("sudoer", "sudo -n id -un", "")
	f("sudoer", "echo "+SudoerPassword+" | sudo -S -p '' id -un", "root")
	f("login", "id -un", "")
	if status := exec1(t, s, "passwd", "--status", "login"); !strings.HasPrefix(status, "login P ") {
		t.Errorf("login has no password: %s", status)
	}

	scan, err := output(exec.CommandContext(t.Context(), "ssh-keyscan", "-t", "ed25519", s.Addr))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimPrefix(strings.TrimSpace(scan), s.Addr+" "); got != s.HostKeys[0].Line {
		t.Errorf("sshd shows host key %q, want %q", got, s.HostKeys[0].Line)
	}
	print, err := output(exec.CommandContext(t.Context(), "ssh-keygen", "-l", "-f", s.KnownHosts))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range s.HostKeys {
		if !strings.Contains(print, " "+key.Fingerprint+" ") {
			t.Errorf("ssh-keygen knows no fingerprint %s: %s", key.Fingerprint, print)
		}
	}
}

func testExec(t *testing.T, s *Server) {
	odd := `a 'b' "c" $HOME *`
	if got := exec1(t, s, "printf", "%s", odd); got != odd {
		t.Errorf("got %q, want %q", got, odd)
	}
	_, err := s.Sh(t.Context(), "echo the reason >&2; exit 7")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 || !strings.Contains(err.Error(), "the reason") {
		t.Errorf("got %v, want status 7 and the reason", err)
	}
	if got := exec1(t, s, "systemctl", "is-system-running"); got != "running" {
		t.Errorf("systemd is %s", got)
	}
}

func testNetwork(t *testing.T, s *Server) {
	l, err := net.Listen("tcp", net.JoinHostPort(s.Gateway, "0"))
	if err != nil {
		t.Fatal(err)
	}
	host := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "from the host") // a client that left fails the test by itself
	}))
	host.Listener = l
	host.Start()
	defer host.Close()
	get := "import urllib.request; print(urllib.request.urlopen('" + host.URL + "', timeout=5).read().decode())"
	if got := exec1(t, s, "python3", "-c", get); got != "from the host" {
		t.Errorf("got %q from the host", got)
	}
	if route := exec1(t, s, "ip", "route", "show", "default"); !strings.Contains(route, "via "+s.Gateway+" ") {
		t.Errorf("default route %q", route)
	}
	forwarding, err := os.ReadFile("/proc/sys/net/ipv4/conf/" + hostInterface(number(t, s)) + "/forwarding")
	if err != nil || strings.TrimSpace(string(forwarding)) != "0" {
		t.Errorf("the host would route for the server: %q, %v", forwarding, err)
	}
	if own := exec1(t, s, "cat", "/proc/sys/net/ipv4/ip_forward"); own != "0" {
		t.Errorf("the server routes for others: %q", own)
	}
}

func testPackages(t *testing.T, s *Server) {
	if _, err := s.Sh(t.Context(), "apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y tree"); err != nil {
		t.Fatal(err)
	}
	if got := exec1(t, s, "tree", "--version"); !strings.HasPrefix(got, "tree v") {
		t.Errorf("got %q", got)
	}
	cache, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	kept, err := filepath.Glob(filepath.Join(cache, "packages", "*-tree_*.deb"))
	if err != nil || len(kept) == 0 {
		t.Errorf("the package is not in the cache: %v", err)
	}
}

func testSecond(t *testing.T, s *Server) {
	second := Require(t, Options{Name: "second-" + s.Name})
	if second.Addr == s.Addr || second.HostKeys[0].Line == s.HostKeys[0].Line {
		t.Errorf("two servers share an address or a host key: %s, %s", s.Addr, second.Addr)
	}
	if a, b := exec1(t, s, "cat", "/etc/machine-id"), exec1(t, second, "cat", "/etc/machine-id"); a == b {
		t.Errorf("two servers share machine id %s", a)
	}
	servers, err := List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []*Server{s, second} {
		got, err := find(servers, want.Name)
		if err != nil || got.State != Running || got.Owner != os.Getpid() || got.Addr != want.Addr {
			t.Errorf("listed as %+v, %v", got, err)
		}
	}
	_, err = Up(t.Context(), Options{Name: s.Name}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "exists already\nhint: ") {
		t.Errorf("a name twice: got %v", err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	wantNothingLeft(t, second)
}

func testReboot(t *testing.T, s *Server) {
	if _, err := s.Sh(t.Context(), "echo kept > /root/file"); err != nil {
		t.Fatal(err)
	}
	before := exec1(t, s, "cat", "/proc/sys/kernel/random/boot_id")
	if err := s.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := exec1(t, s, "cat", "/root/file"); got != "kept" {
		t.Errorf("got %q", got)
	}
	if after := exec1(t, s, "cat", "/proc/sys/kernel/random/boot_id"); after == before {
		t.Error("the system did not restart")
	}
}

func testPowerCut(t *testing.T, s *Server) {
	if err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "it is not off") {
		t.Errorf("start a server that runs: %v", err)
	}
	if err := s.PowerCut(t.Context()); err != nil {
		t.Fatal(err)
	}
	listed, err := Find(t.Context(), s.Name)
	if err != nil || listed.State != Off {
		t.Fatalf("got %+v, %v", listed, err)
	}
	if s.sshdAnswers(t.Context()) {
		t.Error("sshd answers without power")
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := exec1(t, s, "cat", "/root/file"); got != "kept" {
		t.Errorf("got %q", got)
	}
}

func TestPreinstalledPackages(t *testing.T) {
	t.Parallel()
	s := Require(t, Options{Packages: []string{"tree"}})
	if got := exec1(t, s, "tree", "--version"); !strings.HasPrefix(got, "tree v") {
		t.Errorf("got %q", got)
	}
}

func TestSmallDisk(t *testing.T) {
	t.Parallel()
	s := Require(t, Options{DiskMB: 64})
	size := exec1(t, s, "df", "--output=size", "-m", "/")
	if !strings.HasSuffix(size, " 64") {
		t.Errorf("the disk is %q MiB, want 64", size)
	}
	if _, err := s.Sh(t.Context(), "fallocate -l 80M /root/file"); err == nil || !strings.Contains(err.Error(), "No space left") {
		t.Errorf("80 MiB on it: %v", err)
	}
	if _, err := Up(t.Context(), Options{DiskMB: 1}, io.Discard); err == nil || !strings.Contains(err.Error(), "want 16 or more") {
		t.Errorf("a disk of 1 MiB: %v", err)
	}
}
