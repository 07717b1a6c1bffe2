package converge

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Want is the state that a deploy asks for. The laptop makes it and sends it to the agent.
type Want struct {
	Mode      Mode
	Scope     Scope             // for a change on the server itself; it does not travel
	Version   string            // of the release, as in its directory's name
	SHA256    string            // of the release's binary, 64 hexadecimal digits
	Templates map[string]string // text by file name; all of TemplateNames
	Settings  []Setting         // to ensure in adapter.env, in this order
	Env       Secret            // whole text of adapter.env, put in place before Settings are ensured in it; empty keeps what is there
	Keys      Secret            // content of the keys file; empty keeps what is there
	Tokens    Secret            // content of the tokens file; empty keeps what is there
	State     []StateFile       // what the state folder is to hold; nil keeps what is there
	Roots     string            // PEM of a private CA's roots; empty keeps what is there
	// Certificates are files for CertDir; each takes the place of one that ends earlier, or of none.
	Certificates []StateFile
	Firewall     FirewallMode // what to do about ufw
	AllowFrom    []string     // networks that may come to the web's ports, as ParseNetwork has them; empty leaves that as it is
	Harden       bool         // sshd takes keys alone
	KeyLogin     bool         // the laptop's session was let in by a key
	Risks        []string     // that were accepted
	KeepOld      bool         // the adapter.env of before stays beside it as adapter.env.old
	Client       string       // IP address of the laptop, which must never be banned; the agent fills it in
	Reached      string       // IP address that the laptop reached the server by; empty where there is none to name
	SSHPort      int          // port on the server that the laptop came in on; 0 is unknown; the agent fills it in
}

// Mode says what a want is for.
type Mode string

// The modes. In ModePlan the agent answers with the plan, in ModeDoctor with findings, and has no means to write.
const (
	ModeDeploy Mode = ""
	ModePlan   Mode = "plan"
	ModeDoctor Mode = "doctor"
)

// The risks that can be accepted, by name.
const (
	RiskClosePorts = "close-ports"     // ufw cuts other programs off from their clients
	RiskPasswords  = "password-logins" // who has no key cannot log in any more
)

// Risks are all of them.
func Risks() []string { return []string{RiskClosePorts, RiskPasswords} }

// Scope says how much of the server a want is about.
type Scope string

// The scopes. In ScopeAdapter a plan touches the adapter's settings, keys, tokens, state and service, and Nginx in front of
// it; packages, firewall, kernel, journal and fail2ban stay as whoever runs the server has left them since the deploy.
const (
	ScopeServer  Scope = ""
	ScopeAdapter Scope = "adapter"
)

// StateFile is one file of the adapter's state folder.
type StateFile struct {
	Name    string      `json:"name"` // without a slash
	Mode    fs.FileMode `json:"mode"` // permission bits
	Content []byte      `json:"content"`
}

// Settings is what a plan needs to know of the adapter's settings.
type Settings struct {
	Port         int           // on loopback, 1-65535
	MaxBody      int64         // bytes, at least 1
	DrainTimeout time.Duration // whole seconds, 0 too
	Keys         int           // Gemini keys, wherever they are
	ClientToken  bool          // there is one
	AdminToken   bool          // there is one

	PlainChosen   bool   // a person said that it is to be plain HTTP
	TLSName       string // domain name or IP address of the certificate; empty is plain HTTP
	ACMEDirectory string // URL of the CA that gives it

	Exits []Exit // ways to Gemini, each once, with one of its keys
}

// SettingsFiles is what the adapter's files hold, secrets included; "" is a file that is not there.
type SettingsFiles struct{ Env, Keys, Tokens string }

// SettingsReader reads the files as the adapter itself will. It is pure; its error names the file, the setting and the
// rule, and holds no secret.
type SettingsReader func(SettingsFiles) (Settings, error)

