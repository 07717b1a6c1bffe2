package manage

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

// An archive is a tar (USTAR, plain files only) in one gzip stream: manifest.json first, then the files that it names, in
// its order. Nothing else is accepted, so that what a restore writes is exactly what the manifest promises.

// archiveSchema is the version of the format. A reader refuses those above it.
const archiveSchema = 1

// The bounds of an archive. A backup that would cross them is refused when it is made.
const (
	maxFiles    = 4096      // files beside the manifest
	maxName     = 100       // bytes of a path: what every tar can hold
	maxManifest = 2 << 20   // bytes
	maxSetting  = 4 << 20   // bytes of a file that is no log and no state
	maxState    = 128 << 20 // bytes of everything that a restore keeps in memory
	maxTotal    = 1 << 30   // bytes of all files, and of the compressed archive
)

const manifestName = "manifest.json"

// Manifest says what an archive holds, and where it is from.
type Manifest struct {
	Schema  int            `json:"schema"`
	GCA     string         `json:"gca"`     // version that made it
	Release string         `json:"release"` // installed on the server: version-sha
	Host    string         `json:"host"`
	Created time.Time      `json:"created"` // UTC
	Files   []ManifestFile `json:"files"`
}

// ManifestFile is one file of an archive.
type ManifestFile struct {
	Path   string `json:"path"` // where it was, without the first slash; logs/… was made for the archive
	Mode   Mode   `json:"mode"`
	User   string `json:"user"`
	Group  string `json:"group"`
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // 64 hexadecimal digits
}

// Mode is a file's permission bits; its JSON form is octal, such as "0640".
type Mode fs.FileMode

// MarshalText writes the octal form.
func (m Mode) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%04o", uint32(m)), nil }

// UnmarshalText reads the octal form.
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || n > 0o777 {
		return fmt.Errorf("mode %q: not octal permission bits", text)
	}
	*m = Mode(n)
	return nil
}

// ArchiveError is an archive that must not be used. Nothing was changed.
type ArchiveError struct {
	Message string
	Hint    string
	Needs   string // version of gca from which on it can be read; "" if that is not what is wrong
}

func (e *ArchiveError) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "\nhint: " + e.Hint
}

const unusable = "this archive cannot be used: "

func bad(format string, args ...any) *ArchiveError {
	return &ArchiveError{Message: unusable + fmt.Sprintf(format, args...)}
}

// place says what a file of an archive is for.
type place uint8

const (
	placeUnknown  place = iota
	placeSettings       // adapter.env, keys, tokens: put back by a restore
	placeState          // of the service: put back by a restore
	placeTLS            // of root: certificates, the account at the CA, its roots: put back by a restore
	placeServer         // units and site: a deploy renders them anew; kept to be looked at
	placeLog            // to be looked at
)

const (
	envPath      = "etc/gemini-adapter/adapter.env"
	keysPath     = "etc/gemini-adapter/keys"
	tokensPath   = "etc/gemini-adapter/tokens"
	statePrefix  = "var/lib/gemini-adapter/"
	tlsPrefix    = "var/lib/gca/tls/"
	rootsPath    = "etc/gemini-adapter/acme-roots.pem"
	logPrefix    = "logs/"
	journalPath  = logPrefix + "journal.txt"
	nginxLogPath = logPrefix + "nginx/"
)

// serverFiles are what a deploy renders.
func serverFiles() []string {
	return []string{
		"etc/systemd/system/gemini-adapter.service",
		"etc/systemd/system/gemini-adapter-handover.service",
		"etc/systemd/system/gemini-adapter.socket",
		"etc/systemd/system/gemini-adapter-cert.service",
		"etc/systemd/system/gemini-adapter-cert.timer",
		"etc/systemd/system/gemini-adapter-backup.service",
		"etc/systemd/system/gemini-adapter-backup.timer",
		"etc/systemd/system/gemini-adapter-alerts.service",
		"etc/systemd/system/gemini-adapter-alerts.timer",
		"etc/nginx/sites-available/gemini-adapter",
		"etc/nginx/modules-enabled/99-gemini-adapter.conf",
	}
}

// stateName is what a file of the service's folder may be called, but for a database's companions: it has no folders.
var stateName = regexp.MustCompile(`^[0-9A-Za-z_][0-9A-Za-z._-]*$`)

