// Package client is the side of the person who uses an adapter: where it is, whether it works, and asking it something.
package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Profile is an adapter that this user can reach.
type Profile struct {
	URL   string `json:"url"`   // scheme://host[:port], without /v1
	Token string `json:"token"` // client token, "" where none is asked
}

// ErrNoProfile is what Load returns before anything was saved.
var ErrNoProfile = errors.New("no adapter is connected yet\nhint: gca connect http://YOUR-SERVER, or gca deploy root@YOUR-SERVER")

// ParseURL reads an adapter's address as people give it: the scheme may be missing (http), a trailing / or /v1 is cut.
func ParseURL(s string) (string, error) {
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(strings.TrimSuffix(strings.TrimSuffix(s, "/"), "/v1"))
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("%q is not an adapter's address\nhint: give it as http://203.0.113.9 or https://adapter.example.com", s)
	}
	return u.Scheme + "://" + u.Host + strings.TrimSuffix(u.Path, "/"), nil
}

// File is where a user's profile is kept, in the user's configuration folder.
func File() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("cannot find your configuration folder: %w", err)
	}
	return filepath.Join(dir, "gca", "profile.json"), nil
}

// Load reads the profile; ErrNoProfile when there is none.
func Load(file string) (Profile, error) {
	var p Profile
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return p, ErrNoProfile
	}
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return p, fmt.Errorf("cannot read the saved connection %s: %w\nhint: gca connect http://YOUR-SERVER writes it anew", file, err)
	}
	return p, nil
}

// Save writes the profile, readable by this user alone, in one step.
func Save(file string, p Profile) error {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("cannot save the connection: %w", err)
	}
	temp, err := os.CreateTemp(filepath.Dir(file), ".profile-*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("cannot save the connection: %w", err)
	}
	_, err = temp.Write(append(text, '\n'))
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("cannot save the connection: %w", errors.Join(err, os.Remove(temp.Name())))
	}
	return nil
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
