package manage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// BackupDir is where a server keeps its archives, for root alone.
const BackupDir = "/var/backups/gemini-adapter"

// backupMode lets everybody read how the last backup went, and nobody but root see what else is there.
const backupMode = 0o711

// BackupOptions say what to back up.
type BackupOptions struct {
	Version string // of the running program
	Logs    bool   // the adapter's journal and Nginx's logs as well

	Safety   bool                                 // of KeepBackup: before something else. Copies and what is due are left to the next one, and settings may be gone
	Progress func(place string, sent, size int64) // of KeepBackup: how far a copy is, in bytes; may be nil
}

// Backup is what a server's backup is made of, gathered and hashed. Close it after use.
type Backup struct {
	Manifest Manifest
	LeftOut  []string // paths in the service's folder that are links, devices or the like
	spool    *spool
}

// Notes are what a person should know of a backup that succeeded.
func (b *Backup) Notes() []string {
	var notes []string
	for _, path := range b.LeftOut {
		notes = append(notes, path+" was left out: it is not a plain file of its own")
	}
	return notes
}

// NewBackup gathers everything that makes this server's adapter, as it is now. It needs root.
func NewBackup(ctx context.Context, o BackupOptions) (*Backup, error) {
	if os.Geteuid() != 0 {
		return nil, ErrNotRoot
	}
	release, err := os.Readlink(currentRelease)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotInstalled
	}
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	if err := makeBackupDir(); err != nil {
		return nil, err
	}
	if err := checkSpace("/", BackupDir, o.Logs); err != nil {
		return nil, err
	}
	m := Manifest{Schema: archiveSchema, GCA: o.Version, Release: filepath.Base(release), Host: host, Created: time.Now().UTC().Truncate(time.Second)}
	return gather(ctx, "/", BackupDir, m, o)
}

func makeBackupDir() error {
	if err := os.MkdirAll(BackupDir, backupMode); err != nil {
		return err
	}
	return os.Chmod(BackupDir, backupMode)
}

// gather fills m from the files under root. What it holds meanwhile lies in a nameless file in dir.
func gather(ctx context.Context, root, dir string, m Manifest, o BackupOptions) (*Backup, error) {
	top, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	s, err := newSpool(dir)
	if err != nil {
		return nil, errors.Join(err, top.Close())
	}
	c := &collector{root: top, spool: s, dir: dir, torn: o.Safety}
	if err := errors.Join(c.collect(ctx, o.Logs), top.Close()); err != nil {
		return nil, errors.Join(err, s.close())
	}
	m.Files = s.files
	return &Backup{Manifest: m, LeftOut: c.leftOut, spool: s}, nil
}

// Write writes the archive to w, in the clear.
func (b *Backup) Write(w io.Writer) error { return writeArchive(w, b.Manifest, b.spool.section) }

// WriteSealed writes the archive to w, encrypted.
func (b *Backup) WriteSealed(w io.Writer, to Recipients) error { return to.Seal(w, b.Write) }

// Close lets go of what was gathered.
func (b *Backup) Close() error { return b.spool.close() }

// Save writes the archive to a file of mode 0600 that appears whole or not at all, and reads it back. A file of that name
// is not replaced.
func (b *Backup) Save(file string) (a *Archive, err error) {
	err = SaveArchive(file, b.Write, func(r io.Reader) error {
		a, err = ReadArchive(r, b.Manifest.GCA, nil)
		return err
	})
	return a, err
}

// SaveArchive has write produce an archive in a file of mode 0600, and check read it back before the file gets its name. A file
// of that name is not replaced.
func SaveArchive(file string, write func(io.Writer) error, check func(io.Reader) error) error {
	if _, err := os.Lstat(file); err == nil {
		return isThere(file)
	}
	part := file + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already: another backup is being written, or was cut short\nhint: rm %s if no other one is at work", part, part)
	}
	if err != nil {
		return fmt.Errorf("cannot write the backup: %w", err)
	}
	err = fill(f, write, check)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := nameIt(part, file); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return syncDir(filepath.Dir(file))
}

func isThere(file string) error {
	return fmt.Errorf("%s is there already\nhint: give another name with -o FILE", file)
}

// nameIt gives part its name, unless something came to have it meanwhile. The name is taken first, since a rename would
// replace whatever is there; a link would not, but not every file system has links.
func nameIt(part, file string) error {
	taken, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return isThere(file)
	}
	if err == nil {
		err = taken.Close()
	}
	if err != nil {
		return fmt.Errorf("cannot write the backup: %w", err)
	}
	if err := os.Rename(part, file); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return nil
}

func fill(f *os.File, write func(io.Writer) error, check func(io.Reader) error) error {
	if err := write(AtMost(f, maxTotal)); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("cannot write the backup: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := check(f); err != nil {
		return fmt.Errorf("the backup was written, and cannot be read back: %w", err)
	}
	return nil
}

const stampLayout = "20060102T150405Z"

// ArchiveName is the usual name of an archive: gca-HOST-UTC.tar.gz. Of the host only letters, digits, dots and dashes are used.
func ArchiveName(host string, made time.Time) string {
	return "gca-" + hostPart(host) + "-" + made.UTC().Format(stampLayout) + ".tar.gz"
}

// hostPart is a host as the names of its archives have it.
func hostPart(host string) string {
	host = strings.Map(func(c rune) rune {
		if c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			return c
		}
		return '-'
	}, host)
	return host[:min(len(host), 64)]
}

// saveHere saves the backup in BackupDir under its usual name.
func (b *Backup) saveHere() (file string, a *Archive, err error) {
	for made := b.Manifest.Created; ; made = made.Add(time.Second) {
		file = filepath.Join(BackupDir, ArchiveName(b.Manifest.Host, made))
		if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return "", nil, err
		}
	}
	a, err = b.Save(file)
	return file, a, err
}
