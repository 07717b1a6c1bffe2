package manage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/manage/offsite"
	"github.com/gemini-claude-adapter/gca/provision/remote"
	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// Copies of archives are kept away from the server, encrypted, where the settings name places for them. The files that let the
// server in lie beside the archives: its SSH key and the host keys that it knows.
const (
	sshKeyFile     = BackupDir + "/ssh-key"
	knownHostsFile = BackupDir + "/known-hosts"
	copyTime       = 15 * time.Minute // for all that is done at one place
)

// CopyOutcome is how the last copy to one place went.
type CopyOutcome struct {
	Place string    `json:"place"` // its URL, without secrets
	Tried time.Time `json:"tried"`
	Error string    `json:"error,omitempty"` // why that failed, in one line
	Made  time.Time `json:"made,omitzero"`   // the last one that succeeded
	File  string    `json:"file,omitempty"`  // of that one
}

// CopyError is a backup that was made, and not copied everywhere.
type CopyError struct{ errs []error }

func (e *CopyError) Error() string {
	return "the backup was made, and not copied everywhere: " + errors.Join(e.errs...).Error()
}

// copier keeps copies of one archive.
type copier struct {
	set      config.Backups
	access   offsite.Access
	file     string // the archive
	host     string // as its name has it
	keep     Retention
	progress func(place string, sent, size int64)
}

func accessOf(set config.Backups) offsite.Access {
	return offsite.Access{S3Key: set.S3Key, S3Secret: set.S3Secret.Reveal(), SSHKey: sshKeyFile, SSHHostKey: set.SFTPHostKey, KnownHosts: knownHostsFile}
}

// everywhere copies the archive to each place; one that fails keeps none of the others.
func (c *copier) everywhere(ctx context.Context) (outcomes []CopyOutcome, err error) {
	sealed, size, err := c.seal()
	if err != nil {
		for _, u := range c.set.To {
			outcomes = append(outcomes, CopyOutcome{Place: offsite.Name(u), Tried: now(), Error: firstLine(err.Error())})
		}
		return outcomes, &CopyError{[]error{err}}
	}
	var errs []error
	for _, u := range c.set.To {
		o := CopyOutcome{Place: offsite.Name(u), Tried: now()}
		if err := c.to(ctx, u, sealed, size); err != nil {
			o.Error = firstLine(err.Error())
			errs = append(errs, err)
		} else {
			o.Made, o.File = o.Tried, filepath.Base(c.file)+SealedSuffix
		}
		outcomes = append(outcomes, o)
	}
	if err := sealed.Close(); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return outcomes, &CopyError{errs}
	}
	return outcomes, nil
}

func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// seal encrypts the archive into a nameless file.
func (c *copier) seal() (sealed *os.File, size int64, err error) {
	to, err := ParseRecipients(c.set.Recipients)
	if err == nil && to.None() {
		err = errors.New("copies need somebody to be encrypted to\nhint: gca config set HOST BACKUP_RECIPIENTS=age1…, which gca backup key prints")
	}
	if err != nil {
		return nil, 0, err
	}
	if sealed, err = nameless(filepath.Dir(c.file)); err != nil {
		return nil, 0, err
	}
	err = to.Seal(sealed, func(w io.Writer) error {
		f, err := os.Open(c.file)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, f)
		return errors.Join(err, f.Close())
	})
	if err == nil {
		size, err = sealed.Seek(0, io.SeekCurrent)
	}
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("cannot encrypt the archive: %w", err), sealed.Close())
	}
	return sealed, size, nil
}

// to copies to one place, and removes what is due there.
func (c *copier) to(ctx context.Context, u *url.URL, sealed io.ReaderAt, size int64) error {
	ctx, cancel := context.WithTimeoutCause(ctx, copyTime, fmt.Errorf("%s: it took longer than %s", offsite.Name(u), copyTime))
	defer cancel()
	open := func() io.Reader {
		r := io.NewSectionReader(sealed, 0, size)
		if c.progress == nil {
			return r
		}
		return &reported{r, func(sent int64) { c.progress(offsite.Name(u), sent, size) }, 0}
	}
	if err := offsite.Keep(ctx, u, c.access, filepath.Base(c.file)+SealedSuffix, size, open); err != nil {
		return err
	}
	if err := c.prune(ctx, u); err != nil {
		return fmt.Errorf("it was copied, and what is due there could not be removed: %w", err)
	}
	return nil
}

// reported tells how much of what it reads has passed.
type reported struct {
	r    io.Reader
	tell func(sent int64)
	sent int64
}

func (r *reported) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.sent += int64(n)
	r.tell(r.sent)
	return n, err
}

// prune removes this server's copies that are due; several servers may share a place.
func (c *copier) prune(ctx context.Context, u *url.URL) error {
	place, err := offsite.Open(ctx, u, c.access)
	if err != nil {
		return err
	}
	all, err := copiesIn(ctx, place, regexp.QuoteMeta(c.host))
	for _, one := range c.keep.due(all, time.Now()) {
		err = errors.Join(err, place.Remove(ctx, one.File))
	}
	return errors.Join(err, place.Close())
}

// copiesIn lists the copies, unfinished ones among them, of servers whose names match host, newest first.
func copiesIn(ctx context.Context, place offsite.Place, host string) ([]Kept, error) {
	named, err := regexp.Compile(`^gca-` + host + `-([0-9]{8}T[0-9]{6}Z)\.tar\.gz` + regexp.QuoteMeta(SealedSuffix) + `(\.part)?$`)
	if err != nil {
		return nil, err
	}
	all, err := place.List(ctx)
	var copies []Kept
	for _, one := range all {
		match := named.FindStringSubmatch(one.Name)
		if match == nil {
			continue
		}
		if made, err := time.Parse(stampLayout, match[1]); err == nil {
			copies = append(copies, Kept{File: one.Name, Created: made, Size: one.Size})
		}
	}
	slices.SortFunc(copies, func(a, b Kept) int { return b.Created.Compare(a.Created) })
	return copies, err
}

// Copies lists the copies at every place that the settings name, newest first: those of all servers that keep some there. A place
// that cannot be listed is an error, and keeps none of the others. It needs root.
func Copies(ctx context.Context) ([]Kept, error) {
	if os.Geteuid() != 0 {
		return nil, ErrNotRoot
	}
	set, err := backupsHere()
	if err != nil {
		return nil, err
	}
	var all []Kept
	var errs []error
	for _, u := range set.To {
		found, err := copiesAt(ctx, u, accessOf(set))
		all, errs = append(all, found...), append(errs, err)
	}
	return all, errors.Join(errs...)
}

func copiesAt(ctx context.Context, u *url.URL, access offsite.Access) ([]Kept, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	place, err := offsite.Open(ctx, u, access)
	if err != nil {
		return nil, err
	}
	found, err := copiesIn(ctx, place, ".*")
	found = slices.DeleteFunc(found, Kept.unfinished)
	for i := range found {
		found[i].Place = offsite.Name(u)
	}
	return found, errors.Join(err, place.Close())
}

// BackupSSHKey is the line of authorized_keys that lets this server in where it keeps copies by SFTP. Its key is made the first
// time. It needs root.
func BackupSSHKey() (string, error) {
	if os.Geteuid() != 0 {
		return "", ErrNotRoot
	}
	if _, err := ReadEnv(); err != nil {
		return "", err
	}
	host, err := os.Hostname()
	if err != nil {
		return "", err
	}
	if err := makeBackupDir(); err != nil {
		return "", err
	}
	return remote.PublicKey(sshKeyFile, "gca-backup@"+strings.ReplaceAll(host, " ", "-"))
}
