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
	"path/filepath"
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

// ConfigEntry is one setting as it counts. Keys and tokens have one for each file that holds some.
type ConfigEntry struct {
	Name   string       `json:"name"`
	Value  string       `json:"value"` // of keys their ids; of tokens their names, or their number where settings have them
	Source ConfigSource `json:"source"`
}

// ConfigSource says where a setting's value comes from.
type ConfigSource string

// The sources of a value.
const (
	FromFile    ConfigSource = "file"    // adapter.env
	FromKeys    ConfigSource = "keys"    // the file keys
	FromTokens  ConfigSource = "tokens"  // the file tokens
	FromDefault ConfigSource = "default" // it is not in adapter.env
	FromNobody  ConfigSource = "unknown" // in adapter.env, and no setting of this release
)

// ReadEnv returns the text of this server's adapter.env.
func ReadEnv() (string, error) {
	text, err := readConfigFile(EnvFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", noSettingsIn(currentRelease)
	}
	return text, err
}

// ReadTexts returns the texts of this server's adapter.env, keys and tokens. Keys and tokens may be
// there beside the error that there is no adapter.env.
func ReadTexts() (config.Texts, error) { return readTextsIn(configDir) }

func readTextsIn(dir string) (texts config.Texts, err error) {
	texts.Env, err = readConfigFile(filepath.Join(dir, config.EnvFile))
	var none error
	if errors.Is(err, fs.ErrNotExist) {
		none, err = noSettingsIn(currentRelease), nil
	}
	if err != nil {
		return texts, err
	}
	for name, text := range map[string]*string{config.KeysFile: &texts.Keys, config.TokensFile: &texts.Tokens} {
		if *text, err = readConfigFile(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return texts, err
		}
	}
	return texts, none
}

// errSettingsGone is an adapter whose settings somebody has removed.
var errSettingsGone = errors.New(EnvFile + " is gone\nhint: from your laptop: gca restore root@THIS-SERVER ARCHIVE brings it back; gca deploy root@THIS-SERVER makes a new one")

// noSettingsIn says why there is no adapter.env, on a server whose current release would be at a path.
func noSettingsIn(current string) error {
	if _, err := os.Lstat(current); err == nil {
		return errSettingsGone
	}
	return ErrNotInstalled
}

func readConfigFile(name string) (string, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrPermission) {
		return "", ErrNotRoot
	}
	if err != nil {
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

// Config tells the settings that the texts come to.
func Config(texts config.Texts) (*ConfigReport, error) {
	cfg, err := config.ParseEnv(texts.Env)
	if err != nil {
		return nil, fmt.Errorf("%s: %w\nhint: gemini-manage config edit", EnvFile, err)
	}
	values, err := config.EnvValues(texts.Env)
	if err != nil {
		return nil, err
	}
	files, err := config.Texts{Keys: texts.Keys, Tokens: texts.Tokens}.Parse()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", configDir, err)
	}
	r := &ConfigReport{Schema: 1}
	for _, name := range config.Names() {
		beside := besideEnv(files, name)
		_, set := values[name]
		switch {
		case set:
			r.Settings = append(r.Settings, ConfigEntry{name, show(cfg, name), FromFile})
		case beside.Value == "":
			r.Settings = append(r.Settings, ConfigEntry{name, show(cfg, name), FromDefault})
		}
		if beside.Value != "" {
			r.Settings = append(r.Settings, beside)
		}
	}
	for _, name := range cfg.Unknown {
		r.Settings = append(r.Settings, ConfigEntry{name, "", FromNobody}) // it may be a secret under a wrong name
	}
	return r, nil
}

// besideEnv is what the files keys and tokens add to a setting, with an empty value if nothing.
func besideEnv(files *config.Config, name string) ConfigEntry {
	switch name {
	case "GEMINI_API_KEYS":
		return ConfigEntry{name, keyIDs(files.Keys), FromKeys}
	case "CLIENT_TOKENS":
		return ConfigEntry{name, tokenNames(files.Tokens, false), FromTokens}
	case "ADMIN_TOKEN":
		return ConfigEntry{name, tokenNames(files.Tokens, true), FromTokens}
	}
	return ConfigEntry{}
}

func tokenNames(all []config.Token, admin bool) string {
	var names []string
	for _, token := range all {
		if token.Admin == admin {
			names = append(names, token.Name)
		}
	}
	return strings.Join(names, ",")
}

func keyIDs(all []config.Key) string {
	ids := make([]string, 0, len(all))
	for _, key := range all {
		ids = append(ids, keys.ID(key.Secret))
	}
	return strings.Join(ids, ",")
}

