package provision

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/payload"
	"github.com/gemini-claude-adapter/gca/provision/remote"
)

// probeMark is the first line of what a server says that does not have the wanted release yet.
const probeMark = "gca-probe"

// agentMark begins the line before an agent's first word: its architecture follows.
const agentMark = "gca-agent="

// agentAt is where a release's binary would lie, and for which architecture it is.
type agentAt struct{ arch, gca string }

// probeLine starts the first of the agents that is there, as root or, where none is or root's password is needed, tells what
// the next move depends on. It is one POSIX line, so that a server that is up to date costs one exec.
func probeLine(agents []agentAt) string {
	line := "release=; "
	for _, at := range agents {
		line += "if [ -x " + at.gca + " ]; then release=yes; echo " + agentMark + at.arch + "; " + remote.TryRoot(agentLine(at.gca)) + "fi; "
	}
	return line + "echo " + probeMark + "; echo release=$release; " + probeRest
}

// probeRest asks as root where no password is needed for it; where one is, another user's answers have to do.
const probeRest = `PATH=$PATH:/usr/sbin:/sbin; root=
[ "$(id -u)" = 0 ] || ! sudo -n true >/dev/null 2>&1 || root="sudo -n"
echo kernel=$(uname -s); echo machine=$(uname -m)
[ -d /run/systemd/system ] && echo systemd=yes
systemctl is-active -q gca-deploy.service 2>/dev/null && echo "worker=$($root head -n 1 ` + converge.LockFile + ` 2>/dev/null)"
command -v ss >/dev/null && echo "port80=$($root ss -Hltnp 'sport = :80' | head -n 1)"
[ -d /etc/gemini-adapter ] && echo adapter=yes
echo "current=$(basename "$(readlink /opt/gemini-adapter/current)")"; echo "releases=$(ls -t /opt/gemini-adapter/releases 2>/dev/null | head -n 9 | tr '\n' ' ')"
echo os-release:; cat /etc/os-release`

// bare is what the probe tells of a server without the wanted release.
type bare struct {
	values map[string]string
	os     converge.OSRelease
}

func readProbe(r *bufio.Reader) (*bare, error) {
	text, err := io.ReadAll(io.LimitReader(r, 64<<10))
	if err != nil {
		return nil, fmt.Errorf("cannot look at the server: %w", err)
	}
	head, release, found := strings.Cut(string(text), "os-release:\n")
	if !found {
		return nil, fmt.Errorf("the server's answer makes no sense: %q", firstLine(string(text)))
	}
	b := &bare{values: make(map[string]string), os: converge.ParseOSRelease(release)}
	for line := range strings.Lines(head) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		b.values[name] = value
	}
	return b, nil
}

// refuse says why nothing can be deployed here, before anything is sent.
func (b *bare) refuse(payloads payload.Set) *Error {
	if locked := b.locked(); locked != nil {
		return locked
	}
	arch := b.arch()
	_, carried := payloads.For(arch)
	if kernel := b.values["kernel"]; kernel != "Linux" {
		return &Error{Kind: KindRefused, Message: fmt.Sprintf("the server runs %s; gca deploys to Debian and Ubuntu", kernel), Hint: "use a server with Debian 12 or Ubuntu 22.04 or later"}
	}
	if refusal := converge.RefuseOS(b.os); refusal != nil {
		return refused(refusal)
	}
	switch {
	case b.values["systemd"] != "yes":
		return &Error{Kind: KindRefused, Message: "the server does not run systemd, which keeps the adapter running", Hint: "use a server, not a bare container; nothing was changed"}
	case arch == "":
		return &Error{Kind: KindRefused, Message: fmt.Sprintf("the server's machine is %s; gca runs on amd64 and arm64", b.values["machine"]), Hint: "rent a server of one of these; nothing was changed"}
	case !carried:
		return &Error{Kind: KindRefused, Message: fmt.Sprintf("the server needs a binary for linux/%s, and %s", arch, whatThereIs(payloads)),
			Hint: fmt.Sprintf("in a checkout of gca: %s\n      then the same command with --binary gca-linux-%s", payload.BuildCommand(arch), arch)}
	}
	if refusal := converge.RefuseWebPort(b.webPort()); refusal != nil {
		return refused(refusal)
	}
	return nil
}

// whatThereIs says what a laptop has in place of what a server needs.
func whatThereIs(payloads payload.Set) string {
	if len(payloads) == 0 {
		return "this gca, built from source for another system, carries none"
	}
	return payloads[0].Name + " is for linux/" + payloads[0].Arch
}

// arch is the server's architecture in Go's words, or "".
func (b *bare) arch() string { return payload.ArchOf(b.values["machine"]) }

// current is the name of the release in force, or "".
func (b *bare) current() string { return b.values["current"] }

// releases are the names of those that are there, the current one first.
func (b *bare) releases() []string {
	return append(strings.Fields(b.current()), strings.Fields(b.values["releases"])...)
}

// locked tells of a deploy at work that the wanted release, which is not there, has no part in; nil if there is none.
func (b *bare) locked() *Error {
	holder, held := b.values["worker"]
	if !held {
		return nil
	}
	return &Error{Kind: KindLocked, Message: strings.TrimSpace("a deploy by another gca is at work on this server: " + holder),
		Hint: "finish it with the gca that began it, or wait: without a commit the server puts everything back after 15 minutes"}
}

// release reports whether the wanted release is there, so that only root's password is missing.
func (b *bare) release() bool { return b.values["release"] == "yes" }

// adapter reports whether an earlier deploy left its settings here, keys among them.
func (b *bare) adapter() bool { return b.values["adapter"] == "yes" }

// webPort is who listens on port 80, as ss shows it: users:(("apache2",pid=71,fd=4)). The zero Listener is nobody.
func (b *bare) webPort() converge.Listener {
	_, holder, found := strings.Cut(b.values["port80"], `users:(("`)
	name, rest, _ := strings.Cut(holder, `"`)
	_, rest, _ = strings.Cut(rest, "pid=")
	number, _, _ := strings.Cut(rest, ",")
	pid, err := strconv.Atoi(number)
	if !found || err != nil {
		return converge.Listener{}
	}
	return converge.Listener{Port: 80, Program: name, PID: pid}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
