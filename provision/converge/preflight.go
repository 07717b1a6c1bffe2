package converge

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

const reinstall = "reinstall the server with Debian 12 or Ubuntu 22.04 or later"

// preflight says why a deploy must not begin, or nil.
func preflight(f Facts, w Want) error {
	for _, refusal := range obstacles(f, w) {
		return refusal
	}
	return nil
}

// obstacles are all reasons why a deploy must not begin, as far as they do not depend on settings.
func obstacles(f Facts, w Want) []*Refusal {
	var all []*Refusal
	add := func(kind RefusalKind, hint, format string, args ...any) {
		all = append(all, refuse(kind, hint, format, args...))
	}
	if err := f.plainSettings(); err != nil {
		all = append(all, asRefusal(RefusedSettings, err))
	}
	if refusal := RefuseOS(f.OS); refusal != nil {
		all = append(all, refusal)
	}
	if f.Systemd == 0 {
		add(RefusedOS, "", "systemd does not run this server; gca needs it")
	}
	if f.ReleaseSHA != w.SHA256 {
		add(RefusedRelease, "deploy again", "%s is not the binary that was sent", w.releaseGCA())
	}
	switch {
	case w.Scope == ScopeAdapter && !f.nginxInstalled():
		add(RefusedNginx, "gca deploy HOST   # from a laptop; it installs what is missing", "Nginx is not installed on this server")
	case f.nginxInstalled() && !strings.Contains(string(f.path(nginxConf).Content), "/etc/nginx/sites-enabled/"):
		add(RefusedNginx, "add `include /etc/nginx/sites-enabled/*;` to its http block",
			"the Nginx of this server does not read /etc/nginx/sites-enabled")
	case f.nginxInstalled() && f.Nginx.before(oldestNginx()):
		add(RefusedNginx, "apt-get install --only-upgrade nginx", "the server has Nginx %s; gca needs %s or later", f.Nginx, oldestNginx())
	}
	if f.OwnDefault {
		add(RefusedNginx, "mv "+nginxDefault+" /etc/nginx/sites-enabled/mysite, take `default_server` out of its listen lines, then deploy again",
			"%s was edited and serves something of its own", nginxDefault)
	}
	return all
}

// RefuseOS says why a deploy cannot be made to this system, or nil. A laptop asks before it sends anything.
func RefuseOS(r OSRelease) *Refusal {
	switch {
	case !r.Debian():
		return refuse(RefusedOS, reinstall, "the server runs %s; gca deploys to Debian and Ubuntu", r)
	case r.Old():
		return refuse(RefusedOS, reinstall, "the server runs %s, which is too old", r)
	}
	return nil
}

// RefuseWebPort says who holds the port that Nginx needs, or nil when that is Nginx. A laptop asks before it sends anything.
func RefuseWebPort(l Listener) *Refusal {
	if l.Port != webPort || l.Program == "nginx" {
		return nil
	}
	hint := fmt.Sprintf("the adapter needs port 80 for itself: move pid %d to another port (systemctl status %[1]d names its unit), or deploy to another server", l.PID)
	if l.PID == 0 {
		hint = "the adapter needs port 80 for itself: ss -ltnp on the server shows who listens there"
	}
	if slices.Contains([]string{"apache2", "caddy", "lighttpd", "haproxy", "traefik"}, l.Program) {
		hint = "systemctl disable --now " + l.Program + "   # its sites are off then; or use another server"
	}
	return portRefusal(l, "which Nginx needs", hint)
}

// checkSettings refuses an adapter without keys, and to fight over a port.
func checkSettings(f Facts, s Settings) error {
	if s.Keys == 0 {
		return refuse(RefusedKeys, "gca deploy --keys-file FILE", "there is no Gemini API key, neither sent nor on the server")
	}
	for _, refusal := range portsTaken(f, s) {
		return refusal
	}
	return nil
}

// portsTaken says who else holds the ports that are needed.
func portsTaken(f Facts, s Settings) []*Refusal {
	var all []*Refusal
	for _, l := range f.Listeners {
		if refusal := RefuseWebPort(l); refusal != nil {
			all = append(all, refusal)
		}
		if l.Port == s.Port && onLoopback(l.Address) && !ownsPort(f, s.Port) {
			all = append(all, portRefusal(l, fmt.Sprintf("which the adapter needs (PORT=%d)", s.Port), otherPort(f)))
		}
	}
	return slices.CompactFunc(all, func(a, b *Refusal) bool { return *a == *b }) // one who listens on both protocols
}

// What a deploy writes, in bytes.
const (
	spaceOfPackages = 150 << 20 // with their lists and archives
	spaceOfChanges  = reserveBytes + 4<<20
)

// refuseSpace says that a plan has no room on the disk, or nil.
func (d *differ) refuseSpace() *Refusal {
	need := int64(spaceOfChanges)
	if d.installs {
		need += spaceOfPackages
	}
	for _, file := range d.w.State {
		need += int64(len(file.Content))
	}
	for _, disk := range []struct {
		path string
		free int64
	}{{"/", d.f.Hardware.DiskFree}, {"/var", d.f.Hardware.VarFree}} {
		if disk.free < need {
			return refuseSpace(disk.path, need, disk.free)
		}
	}
	for _, fs := range []Inodes{d.f.Hardware.Inodes, d.f.Hardware.VarInodes} {
		if d.installs && fs.Total > 0 && fs.Free < inodesOfDeploy {
			return refuse(RefusedSpace, "find / -xdev -type f -printf '%h\\n' | sort | uniq -c | sort -n | tail   # shows where they are",
				"the disk has room for %d more files; a deploy needs %d", fs.Free, inodesOfDeploy)
		}
	}
	return nil
}

// onLoopback reports whether a listener on this address is in the way of one on 127.0.0.1.
func onLoopback(address string) bool {
	return slices.Contains([]string{"0.0.0.0", "::", "127.0.0.1"}, address)
}

func ownsPort(f Facts, port int) bool {
	socket := f.Units[socketUnit]
	return socket.Active && strings.Contains(socket.Listen, fmt.Sprintf(":%d ", port))
}

// otherPort is how to choose another port for the adapter, one that is free.
func otherPort(f Facts) string {
	port := 8001
	for slices.ContainsFunc(f.Listeners, func(l Listener) bool { return l.Port == port }) {
		port++
	}
	if f.path(settingsFile).Kind == PathFile {
		return fmt.Sprintf("choose another one: gca config set HOST PORT=%d", port)
	}
	return fmt.Sprintf("choose another one, on the server: mkdir -p %s && echo PORT=%d >%s   # then deploy again", path.Dir(settingsFile), port, settingsFile)
}

func portRefusal(l Listener, why, hint string) *Refusal {
	program := l.Program
	if program == "" {
		program = "another program"
	}
	return refuse(RefusedPort, hint, "port %d, %s, is held by %s (pid %d)", l.Port, why, program, l.PID)
}
