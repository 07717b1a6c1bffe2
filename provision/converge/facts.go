package converge

import (
	"io/fs"
	"strings"
)

// Facts is what a server is like before a deploy. It is a plain value: a
// [Diff] over equal facts gives an equal plan.
type Facts struct {
	OS          OSRelease
	Systemd     int // major version; 0 where systemd is not PID 1
	IPv6        bool
	Hardware    Hardware
	Sysctls     map[string]Sysctl // of the wanted ones, those that the kernel has
	Dpkg        Dpkg
	Nginx       NginxVersion // installed or, where none is, to be installed; zero where nobody knows
	Fail2ban    Fail2ban
	Passwords   string // the file that has sshd let passwords in; empty if none says so
	Credentials bool   // systemd can hand credentials to a service here
	Paths       map[string]PathState
	OwnDefault  bool // Nginx's default site is not the one that its package brought
	Units       map[string]UnitState
	User        UserState
	RootOwner   Owner
	Listeners   []Listener // TCP, sorted by port
	Datagrams   []Listener // UDP, sorted by port
	SSHPorts    []int      // sorted
	Firewall    Firewall
	OwnRules    []ufwRule         // that deploys added to a ufw that is on
	AptHolder   string            // who holds a lock of the package manager, or empty
	Reboot      bool              // the server waits for a reboot
	SELinux     bool              // is enforced
	SSHD        bool              // sshd tells its settings; this and the next two where a Want hardens it
	KeysOnly    bool              // it lets nobody in without a key
	Keyless     []string          // users with a password and no key
	State       map[string]string // SHA-256 by name of what the adapter's own folder holds, where a Want has state
	TLS         TLSFacts          // of the name that is wanted, if one is
	ReleaseSHA  string            // of the wanted release's binary as it lies on the server; empty if it is not there
}

// Owner is a user's and a group's number.
type Owner struct{ UID, GID int }

// UserState is the service's system user.
type UserState struct {
	User  bool
	Group bool
	Owner Owner
}

// PathKind is what a path is.
type PathKind string

// The kinds of paths.
const (
	PathAbsent PathKind = "absent"
	PathFile   PathKind = "file"
	PathDir    PathKind = "dir"
	PathLink   PathKind = "link"
	PathOther  PathKind = "other"
)

// PathState is one path, links not followed.
type PathState struct {
	Kind    PathKind    `json:"kind"`
	Mode    fs.FileMode `json:"mode,omitempty"` // permission bits
	UID     int         `json:"uid,omitempty"`
	GID     int         `json:"gid,omitempty"`
	Target  string      `json:"target,omitempty"` // of a link
	Content []byte      `json:"-"`                // of a file that was read
}

// UnitState is one systemd unit.
type UnitState struct {
	Loaded  bool
	Active  bool // active, activating or reloading
	Ending  bool // deactivating
	Failed  bool // at its last run
	Enabled bool
	Listen  string // of a socket
	Sub     string // systemd's finer state
	PID     int    // of a service's main process; 0 for none
}

// failing is a service that has just ended by itself, and that systemd is about to start again.
func (u UnitState) failing() bool { return strings.HasPrefix(u.Sub, "auto-restart") }

// down is a service that does not run, nor is it on its way.
func (u UnitState) down() bool { return u.failing() || u.Sub == "dead" || u.Sub == "failed" }

// Listener is a port that someone listens on.
type Listener struct {
	Port    int
	Address string
	Program string
	PID     int
}

func (f Facts) path(path string) PathState {
	if st, ok := f.Paths[path]; ok {
		return st
	}
	return PathState{Kind: PathAbsent}
}

// release is the name of the current release, or empty.
func (f Facts) release() string {
	return strings.TrimPrefix(f.path(currentLink).Target, "releases/")
}

func (f Facts) nginxInstalled() bool { return f.path(nginxBinary).Kind != PathAbsent }

// settingsFiles is what the adapter's files would hold after the deploy of w.
func (f Facts) settingsFiles(w Want) SettingsFiles {
	files := SettingsFiles{
		Env:    string(f.path(settingsFile).Content),
		Keys:   string(f.path(keysFile).Content),
		Tokens: string(f.path(tokensFile).Content),
	}
	for _, whole := range []struct {
		wanted Secret
		file   *string
	}{{w.Env, &files.Env}, {w.Keys, &files.Keys}, {w.Tokens, &files.Tokens}} {
		if !whole.wanted.Empty() {
			*whole.file = strings.TrimRight(whole.wanted.Reveal(), "\n") + "\n"
		}
	}
	files.Env = MergeSettings(files.Env, w.Settings)
	return files
}

// plainSettings refuses settings that lie elsewhere: to write them would silently cut them off from there.
func (f Facts) plainSettings() error {
	for _, path := range []string{settingsFile, keysFile, tokensFile} {
		switch f.path(path).Kind {
		case PathFile, PathAbsent:
		case PathLink:
			return refuse(RefusedSettings, "cp --remove-destination $(readlink -f "+path+") "+path,
				"%s is a link; replace it by the file itself", path)
		default:
			return refuse(RefusedSettings, "mv "+path+" "+path+".old", "%s is not a plain file", path)
		}
	}
	return nil
}

// managedPaths are the paths that a plan may depend on, whatever they hold.
func managedPaths() []string {
	return []string{
		releasesDir, currentLink, nextLink, "/usr/local/bin/gca", "/usr/local/bin/gemini-manage",
		configDir, nextConfig, stateDir, nginxEnabled, nginxDefault, acmeWebroot, alertsDir,
	}
}

// comparedFiles are the files whose content a plan may depend on.
func comparedFiles() []string {
	all := []string{
		settingsFile, keysFile, tokensFile, serviceFile, handoverFile, socketFile, nginxConf, nginxMain, nginxSite, nginxLimits,
		sysctlConf, limitsConf, journaldConf, aptConf, needrestartConf, jailFile, acmeRoots,
	}
	for _, t := range timers() {
		all = append(all, t.serviceFile(), t.file())
	}
	return all
}
