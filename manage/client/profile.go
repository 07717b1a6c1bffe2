// Package client is the side of the person who uses an adapter: where it is, whether it works, and asking it something.
package client

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Profile is an adapter that this user can reach, and as whom.
type Profile struct {
	URL       string `json:"url"`                  // scheme://host[:port], without /v1
	Token     string `json:"token,omitempty"`      // a client token or the admin token, "" where none is asked
	Host      string `json:"host,omitempty"`       // [user@]host[:port] to log in to, as it was deployed to
	Roots     string `json:"roots,omitempty"`      // PEM of a private CA's roots, trusted beside the system's
	PlainHTTP bool   `json:"plain_http,omitempty"` // the token may be sent to a public address without TLS
}

// Profiles are all adapters of this user, by name. The zero value has none.
type Profiles struct {
	Schema  int                `json:"schema"`
	Default string             `json:"default"` // "" only where there are none
	Named   map[string]Profile `json:"profiles"`
}

// ErrNoProfile is what Get returns before anything was saved.
var ErrNoProfile = errors.New("no adapter is connected yet\nhint: gca connect https://YOUR-SERVER, or gca deploy root@YOUR-SERVER")

// Names are the profiles' names in order.
func (p *Profiles) Names() []string {
	names := make([]string, 0, len(p.Named))
	for name := range p.Named {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Get returns the named profile, the default one for "".
func (p *Profiles) Get(name string) (Profile, error) {
	found, ok := p.Named[cmp.Or(name, p.Default)]
	switch {
	case ok:
		return found, nil
	case len(p.Named) == 0:
		return Profile{}, ErrNoProfile
	}
	return Profile{}, fmt.Errorf("no profile is named %q; there are: %s\nhint: gca connect URL --profile %s makes one", name, strings.Join(p.Names(), ", "), name)
}

// Put saves a profile under a name, as the default one.
func (p *Profiles) Put(name string, profile Profile) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if p.Named == nil {
		p.Named = map[string]Profile{}
	}
	p.Named[name], p.Default = profile, name
	return nil
}

// SetDefault makes a profile the one that counts where none is named.
func (p *Profiles) SetDefault(name string) error {
	if _, err := p.Get(name); err != nil {
		return err
	}
	p.Default = name
	return nil
}

// Remove forgets a profile. Where that was the default, the first of the others takes its place.
func (p *Profiles) Remove(name string) error {
	if _, err := p.Get(name); err != nil {
		return err
	}
	delete(p.Named, name)
	if p.Default == name {
		p.Default = ""
		if names := p.Names(); len(names) > 0 {
			p.Default = names[0]
		}
	}
	return nil
}

// OfHost is the name of the profile of a server as it was deployed to, "" if there is none.
func (p *Profiles) OfHost(host string) string {
	for _, name := range p.Names() {
		if p.Named[name].Host == host {
			return name
		}
	}
	return ""
}

// Hosts are the servers of all profiles, as they were deployed to.
func (p *Profiles) Hosts() []string {
	var hosts []string
	for _, name := range p.Names() {
		if host := p.Named[name].Host; host != "" && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

const maxName = 64

// CheckName refuses what cannot name a profile.
func CheckName(name string) error {
	bad := func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\'"`, r) }
	if name == "" || len(name) > maxName || strings.HasPrefix(name, "-") || strings.ContainsFunc(name, bad) {
		return fmt.Errorf("%q cannot name a profile: expected up to %d characters without spaces, quotes and slashes", name, maxName)
	}
	return nil
}

// NameOf is the name that a profile of an address gets where the person gives none: its host, and the port where there is one.
func NameOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || CheckName(u.Host) != nil {
		return "adapter"
	}
	return u.Host
}

// Variable is one setting of a client program's environment.
type Variable struct{ Name, Value string }

// ClaudeCode returns the environment that points Claude Code at the adapter. Its own side calls keep to the adapter, and
// its safety check of commands runs through the adapter too (CLAUDE_CODE_AUTO_MODE_SERVER=0: the client asks by itself).
func (p Profile) ClaudeCode() []Variable {
	return []Variable{
		{"ANTHROPIC_BASE_URL", p.URL},
		{"ANTHROPIC_AUTH_TOKEN", p.Token},
		{"CLAUDE_CODE_AUTO_MODE_SERVER", "0"},
		{"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"},
		{"API_TIMEOUT_MS", "600000"},
	}
}