// show is a setting as anybody may see it.
func show(cfg *config.Config, name string) string {
	switch name {
	case "GEMINI_API_KEYS":
		return keyIDs(cfg.Keys)
	case "CLIENT_TOKENS", "ADMIN_TOKEN":
		hidden := 0
		for _, token := range cfg.Tokens {
			if token.Admin == (name == "ADMIN_TOKEN") {
				hidden++
			}
		}
		if hidden == 0 {
			return ""
		}
		return fmt.Sprintf("%d hidden", hidden)
	}
	return cfg.Show(name)
}

// Find returns the report of one name. The error says which names there are.
func (r *ConfigReport) Find(name string) (*ConfigReport, error) {
	one := &ConfigReport{Schema: r.Schema}
	for _, e := range r.Settings {
		if e.Name == name {
			one.Settings = append(one.Settings, e)
		}
	}
	if len(one.Settings) == 0 {
		return nil, UnknownSetting(name)
	}
	return one, nil
}

// Print writes the report for a person.
func (r *ConfigReport) Print(w io.Writer) error {
	for _, e := range r.Settings {
		note := e.file()
		switch e.Source {
		case FromDefault:
			note = "  (default)"
		case FromNobody:
			note = "  (no setting of this release; what it is set to is not shown)"
		}
		if _, err := fmt.Fprintf(w, "%s=%s%s\n", e.Name, e.Value, note); err != nil {
			return err
		}
	}
	return nil
}

// PrintValues writes the values alone. Of keys and tokens it says which come from a file beside adapter.env.
func (r *ConfigReport) PrintValues(w io.Writer) error {
	for _, e := range r.Settings {
		if _, err := fmt.Fprintln(w, e.Value+e.file()); err != nil {
			return err
		}
	}
	return nil
}

// file names a file beside adapter.env.
func (e ConfigEntry) file() string {
	if e.Source == FromKeys || e.Source == FromTokens {
		return "  (file " + string(e.Source) + ")"
	}
	return ""
}

// UnknownSetting is the error of a name that is no setting, with the likely one where there is one.
func UnknownSetting(name string) error {
	upper := strings.ToUpper(name)
	for _, known := range config.Names() {
		if known == upper || len(upper) > 3 && (strings.HasPrefix(known, upper) || strings.HasSuffix(known, upper) || strings.HasPrefix(upper, known)) {
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
			return &settingsError{UnknownSetting(name)}
		}
	}
	values, err := config.EnvValues(text)
	if err != nil {
		return &settingsError{err}
	}
	if had != nil && values[tlsSetting] != had[tlsSetting] {
		return &settingsError{errTLSHere}
	}
	for _, name := range []string{"HOST", "CLIENT_TOKENS", "ADMIN_TOKEN"} {
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

// minToken is how many characters a token must have that is set here.
const minToken = 16

// tlsSetting is the deploy's alone: it opens the firewall for what clients come in by, and looks at it from outside.
const tlsSetting = "TLS_NAME"

var errTLSHere = errors.New(tlsSetting + " is set by a deploy, which looks from outside whether clients still get in\n" +
	"hint: from your laptop: gca deploy --domain NAME HOST, or gca deploy --no-tls HOST for plain HTTP")

// checkHere refuses what an adapter takes and a server should not have: an address where Nginx does not look, and a token
// that can be guessed, since the whole world may try.
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
	case "ADMIN_TOKEN":
		if token := strings.TrimSpace(value); token != "" && len(token) < minToken {
			return fmt.Errorf("ADMIN_TOKEN is easily guessed: expected %d characters or more\nhint: openssl rand -hex 16 makes one", minToken)
		}
	}
	return nil
}

// ErrUnchanged is what changes return that change nothing.
var ErrUnchanged = errors.New("everything is set like that already; nothing was changed")

// ReplaceEnv puts a new text of adapter.env in force, unless the one that it was made from (by its Fingerprint) is not there
// any more. The running adapter takes it, or, where that is needed, restarts with it and must answer, or everything is put back.
func (m Machine) ReplaceEnv(ctx context.Context, from, text string) (converge.Applied, error) {
	check := func(now string) (string, error) {
		switch {
		case Fingerprint(now) != from:
			return "", &settingsError{errors.New("somebody else has changed the settings meanwhile; nothing was changed\nhint: edit again, which begins with theirs")}
		case now == text:
			return "", ErrUnchanged
		}
		return text, CheckEnv(now, text)
	}
	now, err := ReadEnv()
	if err == nil {
		_, err = check(now)
	}
	if err != nil {
		return converge.Applied{}, err
	}
	return m.change(ctx, check, converge.Want{Env: converge.NewSecret(text)})
}
