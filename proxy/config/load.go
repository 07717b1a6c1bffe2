package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
)

// Names of the files in a configuration folder.
const (
	EnvFile    = "adapter.env"
	KeysFile   = "keys"
	TokensFile = "tokens"
)

// StateFile is what the state is called in the service's own folder.
const StateFile = "state.db"

const maxFile = 4 << 20

// Source is where Load reads from.
type Source struct {
	Env         func(name string) (string, bool) // os.LookupEnv
	Dir         string                           // folder with adapter.env, keys and tokens; "" is the environment alone
	Credentials string                           // folder that systemd hands over; its file keys comes before Dir's
	StateDir    string                           // folder that systemd keeps for the service: STATE_URL is state.db in it, unless set
	BehindProxy bool                             // becomes Config.BehindProxy
}

// Load reads every source and validates the whole. The error joins all faults, each naming variable or file, value and
// rule; secrets are never among the values.
func Load(src Source) (*Config, error) {
	if src.Dir != "" {
		if info, err := os.Stat(src.Dir); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("there is no folder %s to read settings from", src.Dir)
		}
	}
	keysDir := src.Dir
	if src.Credentials != "" {
		if _, err := os.Stat(filepath.Join(src.Credentials, KeysFile)); err == nil {
			keysDir = src.Credentials
		}
	}
	env, envErr := readFile(src.Dir, EnvFile)
	keys, keysErr := readFile(keysDir, KeysFile)
	tokens, tokensErr := readFile(src.Dir, TokensFile)
	if err := errors.Join(envErr, keysErr, tokensErr); err != nil {
		return nil, err
	}
	named := Texts{Env: filepath.Join(src.Dir, EnvFile), Keys: filepath.Join(keysDir, KeysFile), Tokens: filepath.Join(src.Dir, TokensFile)}
	return Texts{Env: env, Keys: keys, Tokens: tokens}.load(named, src)
}

// load reads the texts of files that are named so in errors, beside what else src says, and validates the whole.
func (t Texts) load(named Texts, src Source) (*Config, error) {
	cfg := Default()
	cfg.BehindProxy, cfg.stateDir = src.BehindProxy, src.StateDir
	if src.StateDir != "" {
		cfg.StateURL = &url.URL{Scheme: "file", Path: filepath.Join(src.StateDir, StateFile)}
	}
	lines, err := parseEnvFile(t.Env)
	if err != nil {
		return nil, inFile(named.Env, err)
	}
	var faults []error
	for _, s := range lines {
		apply, known := setters[s.name]
		if !known {
			cfg.Unknown = append(cfg.Unknown, s.name)
			continue
		}
		if _, overridden := src.Env(s.name); overridden {
			continue
		}
		if err := apply(cfg, s.value); err != nil {
			faults = append(faults, fmt.Errorf("%s line %d: %s%w", named.Env, s.line, s.name, err))
		}
	}
	for _, name := range settingNames {
		if value, ok := src.Env(name); ok {
			if err := setters[name](cfg, value); err != nil {
				faults = append(faults, fmt.Errorf("%s%w", name, err))
			}
		}
	}
	faults = append(faults, cfg.addSecrets(t, named)...)
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	cfg.dedupe()
	return cfg, cfg.Validate()
}

// addSecrets adds what the files keys and tokens hold.
func (c *Config) addSecrets(t, named Texts) []error {
	keys, keysErr := ParseKeys(t.Keys)
	c.Keys = append(c.Keys, keys...)
	tokens, tokensErr := ParseTokens(t.Tokens)
	all, joinErr := joinTokens(c.Tokens, tokens)
	c.Tokens = all
	var faults []error
	for _, err := range []error{inFile(named.Keys, keysErr), inFile(named.Tokens, tokensErr), joinErr} {
		if err != nil {
			faults = append(faults, err)
		}
	}
	return faults
}

// dedupe keeps the first of equal keys, with what any of them says about it.
func (c *Config) dedupe() {
	seen := make(map[string]int)
	keys := c.Keys[:0]
	for _, key := range c.Keys {
		i, again := seen[key.Secret.Reveal()]
		if !again {
			seen[key.Secret.Reveal()] = len(keys)
			keys = append(keys, key)
			continue
		}
		keys[i].Label = cmp.Or(keys[i].Label, key.Label)
		keys[i].Group = cmp.Or(keys[i].Group, key.Group)
		keys[i].Proxy = cmp.Or(keys[i].Proxy, key.Proxy)
	}
	c.Keys = keys
}

// readFile reads a file of the folder; a missing folder name or file is an empty text.
func readFile(dir, name string) (string, error) {
	if dir == "" {
		return "", nil
	}
	f, err := os.Open(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("cannot read settings: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("cannot read settings: %w", err)
	}
	if len(text) > maxFile {
		return "", fmt.Errorf("%s is larger than %d MB", filepath.Join(dir, name), maxFile>>20)
	}
	return string(text), nil
}

// ParseEnv validates the text of an adapter.env alone: what a deploy asks before it renders anything from it.
func ParseEnv(text string) (*Config, error) {
	cfg := Default()
	lines, err := parseEnvFile(text)
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, s := range lines {
		apply, known := setters[s.name]
		if !known {
			cfg.Unknown = append(cfg.Unknown, s.name)
			continue
		}
		if err := apply(cfg, s.value); err != nil {
			faults = append(faults, fmt.Errorf("line %d: %s%w", s.line, s.name, err))
		}
	}
	return cfg, errors.Join(faults...)
}
