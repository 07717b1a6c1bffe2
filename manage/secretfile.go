package manage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// secretFiles are the files adapter.env, keys and tokens of a server, and those who have to hear of a change.
type secretFiles struct {
	dir      string
	unit     string // file of the service's unit
	adapters adapters
	lock     func(what string) (release func() error, err error)
}

func hereSecrets() secretFiles {
	return secretFiles{configDir, "/etc/systemd/system/" + ServiceUnit, hereAdapters(), converge.Lock}
}

// edit changes the file of that name, under the lock of deploys, and has the running adapters put it in force: change gets what
// all files hold and returns the file's new text. One that the adapters would not start with, or refuse, leaves everything as
// it was. live is false where no adapter runs, so that the change counts from its start on.
func (f secretFiles) edit(ctx context.Context, name, what string, change func(config.Texts) (string, error)) (live bool, err error) {
	_, err = f.change(ctx, name, what, change)
	if errors.Is(err, control.ErrAbsent) {
		return false, nil
	}
	return err == nil, err
}

// change is edit with what the adapters said; where none runs the error is control.ErrAbsent, and the file has its new text.
func (f secretFiles) change(ctx context.Context, name, what string, change func(config.Texts) (string, error)) (r control.Reloaded, err error) {
	release, err := f.lock(what)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			err = ErrNotRoot
		}
		return r, err
	}
	defer func() { err = errors.Join(err, release()) }()
	before, err := readTextsIn(f.dir)
	if err != nil {
		return r, err
	}
	text, err := change(before)
	if err != nil {
		return r, err
	}
	after := before
	old := *textOf(&after, name)
	*textOf(&after, name) = text
	if _, err := after.Parse(); err != nil {
		return r, fmt.Errorf("%s: %w\nhint: nothing was changed", f.dir, err)
	}
	if err := f.write(name, text); err != nil {
		return r, err
	}
	// from here on nobody's Ctrl-C keeps the adapter from what the file says
	r, err = f.adapters.reload(context.WithoutCancel(ctx), after)
	if err != nil && !errors.Is(err, control.ErrAbsent) {
		err = f.takeBack(ctx, name, old, before, err)
	}
	return r, err
}

func textOf(texts *config.Texts, name string) *string {
	switch name {
	case config.KeysFile:
		return &texts.Keys
	case config.TokensFile:
		return &texts.Tokens
	}
	return &texts.Env
}

// takeBack puts the text of before into the file and in force, since during a handover one adapter may have taken what the other
// one refused, and one that did not answer may have taken it too.
func (f secretFiles) takeBack(ctx context.Context, name, old string, before config.Texts, why error) error {
	err := f.write(name, old)
	_, again := f.adapters.reload(context.WithoutCancel(ctx), before)
	var refused *control.Refusal // then it has what it had
	if again != nil && !errors.Is(again, control.ErrAbsent) && !errors.As(again, &refused) {
		err = errors.Join(err, again)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("the adapter refused it, and not all could be put back: %w\nhint: gemini-manage restart", why), err)
	}
	return fmt.Errorf("the adapter refused it, so nothing was changed: %w", why)
}

// write puts a whole file in place, with the owner and mode that it has: readers see the old or the new one.
func (f secretFiles) write(name, text string) (err error) {
	path := filepath.Join(f.dir, name)
	info, err := os.Lstat(path)
	like := func(tmp *os.File) error {
		return errors.Join(tmp.Chmod(info.Mode().Perm()&0o640), giveTo(tmp, info))
	}
	if errors.Is(err, fs.ErrNotExist) {
		like, err = f.firstOf(name)
	} else if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no plain file, so it was left alone\nhint: ls -l %s", path, path)
	}
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(f.dir, ".gca-*")
	if err != nil {
		return err
	}
	defer func() {
		if gone := os.Remove(tmp.Name()); err != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}()
	_, err = tmp.WriteString(text)
	if err = errors.Join(err, like(tmp), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(f.dir)
}

// firstOf is what gives a file its owner and mode that was not there: the service reads its settings and tokens itself, as adapter.env;
// the keys are handed to it by systemd, so they are root's alone, unless systemd cannot do that here.
func (f secretFiles) firstOf(name string) (func(*os.File) error, error) {
	info, err := os.Lstat(filepath.Join(f.dir, config.EnvFile))
	if err != nil {
		return nil, err
	}
	handed := false
	if name == config.KeysFile {
		unit, err := os.ReadFile(f.unit)
		if err != nil {
			return nil, err
		}
		handed = strings.Contains(string(unit), "\nLoadCredential=")
	}
	return func(tmp *os.File) error {
		if handed {
			return tmp.Chmod(0o600) // and it is the one's who runs this, root
		}
		return errors.Join(tmp.Chmod(info.Mode().Perm()&0o640), giveTo(tmp, info))
	}, nil
}
