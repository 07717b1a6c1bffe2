package converge

import (
	"fmt"
	"slices"
	"strings"
)

const reinstall = "reinstall the server with Debian 12 or Ubuntu 22.04 or later"

// preflight says why a deploy must not begin, or nil.
func preflight(f Facts, w Want) error {
	if err := f.plainSettings(); err != nil {
		return err
	}
	if refusal := RefuseOS(f.OS); refusal != nil {
		return refusal
	}
	switch {
	case f.Systemd == 0:
		return refuse(RefusedOS, "", "systemd does not run this server; gca needs it")
	case f.ReleaseSHA != w.SHA256:
		return refuse(RefusedRelease, "deploy again", "%s is not the binary that was sent", w.releaseGCA())
	case w.Scope == ScopeAdapter && !f.nginxInstalled():
		return refuse(RefusedNginx, "gca deploy HOST   # from a laptop; it installs what is missing", "Nginx is not installed on this server")
	case f.nginxInstalled() && !strings.Contains(string(f.path(nginxConf).Content), "/etc/nginx/sites-enabled/"):
		return refuse(RefusedNginx, "add `include /etc/nginx/sites-enabled/*;` to its http block",
			"the Nginx of this server does not read /etc/nginx/sites-enabled")
	case f.nginxInstalled() && f.Nginx.before(oldestNginx):
		return refuse(RefusedNginx, "apt-get install --only-upgrade nginx", "the server has Nginx %s; gca needs %s or later", f.Nginx, oldestNginx)
	case f.OwnDefault:
		return refuse(RefusedNginx, "mv "+nginxDefault+" /etc/nginx/sites-enabled/mysite, take `default_server` out of its listen lines, then deploy again",
			"%s was edited and serves something of its own", nginxDefault)
	}
	return nil
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
	return portRefusal(l, "which Nginx needs")
}

// checkSettings refuses an adapter without keys, and to fight over a port.
func checkSettings(f Facts, s Settings) error {
	if s.Keys == 0 {
		return refuse(RefusedKeys, "gca deploy --keys-file FILE", "there is no Gemini API key, neither sent nor on the server")
	}
	for _, l := range f.Listeners {
		if refusal := RefuseWebPort(l); refusal != nil {
			return refusal
		}
		if l.Port == s.Port && onLoopback(l.Address) && !ownsPort(f, s.Port) {
			return portRefusal(l, fmt.Sprintf("which the adapter needs (PORT=%d)", s.Port))
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

func portRefusal(l Listener, why string) *Refusal {
	program, hint := l.Program, fmt.Sprintf("systemctl status %d   # names its unit; then: systemctl disable --now UNIT", l.PID)
	if program == "" {
		program = "another program"
	}
	if slices.Contains([]string{"apache2", "caddy", "lighttpd", "haproxy", "traefik"}, program) {
		hint = "systemctl disable --now " + program
	}
	return refuse(RefusedPort, hint, "port %d, %s, is held by %s (pid %d)", l.Port, why, program, l.PID)
}
