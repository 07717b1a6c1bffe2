package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Folder is where this user's profiles, and what else gca keeps for its user, are: in the user's configuration folder.
func Folder() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("cannot find your configuration folder: %w", err)
	}
	return filepath.Join(dir, "gca"), nil
}

// File is where a user's profiles are kept.
func File() (string, error) {
	dir, err := Folder()
	return filepath.Join(dir, "profiles.json"), err
}

// RootsFile is where the roots of a profile's private CA are for programs that take them from a file; "" where it has none.
func RootsFile(p Profile) (string, error) {
	if p.Roots == "" {
		return "", nil
	}
	dir, err := Folder()
	return filepath.Join(dir, "roots", strings.ReplaceAll(NameOf(p.URL), ":", "-")+".pem"), err
}

// KeepRoots writes that file, which has no secret in it.
func KeepRoots(p Profile) error {
	file, err := RootsFile(p)
	if file == "" || err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("cannot keep the roots of the adapter's CA: %w", err)
	}
	if err := Replace(file, []byte(p.Roots), 0o600); err != nil {
		return fmt.Errorf("cannot keep the roots of the adapter's CA: %w", err)
	}
	return nil
}

// Load reads the profiles; none where there is no file.
func Load(file string) (*Profiles, error) {
	p := &Profiles{}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(text, p)
	}
	if err == nil && p.Schema != 1 {
		err = fmt.Errorf("its schema is %d, expected 1", p.Schema)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the saved connections %s: %w\nhint: mend that file, or delete it and connect anew: gca connect https://YOUR-SERVER", file, err)
	}
	return p, nil
}

// Save writes the profiles, readable by this user alone.
func Save(file string, p *Profiles) error {
	p.Schema = 1
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("cannot save the connection: %w", err)
	}
	if err := Replace(file, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("cannot save the connection: %w", err)
	}
	return nil
}

// Replace writes a file in one step: whoever reads it finds the old text or the new one. A link stays one.
func Replace(file string, text []byte, mode fs.FileMode) error {
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real
	}
	temp, err := os.CreateTemp(filepath.Dir(file), ".gca-*") // made with mode 0600
	if err != nil {
		return err
	}
	_, err = temp.Write(text)
	if err = errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close()); err == nil {
		err = os.Rename(temp.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}