var (
	versionPattern = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.+-]{0,63}$`)
	sha256Pattern  = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// Release is the name of the directory that holds the wanted binary: version-sha12.
func (w Want) Release() string { return ReleaseName(w.Version, w.SHA256) }

// certificate is the one for a name that is sent along, nil if none is.
func (w Want) certificate(name string) []byte {
	for _, f := range w.Certificates {
		if certDir+"/"+f.Name == certFile(name) {
			return f.Content
		}
	}
	return nil
}

// ReleaseName is the name of a release's directory. The sum is the binary's, in hexadecimal digits.
func ReleaseName(version, sha256 string) string {
	return version + "-" + sha256[:min(12, len(sha256))]
}

// ReleasesDir holds the releases of a server, each in a folder of its name.
const ReleasesDir = releasesDir

// ReleaseDir is where a release is to be uploaded to; the binary in it is named gca.
func ReleaseDir(version, sha256 string) string {
	return releasesDir + "/" + ReleaseName(version, sha256)
}

// ReleaseGCA is the binary of a release on a server.
func ReleaseGCA(release string) string { return releasesDir + "/" + release + "/gca" }

func (w Want) releaseGCA() string { return ReleaseGCA(w.Release()) }

// Validate reports everything that is wrong with w.
func (w Want) Validate() error {
	var errs []error
	if !versionPattern.MatchString(w.Version) {
		errs = append(errs, fmt.Errorf("version %q: at most 64 letters, digits, dots, plus and minus signs", w.Version))
	}
	if !sha256Pattern.MatchString(w.SHA256) {
		errs = append(errs, fmt.Errorf("sha256 %q: not 64 hexadecimal digits", w.SHA256))
	}
	for _, name := range TemplateNames() {
		if w.Templates[name] == "" {
			errs = append(errs, fmt.Errorf("template %s is missing", name))
		}
	}
	for _, s := range w.Settings {
		errs = append(errs, s.validate())
	}
	if w.Mode != ModeDeploy && w.Mode != ModePlan && w.Mode != ModeDoctor {
		errs = append(errs, fmt.Errorf("mode %q: deploy, plan or doctor", w.Mode))
	}
	if w.Firewall != FirewallAuto && w.Firewall != FirewallOff && w.Firewall != FirewallStrict {
		errs = append(errs, fmt.Errorf("firewall %q: auto, off or strict", w.Firewall))
	}
	if w.Firewall == FirewallOff && len(w.AllowFrom) > 0 {
		errs = append(errs, errors.New("the firewall is to be left alone, and to let some networks in alone"))
	}
	for _, network := range w.AllowFrom {
		if canonical, err := ParseNetwork(network); err != nil || canonical != network {
			errs = append(errs, fmt.Errorf("network %q: not as ufw writes it", network))
		}
	}
	for _, risk := range w.Risks {
		if !slices.Contains(Risks(), risk) {
			errs = append(errs, fmt.Errorf("risk %q: %s", risk, strings.Join(Risks(), " or ")))
		}
	}
	if w.Scope != ScopeServer && w.Scope != ScopeAdapter {
		errs = append(errs, fmt.Errorf("scope %q: the whole server or adapter", w.Scope))
	}
	for _, f := range slices.Concat(w.State, w.Certificates) {
		errs = append(errs, f.validate())
	}
	for _, f := range w.Certificates {
		if path := certDir + "/" + f.Name; path != accountFile && !strings.HasSuffix(path, ".pem") {
			errs = append(errs, fmt.Errorf("certificate file %q: NAME.pem, or account.key", f.Name))
		}
	}
	if w.Roots != "" {
		_, err := RootPool(w.Roots)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

var stateNamePattern = regexp.MustCompile(`^[0-9A-Za-z_][0-9A-Za-z.:_-]{0,127}$`)

func (f StateFile) validate() error {
	switch {
	case !stateNamePattern.MatchString(f.Name):
		return fmt.Errorf("state file %q: at most 128 letters, digits, dots, colons, minus signs and underscores", f.Name)
	case f.Mode&^fs.ModePerm != 0:
		return fmt.Errorf("state file %s: mode %o has more than permission bits", f.Name, f.Mode)
	}
	return nil
}

func (s Settings) validate() error {
	switch {
	case s.Port < 1 || s.Port > 65535:
		return fmt.Errorf("PORT=%d: not between 1 and 65535", s.Port)
	case s.Port == webPort || s.Port == tlsPort:
		return fmt.Errorf("PORT=%d: that port is Nginx's", s.Port)
	case s.MaxBody < 1:
		return fmt.Errorf("MAX_BODY of %d bytes: at least 1", s.MaxBody)
	case s.DrainTimeout < 0:
		return fmt.Errorf("DRAIN_TIMEOUT of %s: at least 0", s.DrainTimeout)
	}
	return nil
}
