// Package converge brings one server to the state that a deploy wants.
//
// It runs on the server, as root, in the process that `gca agent` is. The flow
// of one run: collect [Facts], compare them with the [Want] that the laptop
// sent ([Diff], pure and deterministic), show the [Plan], and on the laptop's
// word apply it step by step. Each step writes to the [Journal] what its
// reversal needs before it changes anything. The run ends with the laptop's
// commit, which seals the journal. A failed step, a laptop's word, and no commit
// in time undo the journal in reverse; a lost connection alone does not, since
// the laptop may come back.
package converge

import (
	"errors"
	"fmt"
)

// The places of the adapter on a server.
const (
	releasesDir = "/opt/gemini-adapter/releases"
	currentLink = "/opt/gemini-adapter/current"
	currentGCA  = currentLink + "/gca"
	nextLink    = "/opt/gemini-adapter/next" // the release of the handover unit; at rest it leads to the current one

	configDir    = "/etc/gemini-adapter"
	settingsFile = configDir + "/adapter.env"
	settingsOld  = settingsFile + ".old"
	keysFile     = configDir + "/keys"
	tokensFile   = configDir + "/tokens"
	nextConfig   = configDir + "/next" // the settings of the handover unit; at rest a link to configDir itself

	stateDir   = "/var/lib/gemini-adapter"
	runtimeDir = "/run/gemini-adapter"

	serviceFile     = "/etc/systemd/system/gemini-adapter.service"
	socketFile      = "/etc/systemd/system/gemini-adapter.socket"
	handoverFile    = "/etc/systemd/system/gemini-adapter-handover.service"
	serviceUnit     = "gemini-adapter.service"
	socketUnit      = "gemini-adapter.socket"
	handoverUnit    = "gemini-adapter-handover.service"
	handoverControl = runtimeDir + "/handover.sock"

	nginxBinary  = "/usr/sbin/nginx"
	nginxConf    = "/etc/nginx/nginx.conf"
	nginxMain    = "/etc/nginx/modules-enabled/99-gemini-adapter.conf"
	nginxSite    = "/etc/nginx/sites-available/gemini-adapter"
	nginxEnabled = "/etc/nginx/sites-enabled/gemini-adapter"
	nginxDefault = "/etc/nginx/sites-enabled/default"
	nginxStock   = "/etc/nginx/sites-available/default"
	nginxUnit    = "nginx.service"
	nginxLimits  = "/etc/systemd/system/nginx.service.d/60-gemini-adapter.conf"
	ufwUnit      = "ufw.service"
	sshUnit      = "ssh.service"
	sshSocket    = "ssh.socket"

	sysctlConf      = "/etc/sysctl.d/60-gemini-adapter.conf"
	limitsConf      = "/etc/security/limits.d/60-gemini-adapter.conf"
	journaldConf    = "/etc/systemd/journald.conf.d/60-gemini-adapter.conf"
	aptConf         = "/etc/apt/apt.conf.d/52gemini-adapter"
	needrestartConf = "/etc/needrestart/conf.d/60-gemini-adapter.conf"
	journaldUnit    = "systemd-journald.service"
	swapFile        = "/swapfile"

	serviceUser = "gemini"
	rootUser    = "root"
	webPort     = 80
	tlsPort     = 443
)

// RefusalKind says which precondition of a deploy does not hold.
type RefusalKind string

// The kinds of refusals.
const (
	RefusedOS       RefusalKind = "os"       // not Debian, not Ubuntu, or no systemd
	RefusedUser     RefusalKind = "user"     // the agent is not root
	RefusedPort     RefusalKind = "port"     // another program holds a port that is needed
	RefusedKeys     RefusalKind = "keys"     // no Gemini key, neither on the server nor sent
	RefusedSettings RefusalKind = "settings" // adapter.env cannot be read as settings
	RefusedNginx    RefusalKind = "nginx"    // an Nginx that does not read sites-enabled, or whose default site is in use
	RefusedRelease  RefusalKind = "release"  // the uploaded binary is not the wanted one
	RefusedLocked   RefusalKind = "locked"   // another deploy is running
	RefusedChanged  RefusalKind = "changed"  // the server is not any more what the plan was made for
	RefusedEnded    RefusalKind = "ended"    // the deploy to attach to has ended
	RefusedSpace    RefusalKind = "space"    // the disk has no room for the deploy
	RefusedUndo     RefusalKind = "undo"     // an earlier deploy died, and could not be taken back whole
	RefusedRegion   RefusalKind = "region"   // Google refuses Gemini to where the server is
	RefusedFirewall RefusalKind = "firewall" // the firewall cannot be as it is wanted
	RefusedLogin    RefusalKind = "login"    // sshd cannot be made to take keys alone
	RefusedRisk     RefusalKind = "risk"     // there is a risk that nobody has accepted
	RefusedServer   RefusalKind = "server"   // the server could not be looked at
	RefusedTLS      RefusalKind = "tls"      // no certificate can be had for what is wanted
)

// Refusal is the error of a deploy that must not begin.
type Refusal struct {
	Kind    RefusalKind `json:"kind"`
	Message string      `json:"message"`
	Hint    string      `json:"hint,omitempty"` // the command to type next
	// TookBack means that a deploy of before, which died, was taken back first: that much was changed.
	TookBack bool `json:"took_back,omitempty"`
}

// Changed says what a refusal left of the server.
func (r *Refusal) Changed() string {
	if r.TookBack {
		return "nothing of this was done; what was left half-way before was taken back"
	}
	return "nothing was changed"
}

func (r *Refusal) Error() string {
	if r.Hint == "" {
		return r.Message
	}
	return r.Message + "\nhint: " + r.Hint
}

func refuse(kind RefusalKind, hint, format string, args ...any) *Refusal {
	return &Refusal{Kind: kind, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// asRefusal turns any error into a refusal: what could not be looked at must not be changed.
func asRefusal(kind RefusalKind, err error) *Refusal {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r
	}
	return &Refusal{Kind: kind, Message: err.Error()}
}
