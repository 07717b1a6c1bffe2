package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/gemini-claude-adapter/gca/manage/client"
)

// Apply writes the changes of Plan. What a file was before the first of them is kept beside it. The token is in the files, so
// that others may not read them any more.
func Apply(changes []Change) error {
	if err := unchanged(changes); err != nil {
		return err
	}
	for _, c := range changes {
		if err := c.keep(); err != nil {
			return fmt.Errorf("cannot keep a copy of %s, so it was not changed: %w", c.Path, err)
		}
		if err := c.write(); err != nil {
			return fmt.Errorf("cannot change %s: %w", c.Path, err)
		}
	}
	return nil
}

// unchanged refuses to write over what the person did not see.
func unchanged(changes []Change) error {
	for _, c := range changes {
		now, err := readBounded(c.Path)
		gone := errors.Is(err, fs.ErrNotExist)
		if err != nil && !gone {
			return err
		}
		if gone == c.existed || !bytes.Equal(now, c.Before) {
			return fmt.Errorf("%s was changed meanwhile, so nothing was written\nhint: the same command again", c.Path)
		}
	}
	return nil
}

// keep saves the file of before, an empty one where there was none. One that is kept already is the older one, and stays.
func (c *Change) keep() error {
	if err := os.MkdirAll(filepath.Dir(c.Path), 0o700); err != nil {
		return err
	}
	mode := fs.FileMode(0o600)
	if info, err := os.Stat(c.Path); err == nil {
		mode = info.Mode().Perm()
	}
	if _, err := os.Lstat(c.Path + BackupSuffix); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return client.Replace(c.Path+BackupSuffix, c.Before, mode)
}

func (c *Change) write() error { return client.Replace(c.Path, c.After, c.mode) }

// Undo writes the changes of PlanUndo. A file that was not there before goes, if nothing else is in it, and the copies of before
// go.
func Undo(changes []Change) error {
	if err := unchanged(changes); err != nil {
		return err
	}
	for _, c := range changes {
		err := c.back()
		if err == nil {
			err = os.Remove(c.Path + BackupSuffix)
		}
		if err != nil {
			return fmt.Errorf("cannot put %s back: %w", c.Path, err)
		}
	}
	return nil
}

func (c *Change) back() error {
	if !c.remains {
		err := os.Remove(c.Path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if info, err := os.Stat(c.Path + BackupSuffix); err == nil && runtime.GOOS != "windows" {
		c.mode = info.Mode().Perm()
	}
	return c.write()
}

// Diff shows a change to a person, with secrets by their last characters alone.
func (c *Change) Diff() string {
	from, to := c.Path, c.Path
	if !c.existed {
		from = "(new file)"
	}
	if !c.remains {
		to = "(removed)"
	}
	return udiff.Unified(from, to, Mask(string(c.Before)), Mask(string(c.After)))
}

// secret finds values of settings whose names say that they are secret, in JSON, TOML and env files, whole where they are quoted.
var secret = regexp.MustCompile(`(?i)([\w.-]*(?:token|api[_-]?key|secret|passw|authorization|credential)\w*["']?(?:\s*:\s*|[ \t]*=[ \t]*))` +
	`("(?:[^"\\\n]|\\.)+|'[^'\n]+|[^\s"',{}\[\]]+)`)

var scheme = regexp.MustCompile(`^["']?(?i:(?:bearer|basic) )?`)

const shown = 4

// Mask hides the values of secret settings but for their last characters.
func Mask(text string) string {
	return secret.ReplaceAllStringFunc(text, func(found string) string {
		parts := secret.FindStringSubmatch(found)
		open := scheme.FindString(parts[2])
		name, value := parts[1]+open, strings.TrimPrefix(parts[2], open)
		if value == "true" || value == "false" || strings.Trim(value, "0123456789") == "" {
			return found
		}
		if len(value) < 4*shown {
			return name + "…"
		}
		return name + "…" + value[len(value)-shown:]
	})
}
