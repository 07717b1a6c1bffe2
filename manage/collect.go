package manage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
)

// collector gathers the files of a server for an archive.
type collector struct {
	root    *os.Root
	spool   *spool
	dir     string   // for nameless files
	leftOut []string // what was there, and is no plain file of its own
	torn    bool     // settings that are gone are no reason to fail
}

// collect takes settings, keys, tokens, certificates, state, units and site, and the logs if they are asked for.
func (c *collector) collect(ctx context.Context, logs bool) error {
	if err := errors.Join(c.settings(), c.certificates(), c.state(ctx)); err != nil {
		return err
	}
	for _, name := range serverFiles() {
		if err := c.file(c.root, name, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if !logs {
		return nil
	}
	return errors.Join(c.journal(ctx), c.folder("var/log/nginx", nginxLogName, nginxLogPath))
}

// noSettings takes the place of settings that are gone: an archive has some.
const noSettings = "# There was no adapter.env when this was saved.\n"

// settings takes settings, keys and tokens; keys and tokens may be in the settings.
func (c *collector) settings() error {
	for _, name := range []string{envPath, keysPath, tokensPath} {
		err := c.file(c.root, name, name)
		switch gone := errors.Is(err, fs.ErrNotExist); {
		case gone && name == envPath && c.torn:
			err = c.spool.add(ManifestFile{Path: name, Mode: 0o640, User: "root", Group: "root"}, strings.NewReader(noSettings))
		case gone && name != envPath:
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// errNotPlain is a path that is no plain file of its own.
var errNotPlain = errors.New("it is not a plain file of its own")

// orLeaveOut names what is no plain file instead of failing over it.
func (c *collector) orLeaveOut(as string, err error) error {
	if errors.Is(err, errNotPlain) {
		c.leftOut = append(c.leftOut, "/"+printable(as))
		return nil
	}
	return err
}

// file takes one file.
func (c *collector) file(dir *os.Root, name, as string) (err error) {
	f, info, err := openPlain(dir, name)
	if err != nil {
		return fmt.Errorf("cannot back up /%s: %w", as, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	user, group := ownerNames(info)
	return c.spool.add(ManifestFile{Path: as, Mode: Mode(info.Mode().Perm()), User: user, Group: group}, f)
}

// openPlain opens name in dir if it is a plain file with one name, and still the one that it was when looked at. A link is
// never followed, a pipe never waited for, and what has a second name is not taken: the service could have planted any of
// them in its folder, to have root read other people's files.
func openPlain(dir *os.Root, name string) (*os.File, fs.FileInfo, error) {
	before, err := dir.Lstat(name)
	if err != nil {
		return nil, nil, err
	}
	if !before.Mode().IsRegular() || hardLinks(before) > 1 {
		return nil, nil, errNotPlain
	}
	f, err := dir.OpenFile(name, os.O_RDONLY|nonBlocking, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(before, info) {
		err = errNotPlain
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// state takes the service's folder, which holds files alone. There may be none.
func (c *collector) state(ctx context.Context) error {
	dir, err := c.root.OpenRoot(path.Clean(statePrefix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	names, err := readNames(dir)
	if len(names) > maxFiles {
		err = fmt.Errorf("cannot back up /%s: it holds more than %d files", statePrefix, maxFiles)
	}
	for _, name := range names {
		if err == nil {
			err = c.stateFile(ctx, dir, name)
		}
	}
	return errors.Join(err, dir.Close())
}

// certificates takes what a move to another server would have to ask the CA for again, which gives few.
func (c *collector) certificates() error {
	if err := c.file(c.root, rootsPath, rootsPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return c.folder(path.Clean(tlsPrefix), tlsName, tlsPrefix)
}

// folder takes the files of a folder, where there is one, whose names fit: to is what they are called in the archive, before
// their names.
func (c *collector) folder(from string, fits *regexp.Regexp, to string) error {
	dir, err := c.root.OpenRoot(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	names, err := readNames(dir)
	for _, name := range names {
		if err == nil && fits.MatchString(name) {
			err = c.passing(dir, name, to+name)
		}
	}
	return errors.Join(err, dir.Close())
}

// stateFile takes a file of the service's, which may be a database.
func (c *collector) stateFile(ctx context.Context, dir *os.Root, name string) error {
	as := statePrefix + name
	switch {
	case companion(name):
		return nil
	case checkName(as) != nil:
		return c.orLeaveOut(as, errNotPlain)
	}
	return c.orPassed(as, c.database(ctx, dir, name, as))
}

// passing takes a log, which may be rotated away at any moment.
func (c *collector) passing(dir *os.Root, name, as string) error {
	return c.orPassed(as, c.file(dir, name, as))
}

// orPassed does without a file that is gone again, or is no plain one.
func (c *collector) orPassed(as string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return c.orLeaveOut(as, err)
}

// readNames returns the sorted names in dir, at most one more than a backup may hold.
func readNames(dir *os.Root) ([]string, error) {
	f, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	names, err := f.Readdirnames(maxFiles + 1)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	slices.Sort(names)
	return names, errors.Join(err, f.Close())
}

// journal takes the adapter's journal as text.
func (c *collector) journal(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "journalctl", "--unit", ServiceUnit, "--unit", HandoverUnit, "--no-pager", "--output", "short-iso")
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot read the journal: %w", err)
	}
	taken := c.spool.add(ManifestFile{Path: journalPath, Mode: 0o600, User: "root", Group: "root"}, out)
	if taken != nil {
		_, err = io.Copy(io.Discard, out) // so that it can end
	}
	if waited := cmd.Wait(); waited != nil && taken == nil {
		err = fmt.Errorf("cannot read the journal: %s", strings.TrimSpace(complaint.String()))
	}
	return errors.Join(taken, err)
}