var nginxLogName = regexp.MustCompile(`^(access|error)\.log(\.[0-9]{1,3})?(\.gz)?$`)

// tlsName is what a file of certificates may be called.
var tlsName = regexp.MustCompile(`^([0-9a-z][0-9a-z.:-]*\.pem|account\.key)$`)

func placeOf(name string) place {
	switch name {
	case envPath, keysPath, tokensPath:
		return placeSettings
	case journalPath:
		return placeLog
	case rootsPath:
		return placeTLS
	}
	for _, file := range serverFiles() {
		if name == file {
			return placeServer
		}
	}
	if rest, ok := strings.CutPrefix(name, tlsPrefix); ok && tlsName.MatchString(rest) {
		return placeTLS
	}
	if rest, ok := strings.CutPrefix(name, statePrefix); ok && stateName.MatchString(rest) && !companion(rest) {
		return placeState
	}
	if rest, ok := strings.CutPrefix(name, nginxLogPath); ok && nginxLogName.MatchString(rest) {
		return placeLog
	}
	return placeUnknown
}

// checkName refuses every path that is not plainly one of ours.
func checkName(name string) error {
	switch {
	case strings.HasPrefix(name, "/"):
		return bad("%s is an absolute path", printable(name))
	case strings.Contains("/"+name+"/", "/../"):
		return bad("%s leads out of its folder", printable(name))
	case len(name) > maxName:
		return bad("a path of %d bytes, at most %d: %s…", len(name), maxName, printable(name[:maxName]))
	case !fs.ValidPath(name) || path.Clean(name) != name || strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' || c == 0xfffd }):
		return bad("%s is not a path of a backup", printable(name))
	case placeOf(name) == placeUnknown:
		return bad("%s is nothing that a backup holds", printable(name))
	}
	return nil
}

// printable is text from an archive as a terminal may see it.
func printable(name string) string {
	quoted := strconv.Quote(name)
	return quoted[1 : len(quoted)-1]
}

// validate judges a manifest by itself. version is that of the running program.
func (m *Manifest) validate(version string) error {
	if newer(m.GCA, version) {
		return &ArchiveError{Message: fmt.Sprintf("this archive was made by gca %s, and this is gca %s", printable(m.GCA), version),
			Hint: "use gca " + printable(m.GCA) + " or a later one", Needs: printable(m.GCA)}
	}
	if !semver.IsValid("v" + m.GCA) {
		return bad("it names no version of gca")
	}
	if len(m.Files) > maxFiles {
		return bad("%d files, at most %d", len(m.Files), maxFiles)
	}
	seen := make(map[string]bool)
	var total, kept int64
	for _, f := range m.Files {
		if err := f.validate(); err != nil {
			return err
		}
		if seen[f.Path] {
			return bad("its manifest names %s twice", f.Path)
		}
		seen[f.Path] = true
		if total += f.Size; f.kept() {
			kept += f.Size
		}
	}
	switch {
	case total > maxTotal || kept > maxState:
		return bad("%d bytes, of which %d are to be put back: at most %d and %d", total, kept, int64(maxTotal), int64(maxState))
	case !seen[envPath]:
		return bad("it has no %s", envPath)
	}
	return nil
}

func (f *ManifestFile) validate() error {
	if err := checkName(f.Path); err != nil {
		return err
	}
	sum, err := hex.DecodeString(f.SHA256)
	switch limit := sizeLimit(f.Path); {
	case f.Size < 0 || f.Size > limit:
		return bad("%s has %d bytes, at most %d", f.Path, f.Size, limit)
	case err != nil || len(sum) != 32 || strings.ToLower(f.SHA256) != f.SHA256:
		return bad("its manifest has no SHA-256 for %s", f.Path)
	case !isAccount(f.User) || !isAccount(f.Group):
		return bad("its manifest has no owner for %s", f.Path)
	}
	return nil
}

// kept reports whether a restore needs what the file holds.
func (f *ManifestFile) kept() bool { return placeOf(f.Path) != placeLog }

func sizeLimit(name string) int64 {
	switch placeOf(name) {
	case placeLog:
		return maxTotal
	case placeState:
		return maxState
	}
	return maxSetting
}

var accountName = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,31}$`)

func isAccount(name string) bool { return accountName.MatchString(name) }

// newer reports whether version a comes after version b.
func newer(a, b string) bool { return semver.Compare("v"+a, "v"+b) > 0 }
