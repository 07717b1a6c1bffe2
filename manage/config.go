package manage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// EnvFile holds the settings of a deployed adapter.
const EnvFile = configDir + "/" + config.EnvFile

// MaxEnvFile bounds adapter.env in bytes.
const MaxEnvFile = 1 << 20

// ConfigReport is what `config get` shows; its JSON form is schema 1.
type ConfigReport struct {
	Schema   int           `json:"schema"`
	Settings []ConfigEntry `json:"settings"`
}

// ConfigEntry is one setting as it counts.
type ConfigEntry struct {
	Name   string       `json:"name"`
	Value  string       `json:"value"` // of keys their ids, of tokens their number
	Source ConfigSource `json:"source"`
}

// ConfigSource says where a setting's value comes from.
type ConfigSource string

// The sources of a value.
const (
	FromFile    ConfigSource = "file"    // adapter.env
	FromDefault ConfigSource = "default" // it is not in adapter.env
	FromNobody  ConfigSource = "unknown" // in adapter.env, and no setting of this release
)

// ReadEnv returns the text of this server's adapter.env.
func ReadEnv() (string, error) {
	f, err := os.Open(EnvFile)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "", ErrNotRoot
	case errors.Is(err, fs.ErrNotExist):
		return "", ErrNotInstalled
	case err != nil:
		return "", err
	}
	text, err := ReadEnvFrom(f)
	return text, errors.Join(err, f.Close())
}

// ReadEnvFrom reads the text of an adapter.env, of at most a megabyte.
func ReadEnvFrom(r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxEnvFile+1))
	if err == nil && len(text) > MaxEnvFile {
		err = fmt.Errorf("the settings are larger than %d bytes", MaxEnvFile)
	}
	return string(text), err
}

// Config tells the settings that text, an adapter.env, comes to.
func Config(text string) (*ConfigReport, error) {
	cfg, err := config.ParseEnv(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w\nhint: gemini-manage config edit", EnvFile, err)
	}
	values, err := config.EnvValues(text)
	if err != nil {
		return nil, err
	}
	r := &ConfigReport{Schema: 1}
	for _, name := range config.Names() {
		source := FromDefault
		if _, set := values[name]; set {
			source = FromFile
		}
		r.Settings = append(r.Settings, ConfigEntry{name, show(cfg, name), source})
	}
	for _, name := range cfg.Unknown {
		r.Settings = append(r.Settings, ConfigEntry{name, "", FromNobody}) // it may be a secret under a wrong name
	}
	return r, nil
}

// show is a setting as anybody may see it.
func show(cfg *config.Config, name string) string {
	switch name {
	case "GEMINI_API_KEYS":
		ids := make([]string, 0, len(cfg.Keys))
		for _, key := range cfg.Keys {
			ids = append(ids, keys.ID(key.Secret))
		}
		return strings.Join(ids, ",")
	case "CLIENT_TOKENS":
		if len(cfg.Tokens) == 0 {
			return ""
		}
		return fmt.Sprintf("%d hidden", len(cfg.Tokens))
	}
	return cfg.Show(name)
}

// Find returns the entry of a name. The error says which names there are.
func (r *ConfigReport) Find(name string) (ConfigEntry, error) {
	i := slices.IndexFunc(r.Settings, func(e ConfigEntry) bool { return e.Name == name })
	if i < 0 {
		return ConfigEntry{}, unknownName(name)
	}
	return r.Settings[i], nil
}

// Print writes the report for a person.
func (r *ConfigReport) Print(w io.Writer) error {
	for _, e := range r.Settings {
		note := map[ConfigSource]string{FromDefault: "  (default)", FromNobody: "  (no setting of this release; what it is set to is not shown)"}[e.Source]
		if _, err := fmt.Fprintf(w, "%s=%s%s\n", e.Name, e.Value, note); err != nil {
			return err
		}
	}
	return nil
}

func unknownName(name string) error {
	upper := strings.ToUpper(name)
	for _, known := range config.Names() {
		if known == upper || len(upper) > 3 && (strings.HasPrefix(known, upper) || strings.HasSuffix(known, upper)) {
			return fmt.Errorf("%s: no such setting\nhint: did you mean %s?", name, known)
		}
	}
	return fmt.Errorf("%s: no such setting\nhint: the settings are %s", name, strings.Join(config.Names(), ", "))
}

// Fingerprint names a version of adapter.env.
func Fingerprint(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// ErrSettings is wrapped by the errors of settings that must not be applied. Nothing was touched.
var ErrSettings = errors.New("settings refused")

// settingsError is an ErrSettings in the words of its cause.
type settingsError struct{ err error }

func (e *settingsError) Error() string   { return e.err.Error() }
func (e *settingsError) Unwrap() []error { return []error{e.err, ErrSettings} }

// CheckEnv judges a new text of adapter.env. Names that are no settings are refused, unless before had them. The error wraps
// ErrSettings.
func CheckEnv(before, text string) error {
	cfg, err := config.ParseEnv(text)
	if err != nil {
		return &settingsError{err}
	}
	had, err := config.EnvValues(before)
	if err != nil {
		had = nil // what was wrong may be put right
	}
	for _, name := range cfg.Unknown {
		if _, old := had[name]; !old {
			return &settingsError{unknownName(name)}
		}
	}
	values, err := config.EnvValues(text)
	if err != nil {
		return &settingsError{err}
	}
	for _, name := range []string{"HOST", "CLIENT_TOKENS"} {
		value, set := values[name]
		if !set || value == had[name] {
			continue
		}
		if err := checkHere(name, value); err != nil {
			return &settingsError{err}
		}
	}
	return nil
}

// minToken is how many characters a client token must have that is set here.
const minToken = 16

// checkHere refuses what an adapter takes and a server should not have: an address where Nginx does not look, and a client
// token that can be guessed, since the whole world may try.
func checkHere(name, value string) error {
	switch name {
	case "HOST":
		if value != "127.0.0.1" {
			return fmt.Errorf("HOST=%q: expected 127.0.0.1, where Nginx finds the adapter on this server", value)
		}
	case "CLIENT_TOKENS":
		for i, token := range strings.Split(value, ",") {
			if token = strings.TrimSpace(token); token != "" && len(token) < minToken {
				return fmt.Errorf("CLIENT_TOKENS: token %d is easily guessed: expected %d characters or more\nhint: openssl rand -hex 16 makes one", i+1, minToken)
			}
		}
	}
	return nil
}

// ErrUnchanged is what changes return that change nothing.
var ErrUnchanged = errors.New("everything is set like that already; nothing was changed")

// ReplaceEnv puts a new text of adapter.env in force, unless the one that it was made from (by its Fingerprint) is not there
// any more. The adapter restarts with it and must answer, or everything is put back.
func (m Machine) ReplaceEnv(ctx context.Context, from, text string) (converge.Applied, error) {
	now, err := ReadEnv()
	if err != nil {
		return converge.Applied{}, err
	}
	if Fingerprint(now) != from {
		return converge.Applied{}, &settingsError{errors.New("somebody else has changed the settings meanwhile; nothing was changed\nhint: edit again, which begins with theirs")}
	}
	if now == text {
		return converge.Applied{}, ErrUnchanged
	}
	if err := CheckEnv(now, text); err != nil {
		return converge.Applied{}, err
	}
	return m.apply(ctx, converge.Want{Env: converge.NewSecret(text)})
}
