package converge

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// serverWith is a reader of a server that has these files.
func serverWith(t *testing.T, files map[string]string) *reader {
	t.Helper()
	s := newReader(t.TempDir())
	if err := os.Mkdir(s.at("/var"), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range files {
		if err := os.MkdirAll(filepath.Dir(s.at(path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.at(path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestCollectDpkg(t *testing.T) {
	f := func(status string, want Dpkg) {
		t.Helper()
		got, err := collectDpkg(serverWith(t, map[string]string{dpkgStatus: status}))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	f("", Dpkg{})
	f("Package: ufw\nStatus: install ok installed\n\nPackage: bash\nStatus: install ok installed\n", Dpkg{Installed: []string{"ufw"}})
	f("Package: ufw\nStatus: deinstall ok config-files\n", Dpkg{})
	f("Package: nginx\nStatus: install ok half-configured\n\nPackage: bash\nStatus: install ok unpacked\n", Dpkg{Unfinished: []string{"bash", "nginx"}})
	f("Package: nginx-common\nStatus: install ok installed\nConffiles:\n /etc/nginx/nginx.conf aa\n "+nginxStock+" bb obsolete\n", Dpkg{StockSite: "bb"})
}

func TestCollectHardware(t *testing.T) {
	f := func(files map[string]string, want Hardware) {
		t.Helper()
		got, err := collectHardware(serverWith(t, files))
		want.DiskTotal, want.DiskFree, want.VarFree, want.Inodes, want.VarInodes = got.DiskTotal, got.DiskFree, got.VarFree, got.Inodes, got.VarInodes
		if err != nil || got != want || got.DiskFree == 0 || got.DiskTotal < got.DiskFree || got.Inodes.Total < got.Inodes.Free {
			t.Errorf("%+v, %v", got, err)
		}
	}
	f(nil, Hardware{})
	f(map[string]string{"/proc/meminfo": "MemTotal:  1000 kB\n", "/proc/swaps": "Filename\n", "/proc/mounts": "rootfs / rootfs rw\n/dev/vda1 / ext4 rw\n"},
		Hardware{Memory: 1024000, FileSystem: "ext4"})
	f(map[string]string{"/proc/swaps": "Filename\n/dev/vda2 partition\n"}, Hardware{Swap: true})
	f(map[string]string{"/etc/fstab": "# /swap none swap\n"}, Hardware{})
	f(map[string]string{"/etc/fstab": "/swap none swap sw 0 0\n"}, Hardware{Swap: true})
	f(map[string]string{"/run/systemd/container": "lxc"}, Hardware{Container: true})
	f(map[string]string{"/proc/1/limits": "Max open files            1024                 4096                 files\n"}, Hardware{OpenFiles: 4096})
}

func TestCollectSysctls(t *testing.T) {
	const file = "/proc/sys/net/ipv4/tcp_congestion_control"
	const key = "net.ipv4.tcp_congestion_control"
	f := func(container bool, files map[string]string, want Sysctl) {
		t.Helper()
		files[file] = "cubic\n"
		got, err := collectSysctls(serverWith(t, files), container)
		if err != nil || len(got) != 1 || got[key] != want {
			t.Errorf("%+v, %v", got, err)
		}
	}
	const list = "/proc/sys/net/ipv4/tcp_available_congestion_control"
	f(false, map[string]string{}, Sysctl{Value: "cubic"})
	f(false, map[string]string{list: "reno bbr cubic\n"}, Sysctl{Value: "cubic", Writable: true})
	f(true, map[string]string{list: "reno bbr cubic\n"}, Sysctl{Value: "cubic"})
	f(false, map[string]string{"/proc/sys/kernel/osrelease": "6.1\n", "/lib/modules/6.1/kernel/net/ipv4/tcp_bbr.ko.xz": ""}, Sysctl{Value: "cubic", Writable: true})
	f(false, map[string]string{list: "bbr\n", "/etc/sysctl.d/99-x.conf": "# a\n" + key + "=cubic\n"}, Sysctl{Value: "cubic", Writable: true, Owner: "/etc/sysctl.d/99-x.conf"})
	f(false, map[string]string{list: "bbr\n", "/etc/sysctl.d/99-x.conf": key + " = bbr\n", sysctlConf: key + " = reno\n"}, Sysctl{Value: "cubic", Writable: true})
}

func TestPasswordFile(t *testing.T) {
	f := func(files map[string]string, want string) {
		t.Helper()
		if got, err := passwordFile(serverWith(t, files)); err != nil || got != want {
			t.Errorf("%q, %v", got, err)
		}
	}
	const main, cloud = "/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/50-cloud-init.conf"
	f(nil, "")
	f(map[string]string{main: "#PasswordAuthentication yes\n"}, "")
	f(map[string]string{main: "passwordauthentication yes\n"}, main)
	f(map[string]string{main: "PasswordAuthentication no\n", cloud: "PasswordAuthentication yes\n"}, cloud)
}

func TestAptError(t *testing.T) {
	f := func(output, first, hint string) {
		t.Helper()
		err := aptError(&commandError{name: "apt-get", args: []string{"install"}, last: []string{output}, err: os.ErrInvalid})
		told := failureOf(err)
		if told.Reason != first || !strings.HasPrefix(told.Hint, hint) {
			t.Errorf("%+v", told)
		}
	}
	f("E: Failed to fetch http://mirror.test/debian/x.deb  Connection failed", "the package mirror mirror.test cannot be reached: Connection failed", "apt-get update")
	f("E: You don't have enough free space in /var/cache/apt/archives/.", "the disk is full", "df -h")
	f("E: dpkg was interrupted, you must manually run", "apt-get install: invalid argument", "dpkg --configure -a")
	f("E: Unable to locate package x", "apt-get install: invalid argument", "")
}
