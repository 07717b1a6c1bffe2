package manage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// secretFiles are the files keys and tokens of a server, and those who have to hear of a change.
type secretFiles struct {
	dir      string
	adapters adapters
	lock     func(what string) (release func() error, err error)
}

func hereSecrets() secretFiles { return secretFiles{configDir, hereAdapters(), converge.Lock} }

// edit changes the file of that name, under the lock of deploys, and has the running adapters put it in force: change gets what
// all files hold and returns the file's new text. One that the adapters would not start with, or refuse, leaves everything as
// it was. live is false where no adapter runs, so that the change counts from its start on.
func (f secretFiles) edit(ctx context.Context, name, what string, change func(config.Texts) (string, error)) (live bool, err error) {
	release, err := f.lock(what)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			err = ErrNotRoot
		}
		return false, err
	}
	defer func() { err = errors.Join(err, release()) }()
	before, err := readTextsIn(f.dir)
	if err != nil {
		return false, err
	}
	after, old := before, before.Keys
	if name == config.TokensFile {
		old = before.Tokens
	}
	text, err := change(before)
	if err != nil {
		return false, err
	}
	if name == config.TokensFile {
		after.Tokens = text
	} else {
		after.Keys = text
	}
	if _, err := after.Parse(); err != nil {
		return false, fmt.Errorf("%s: %w\nhint: nothing was changed", f.dir, err)
	}
	if err := f.write(name, text); err != nil {
		return false, err
	}
	// from here on nobody's Ctrl-C keeps the adapter from what the file says
	_, err = f.adapters.reload(context.WithoutCancel(ctx), after)
	if errors.Is(err, control.ErrAbsent) {
		return false, nil
	}
	if err != nil {
		return false, f.takeBack(ctx, name, old, before, err)
	}
	return true, nil
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

// write puts a whole file in place, with the owner and mode that it has: readers see the old or the new one. Where there is
// none it gets those of adapter.env, which the service can read.
func (f secretFiles) write(name, text string) (err error) {
	path := filepath.Join(f.dir, name)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		info, err = os.Lstat(filepath.Join(f.dir, config.EnvFile))
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no plain file, so it was left alone\nhint: ls -l %s", path, path)
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
	if err = errors.Join(err, tmp.Chmod(info.Mode().Perm()&0o640), giveTo(tmp, info), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(f.dir)
}
