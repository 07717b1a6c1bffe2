package remote

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/kevinburke/ssh_config"
)

// configFiles reads ssh_config where there is no ssh program: the user's file,
// then the system's. Of Match it knows "all" and "host" only, and says so.
type configFiles []string

func (f configFiles) lookup(_ context.Context, q query) (settings, error) {
	home := filepath.Dir(filepath.Dir(f[0]))
	var s settings
	var files []string
	known := map[string]bool{}
	take := func(keyword, value string) error {
		if value == "" || known[keyword] {
			return nil
		}
		known[keyword] = true
		return s.set(keyword, value, home)
	}
	if err := errors.Join(take("user", q.user), take("proxyjump", q.jump)); err != nil {
		return settings{}, err
	}
	if q.port != 0 {
		s.port, known["port"] = q.port, true
	}
	for _, path := range f {
		config, err := readConfig(path)
		if err == nil {
			files, err = config.values(q.name, files, take)
		}
		if err != nil {
			return settings{}, fmt.Errorf("ssh's configuration cannot be used for %s: %s: %w\nhint: correct that file, "+
				"or install the OpenSSH client, which understands all of it", q.name, path, err)
		}
	}
	s.complete(q, files, home)
	return s, nil
}

// keywords are those that [settings.set] takes, in ssh's own precedence: the
// first of ProxyJump and ProxyCommand to be given wins.
var keywords = []string{"hostname", "user", "port", "identitiesonly", "identityagent", "proxyjump", "proxycommand",
	"proxyusefdpass", "userknownhostsfile", "globalknownhostsfile", "hostkeyalias", "stricthostkeychecking",
	"connecttimeout", "pubkeyauthentication", "kbdinteractiveauthentication", "passwordauthentication"}

// complete fills in what ssh -G always says.
func (s *settings) complete(q query, files []string, home string) {
	if s.hostName = strings.NewReplacer("%%", "%", "%h", q.name).Replace(s.hostName); s.hostName == "" {
		s.hostName = q.name
	}
	if s.jump != "" {
		s.command = ""
	}
	if s.userKnownHosts == nil {
		s.userKnownHosts = []string{filepath.Join(home, ".ssh", "known_hosts"), filepath.Join(home, ".ssh", "known_hosts2")}
	}
	if s.globalKnownHosts == nil {
		s.globalKnownHosts = []string{"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"}
	}
	if len(files) > 0 {
		s.setIdentities(files, home)
	}
}

type configFile struct{ *ssh_config.Config }

// readConfig takes a file that is not there for an empty one.
func readConfig(path string) (configFile, error) {
	raw, err := readBounded(path, maxConfig)
	if errors.Is(err, os.ErrNotExist) {
		raw, err = nil, nil
	}
	if err != nil {
		return configFile{}, err
	}
	config, err := ssh_config.DecodeBytes(raw)
	return configFile{config}, err
}

// values hands what the file says of a host to take, and adds its identity files.
func (c configFile) values(alias string, identities []string, take func(keyword, value string) error) ([]string, error) {
	for _, keyword := range keywords {
		value, err := c.Get(alias, keyword)
		if err == nil {
			err = take(keyword, unquote(value))
		}
		if err != nil {
			return nil, err
		}
	}
	more, err := c.GetAll(alias, "identityfile")
	for _, file := range more {
		identities = append(identities, unquote(file))
	}
	return identities, err
}

func unquote(value string) string {
	if plain, err := strconv.Unquote(value); err == nil && len(value) > 1 && value[0] == '"' {
		return plain
	}
	return value
}
