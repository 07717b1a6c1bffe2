package converge

import (
	"io/fs"
	"strings"
)

// Facts is what a server is like before a deploy. It is a plain value: a
// [Diff] over equal facts gives an equal plan.
type Facts struct {
	OS          OSRelease
	Arch        string // as Go names it: amd64, arm64
	Systemd     int    // major version; 0 where systemd is not PID 1
	IPv6        bool
	OpenFiles   int               // how many files a service may open at most
	Credentials bool              // systemd can hand credentials to a service here
	Packages    map[string]string // version by name, of those that are installed
	Paths       map[string]PathState
	Units       map[string]UnitState
	User        UserState
	RootOwner   Owner
	Listeners   []Listener // TCP, sorted by port
	SSHPorts    []int      // sorted
	Firewall    Firewall
	ReleaseSHA  string // of the wanted release's binary as it lies on the server; empty if it is not there
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
	Enabled bool
	MainPID int
	Listen  string // of a socket
}

// Listener is a TCP port that someone listens on.
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

// keyCount counts the Gemini keys of a server.
func (f Facts) keyCount() int {
	return countLines(string(f.path(keysFile).Content)) +
		countItems(envValue(string(f.path(settingsFile).Content), "GEMINI_API_KEYS"))
}

func (f Facts) hasClientToken() bool {
	return envValue(string(f.path(settingsFile).Content), "CLIENT_TOKENS") != "" ||
		hasClientToken(string(f.path(tokensFile).Content))
}

func countLines(text string) int {
	n := 0
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			n++
		}
	}
	return n
}

func countItems(list string) int {
	n := 0
	for item := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(item) != "" {
			n++
		}
	}
	return n
}

// managedPaths are the paths that a plan may depend on, whatever they hold.
func managedPaths() []string {
	return []string{
		releasesDir, currentLink, "/usr/local/bin/gca", "/usr/local/bin/gemini-manage",
		configDir, stateDir, nginxEnabled, nginxDefault,
	}
}

// comparedFiles are the files whose content a plan may depend on.
func comparedFiles() []string {
	return []string{settingsFile, keysFile, tokensFile, serviceFile, socketFile, nginxConf, nginxMain, nginxSite}
}
