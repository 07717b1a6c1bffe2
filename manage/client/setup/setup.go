// Package setup writes an adapter's address and token into the settings of client programs: merged into what is there, with a
// backup, and such that it can be undone.
//
// A Target is a program. Its files are changed by Edits, each of which sets or removes one item of a file; a format knows how to
// find, set and remove an item and leaves everything else, comments and order included, as it is. What a file was before the first
// change is kept beside it; undoing gives the edited items their values from there, so what the person or the program changed
// meanwhile stays.
package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/gemini-claude-adapter/gca/manage/client"
)

// Target is a client program and what points it at an adapter.
type Target struct {
	Name  string // as in gca setup NAME
	Title string
	Files []File            // to be merged into
	Env   []client.Variable // for a program that is run once, or for a shell
	Unset []string          // of the environment: what would win over Env
	Once  Once
	Words string // for the person: what to type, or what the program still needs
}

// Once is what a program needs besides Env when it is run once with the settings.
type Once struct {
	Program  string   // as it is typed
	Args     []string // in front of the others
	Settings *File    // a file like this wins over the user's own, nil where Env and Args do
	Flag     string   // the argument before its name, or
	Variable string   // the environment's name for it
}

// File is one file of settings.
type File struct {
	Path   string
	format format
	edits  []edit
}

// edit sets an item, or removes it where raw is "".
type edit struct {
	path     []string // of the item, as the format has it
	raw      string   // in the file's own notation
	optional bool     // where raw is "" the item is left alone; one that another run with a model or roots set is undone all the same
}

// format is a notation of settings. Texts that cannot be read are errors.
type format interface {
	// get returns an item as it is written, not ok where there is none.
	get(text []byte, path []string) (raw string, ok bool, err error)
	// set writes an item, or removes it where raw is "".
	set(text []byte, path []string, raw string) ([]byte, error)
	// empty reports whether nothing is left.
	empty(text []byte) bool
}

// Change is what becomes of one file.
type Change struct {
	Path    string
	Before  []byte
	After   []byte
	existed bool
	remains bool // the file is to stay
	mode    fs.FileMode
}

// BackupSuffix is what the name of a file from before ends in.
const BackupSuffix = ".before-gca"

const maxFile = 8 << 20

// ErrNothingToUndo says that no file of before is kept.
var ErrNothingToUndo = errors.New("there is nothing to undo: no file from before is kept beside the settings")

// Plan says what would become of the files. Those that are as they should be are left out.
func (t *Target) Plan() ([]Change, error) {
	var changes []Change
	for _, f := range t.Files {
		c, err := f.read()
		if err != nil {
			return nil, err
		}
		if c.After, err = f.apply(c.Before); err != nil {
			return nil, f.unreadable(err)
		}
		if !bytes.Equal(c.Before, c.After) {
			c.remains = true
			changes = append(changes, c)
		}
	}
	return changes, nil
}

// PlanUndo says what the files become when what Apply did is undone.
func (t *Target) PlanUndo() ([]Change, error) {
	var changes []Change
	for _, f := range t.Files {
		before, err := readBounded(f.Path + BackupSuffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		c, err := f.read()
		if err != nil {
			return nil, err
		}
		if c.After, err = f.undo(c.Before, before); err != nil {
			return nil, f.unreadable(err)
		}
		c.remains = len(before) > 0 || !f.format.empty(c.After)
		if !c.remains {
			c.After = nil
		}
		changes = append(changes, c)
	}
	if len(changes) == 0 {
		return nil, ErrNothingToUndo
	}
	return changes, nil
}

// Fragment is what the file would be if there were nothing else in it.
func (f *File) Fragment() (string, error) {
	text, err := f.apply(nil)
	return string(text), err
}

func (f *File) read() (Change, error) {
	c := Change{Path: f.Path, mode: 0o600}
	text, err := readBounded(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return c, nil
	case err != nil:
		return c, err
	}
	c.Before, c.existed = text, true
	return c, nil
}

func readBounded(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err == nil && info.Size() > maxFile {
		err = fmt.Errorf("%s is larger than %d MB", name, maxFile>>20)
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(name)
}

func (f *File) unreadable(err error) error {
	return fmt.Errorf("cannot change %s: %w\nhint: mend that file, or take what --print shows and change it by hand", f.Path, err)
}

func (f *File) apply(text []byte) ([]byte, error) {
	for _, e := range f.edits {
		if e.optional && e.raw == "" {
			continue
		}
		now, ok, err := f.format.get(text, e.path)
		if err == nil && (now != e.raw || ok != (e.raw != "")) {
			text, err = f.format.set(text, e.path, e.raw)
		}
		if err != nil {
			return nil, err
		}
	}
	return text, nil
}

// undo gives every edited item the value that it had before, whatever adapter, model and roots it was edited for. Where nothing
// else was changed since, the file is what it was, byte for byte.
func (f *File) undo(now, before []byte) ([]byte, error) {
	done, err := f.asIn(now)
	if err != nil {
		return nil, err
	}
	again, err := done.apply(before)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(again, now) {
		return before, nil
	}
	for _, e := range done.edits {
		if e.optional && e.raw == "" {
			continue
		}
		raw, _, err := f.format.get(before, e.path)
		if err == nil {
			now, err = f.format.set(now, e.path, raw)
		}
		if err != nil {
			return nil, err
		}
	}
	return f.prune(now, before)
}

// asIn is the file with the items as a text has them.
func (f *File) asIn(now []byte) (*File, error) {
	found := &File{Path: f.Path, format: f.format, edits: slices.Clone(f.edits)}
	for i, e := range found.edits {
		raw, ok, err := f.format.get(now, e.path)
		switch {
		case err != nil && !e.optional:
			return nil, err
		case err != nil || !ok:
			raw = "" // an optional one lies in what was never ours
		}
		found.edits[i].raw = raw
	}
	return found, nil
}

// prune removes what held nothing but the edited items.
func (f *File) prune(now, before []byte) ([]byte, error) {
	for _, e := range f.edits {
		for depth := len(e.path) - 1; depth > 0; depth-- {
			parent := e.path[:depth]
			raw, ok, err := f.format.get(now, parent)
			if err != nil {
				return nil, err
			}
			if _, was, err := f.format.get(before, parent); err != nil || was || !ok || strings.Trim(raw, "{} \t\r\n") != "" {
				continue
			}
			if now, err = f.format.set(now, parent, ""); err != nil {
				return nil, err
			}
		}
	}
	return now, nil
}
