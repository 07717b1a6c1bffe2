package remote

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

const optSHA = "sha256sum </opt/gca/releases/one/gca; stat -c %a:%U /opt/gca/releases/one/gca; ls -A /opt/gca/releases /opt/gca/releases/one"

// release is a file as deploys send it.
func release(data []byte) File {
	file := fileOf("/opt/gca/releases/one/gca", data)
	file.Mode = 0o755
	return file
}

// wantRelease checks what is on the server, and takes it away.
func (v *vps) wantRelease(file File) {
	v.t.Helper()
	if got, want := v.sh(optSHA), fmt.Sprintf("%x  -\n755:root\n/opt/gca/releases:\none\n\n/opt/gca/releases/one:\ngca\n", file.SHA256); got != want {
		v.t.Errorf("on the server is %q, want %q", got, want)
	}
	v.sh("rm -r /opt/gca")
}

func TestLab_Upload(t *testing.T) {
	t.Parallel()
	v := newVPS(t, lab.Options{})
	data := randomBytes(6 << 20)
	file := release(data)
	logins := map[string][]string{"root": nil, "admin": nil, "sudoer": {lab.SudoerPassword}}
	each := func(t *testing.T) {
		t.Helper()
		v := v.in(t)
		for user, password := range logins {
			if err := v.as(user, password...).Upload(t.Context(), bytes.NewReader(data), file); err != nil {
				t.Errorf("%s: %v", user, err)
				continue
			}
			v.wantRelease(file)
		}
	}
	t.Run("all logins", each)
	t.Run("trap26 nothing may be run from tmp and home", func(t *testing.T) {
		for _, dir := range []string{"/tmp", "/var/tmp", "/home", "/dev/shm"} {
			v.sh("mount --bind " + dir + " " + dir + " && mount -o remount,bind,noexec " + dir)
		}
		each(t)
	})
	t.Run("trap25 no sftp and one session", func(t *testing.T) {
		v.sh("sed -i '/^Subsystem/d' /etc/ssh/sshd_config; echo MaxSessions 1 >>/etc/ssh/sshd_config; systemctl restart ssh")
		each(t)
	})
	t.Run("cut and again", func(t *testing.T) {
		for user, password := range logins {
			v.in(t).cutAndAgain(user, password, file, data)
		}
	})
}

// cutAndAgain breaks the connection without a word: the server's end lives on, with the part open.
func (v *vps) cutAndAgain(user string, password []string, file File, data []byte) {
	v.t.Helper()
	link := lab.NewLink(v.t, v.Server, lab.LinkOptions{})
	conn := v.over(link.Addr, user, password...)
	file.Progress = func(done, total int64) {
		if done > total/2 {
			link.Break(lab.Drop)
			if err := conn.Close(); err != nil {
				v.t.Error(err)
			}
		}
	}
	err := conn.Upload(v.t.Context(), bytes.NewReader(data), file)
	wantError(v.t, err, KindUnreachable, "closed on this side")
	if left := strings.TrimSpace(v.sh("ls -A /opt/gca/releases/one")); !strings.Contains(left, ".gca-") {
		v.t.Errorf("%s: nothing is left but %q", user, left)
	}
	first := int64(-1)
	file.Progress = func(done, _ int64) {
		if first < 0 {
			first = done
		}
	}
	if err := v.as(user, password...).Upload(v.t.Context(), bytes.NewReader(data), file); err != nil {
		v.t.Errorf("%s, again: %v", user, err)
	}
	if first < 1<<20 {
		v.t.Errorf("%s: it began anew at %d", user, first)
	}
	v.wantRelease(file)
}

// One write at a time would take 26 s: 256 packets, each of them waited for.
func TestLab_Upload_Slow(t *testing.T) {
	t.Parallel()
	v := newVPS(t, lab.Options{})
	link := lab.NewLink(t, v.Server, lab.LinkOptions{Latency: 50 * time.Millisecond})
	data := randomBytes(8 << 20)
	file := release(data)
	for user, way := range map[string]string{"root": "sftp", "admin": "stdin"} {
		t.Run("trap31 a slow link, by "+way, func(t *testing.T) {
			v := v.in(t)
			conn := v.over(link.Addr, user)
			began := time.Now()
			if err := conn.Upload(t.Context(), bytes.NewReader(data), file); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 13*time.Second {
				t.Errorf("8 MiB took %s", took)
			}
			v.wantRelease(file)
		})
	}
}

