package config

import (
	"net/url"
	"reflect"
	"slices"
)

// restarting are the settings that a running adapter does not change: the sockets it listens on and their buffers, its
// connections to Google, the file it writes to, and what systemd and Nginx were told of it when they were set up.
var restarting = []restartSetting{
	{"HOST", func(next, now *Config) { next.Host, next.hostSet = now.Host, true }},
	{"PORT", func(next, now *Config) { next.Port = now.Port }},
	{"GEMINI_BASE_URL", func(next, now *Config) { next.BaseURL = now.BaseURL }},
	{"PROXY_URL", func(next, now *Config) { next.ProxyURL = now.ProxyURL }},
	{"DRAIN_TIMEOUT", func(next, now *Config) { next.DrainTimeout = now.DrainTimeout }},
	{"MAX_BODY", func(next, now *Config) { next.MaxBody = now.MaxBody }},
	{"TLS_NAME", func(next, now *Config) { next.TLSName = now.TLSName }},
	{"STATE_URL", func(next, now *Config) { next.StateURL = now.StateURL }},
}

type restartSetting struct {
	name string
	keep func(next, now *Config) // has next as it is now
}

// Reloaded is what new texts make of running settings.
type Reloaded struct {
	Config  *Config
	Changed []string // names of settings that Config has another value for
	Restart []string // names of settings that Config leaves as they were, until a restart
}

// Reload reads texts beside the environment, as Load does, and leaves alone what takes a restart. c does not change. The error
// is as Load's: settings that would not do for a start, or not for the address that is listened on, are refused whole.
func (c *Config) Reload(texts Texts, env func(name string) (string, bool)) (Reloaded, error) {
	next, err := texts.load(Texts{Env: EnvFile, Keys: KeysFile, Tokens: TokensFile}, Source{Env: env, StateDir: c.stateDir, BehindProxy: c.BehindProxy})
	if err != nil {
		return Reloaded{}, err
	}
	r := Reloaded{Config: next, Changed: []string{}, Restart: append([]string{}, c.Restarting(next)...)}
	for _, s := range restarting {
		if slices.Contains(r.Restart, s.name) {
			s.keep(next, c)
		}
	}
	if err := next.Validate(); err != nil {
		return Reloaded{}, err
	}
	for _, name := range settingNames {
		if !next.same(name, c) {
			r.Changed = append(r.Changed, name)
		}
	}
	return r, nil
}

// Restarting names the settings that next has another value for and that a running adapter does not change.
func (c *Config) Restarting(next *Config) []string {
	var names []string
	for _, s := range restarting {
		if !next.same(s.name, c) {
			names = append(names, s.name)
		}
	}
	return names
}

// same reports whether both have the same value for a setting.
func (c *Config) same(name string, o *Config) bool {
	switch name {
	case "GEMINI_API_KEYS":
		return reflect.DeepEqual(c.Keys, o.Keys)
	case "CLIENT_TOKENS":
		return slices.EqualFunc(c.tokensOf(false), o.tokensOf(false), sameToken)
	case "ADMIN_TOKEN":
		return slices.EqualFunc(c.tokensOf(true), o.tokensOf(true), sameToken)
	case "BACKUP_S3_SECRET":
		return c.Backups.S3Secret == o.Backups.S3Secret
	case "GEMINI_BASE_URL":
		return sameURL(c.BaseURL, o.BaseURL)
	case "PROXY_URL":
		return sameURL(c.ProxyURL, o.ProxyURL)
	case "STATE_URL":
		return sameURL(c.StateURL, o.StateURL)
	}
	if alert, ok := findAlert(name); ok {
		return alert.value(&c.Alerts) == alert.value(&o.Alerts)
	}
	return c.Show(name) == o.Show(name)
}

func sameURL(a, b *url.URL) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.String() == b.String() // with its password, which Show hides
}

func (c *Config) tokensOf(admin bool) []Token {
	return slices.DeleteFunc(slices.Clone(c.Tokens), func(t Token) bool { return t.Admin != admin })
}

func sameToken(a, b Token) bool { return reflect.DeepEqual(a, b) }
