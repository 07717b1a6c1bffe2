package provision

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/payload"
	"github.com/gemini-claude-adapter/gca/provision/remote"
)

const debian = "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"

func TestRefuse(t *testing.T) {
	f := func(head, release, want string) {
		t.Helper()
		b, err := readProbe(bufio.NewReader(strings.NewReader(head + "os-release:\n" + release)))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if refused := b.refuse(payload.Set{{Name: "gca", Arch: "amd64"}}); refused != nil {
			got = refused.Error()
			if refused.Kind != KindRefused && (refused.Kind != KindLocked || !strings.Contains(head, "worker=")) {
				t.Errorf("%q has kind %d", got, refused.Kind)
			}
		}
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	const good = "kernel=Linux\nmachine=x86_64\nsystemd=yes\n"
	f(good, debian, "")
	f(good+"port80=\n", debian, "")
	f(good, "ID=ubuntu\nID_LIKE=debian\n", "")
	f(good, "ID=fedora\nPRETTY_NAME=\"Fedora Linux 44\"\n", "the server runs Fedora Linux 44")
	f(good, "ID=debian\nVERSION_ID=\"10\"\nPRETTY_NAME=\"Debian GNU/Linux 10 (buster)\"\n", "the server runs Debian GNU/Linux 10 (buster), which is too old")
	f(good, "ID=ubuntu\nVERSION_ID=\"22.04\"\n", "")
	f(good, "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux trixie/sid\"\n", "")
	f(good+"worker=pid 9 since 2026-01-02T03:04:05Z\n", debian, "a deploy by another gca is at work on this server: pid 9 since 2026-01-02T03:04:05Z\nhint: ")
	f("kernel=FreeBSD\nmachine=amd64\n", "", "the server runs FreeBSD")
	f("kernel=Linux\nmachine=x86_64\n", debian, "does not run systemd")
	f("kernel=Linux\nmachine=riscv64\nsystemd=yes\n", debian, "riscv64; gca runs on amd64 and arm64")
	f("kernel=Linux\nmachine=aarch64\nsystemd=yes\n", debian, "needs a binary for linux/arm64, and gca is for linux/amd64\nhint: in a checkout of gca: "+payload.BuildCommand("arm64"))
	f(good+`port80=LISTEN 0 511 *:80 *:* users:(("apache2",pid=71,fd=4),("apache2",pid=70,fd=4))`+"\n", debian, "port 80, which Nginx needs, is held by apache2 (pid 71)\nhint: systemctl disable --now apache2")
	f(good+`port80=LISTEN 0 511 *:80 *:* users:(("nginx",pid=71,fd=4))`+"\n", debian, "")
}

func TestReadProbe_nonsense(t *testing.T) {
	for _, text := range []string{"", "Welcome!\n", strings.Repeat("x", 1<<20)} {
		if _, err := readProbe(bufio.NewReader(strings.NewReader(text))); err == nil {
			t.Errorf("%.20q was understood", text)
		}
	}
}

// The line itself runs in any POSIX shell, with and without the agent.
func TestProbeLine(t *testing.T) {
	out, err := exec.Command("sh", "-c", probeLine([]agentAt{{"amd64", "/nonexistent/gca"}})).Output()
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(strings.NewReader("a login shell says hello\n" + string(out)))
	if line, _, err := firstWord(r); line != nil || err != nil {
		t.Fatalf("got %q, error %v", line, err)
	}
	b, err := readProbe(r)
	if err != nil || b.values["kernel"] != "Linux" || b.os.ID == "" || b.release() {
		t.Errorf("got %+v, error %v", b, err)
	}
	cmd := exec.Command("sh", "-c", probeLine([]agentAt{{"amd64", "/nonexistent/gca"}, {"arm64", "/bin/echo"}}))
	cmd.Env = append(os.Environ(), "SSH_CONNECTION=203.0.113.9 50000 198.51.100.1 22")
	if out, err := cmd.Output(); err != nil || string(out) != "gca-agent=arm64\nagent --ssh-connection 203.0.113.9 50000 198.51.100.1 22\n" {
		t.Errorf("with an agent: got %q, error %v", out, err)
	}
}

func TestFirstWord(t *testing.T) {
	line, arch, err := firstWord(bufio.NewReader(strings.NewReader("noise\ngca-agent=arm64\n{\"type\":\"hello\"}\nrest\n")))
	if err != nil || arch != "arm64" || string(line) != "{\"type\":\"hello\"}\n" {
		t.Errorf("got %q, error %v", line, err)
	}
	if _, _, err := firstWord(bufio.NewReader(strings.NewReader(strings.Repeat("noise\n", remote.MaxNoise+1)))); err == nil {
		t.Error("endless noise was read on")
	}
}