// BenchmarkUpload sends a Go binary, of some 16 MB where this test's own is not
// smaller: through Upload, and as it is through a command's input.
func BenchmarkUpload(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		b.Fatal(err)
	}
	data = data[:min(len(data), 16<<20)]
	v := newVPS(b, lab.Options{})
	file := release(data)
	v.sh("mkdir -p /opt/gca/releases/one")
	upload := func(conn *Conn) error { return conn.Upload(b.Context(), bytes.NewReader(data), file) }
	asItIs := func(conn *Conn) error {
		return conn.RunRoot(b.Context(), Cmd{Line: "cat >" + file.Path + " && sync " + file.Path, Stdin: bytes.NewReader(data)})
	}
	for name, way := range map[string]lab.LinkOptions{
		"fast": {}, "100ms": {Latency: 50 * time.Millisecond}, "100ms-20Mbit": {Latency: 50 * time.Millisecond, Bandwidth: 2441},
	} {
		f := func(user, how string, send func(conn *Conn) error) {
			b.Run(name+"/"+how, func(b *testing.B) {
				v := &vps{v.Server, b}
				link := lab.NewLink(b, v.Server, way)
				conn := v.over(link.Addr, user)
				for b.Loop() {
					before := link.Bytes(lab.ToServer)
					if err := send(conn); err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(link.Bytes(lab.ToServer)-before)/1e6, "MB-sent")
					b.StopTimer()
					v.sh("rm -rf /opt/gca; mkdir -p /opt/gca/releases/one")
					b.StartTimer()
				}
			})
		}
		f("root", "upload-sftp", upload)
		f("admin", "upload-stdin", upload)
		f("root", "as-it-is", asItIs)
	}
}

func TestLab_Upload_NoRoom(t *testing.T) {
	t.Parallel()
	v := newVPS(t, lab.Options{})
	data := randomBytes(6 << 20)
	file := release(data)
	f := func(name, setUp, want, hint string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			v := v.in(t)
			v.sh("mount -t tmpfs -o size=4m tmpfs /opt")
			v.sh(setUp)
			for user, password := range map[string][]string{"root": nil, "sudoer": {lab.SudoerPassword}} {
				err := v.as(user, password...).Upload(t.Context(), bytes.NewReader(data), file)
				wantError(t, err, KindRemote, want, "\nhint: ", hint)
			}
			if left := v.sh("find /opt -name '.*'"); left != "" {
				t.Errorf("left behind: %s", left)
			}
			v.sh("umount /opt")
		})
	}
	f("known before", "true", "no space for the upload on "+v.Addr+": 12.6 MB needed, 4.2 MB free on /opt", "df -h /opt/gca/releases")
	f("no inode", "mount -o remount,size=40m,nr_inodes=4 /opt; mkdir /opt/gca", "its disk is full", "df -h")
	f("read-only", "mount -o remount,ro /opt", "its file system is read-only", "dmesg")

	t.Run("in the midst", func(t *testing.T) {
		v := v.in(t)
		v.sh("mount -t tmpfs -o size=40m tmpfs /opt")
		for user, password := range map[string][]string{"root": nil, "sudoer": {lab.SudoerPassword}} {
			conn := v.as(user, password...)
			filled := false
			file.Progress = func(done, _ int64) {
				if done > 0 && !filled {
					filled = true
					v.sh("head -c 100M /dev/zero >/opt/other 2>/dev/null || true")
				}
			}
			began := time.Now()
			err := conn.Upload(t.Context(), bytes.NewReader(data), file)
			wantError(t, err, KindRemote, "its disk is full", "df -h /opt/gca/releases")
			t.Logf("%s: told after %s", user, time.Since(began))
			if left := v.sh("find /opt -name '.*'"); left != "" {
				t.Errorf("left behind: %s", left)
			}
			v.sh("rm /opt/other")
		}
		file.Progress = nil
		if err := v.as("root").Upload(t.Context(), bytes.NewReader(data), file); err != nil {
			t.Error(err)
		}
		v.sh("umount /opt")
	})
}
