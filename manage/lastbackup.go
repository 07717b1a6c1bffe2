package manage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/manage/client"
)

// LastBackup is how the last backup in BackupDir went. Every user of the server may read it, so that `status` shows it; the
// zero value is a server that was never backed up. Its JSON form is schema 1.
type LastBackup struct {
	Schema int       `json:"schema"`
	Tried  time.Time `json:"tried"`           // when the last one was begun
	Error  string    `json:"error,omitempty"` // why that failed, in one line; "" if it did not
	Made   time.Time `json:"made,omitzero"`   // the last one that succeeded
	File   string    `json:"file,omitempty"`  // of that one
	Size   int64     `json:"size,omitempty"`  // bytes of that one

	Copies []CopyOutcome `json:"copies,omitempty"` // away from the server, one for each place
}

// lastBackupName is the file in BackupDir; archives have other names.
const lastBackupName = "last.json"

// maxLast bounds the record in bytes.
const maxLast = 64 << 10

// ReadLastBackup reads how the last backup of this server went. Any user may.
func ReadLastBackup() (LastBackup, error) { return readLast(BackupDir) }

func readLast(dir string) (last LastBackup, err error) {
	file := filepath.Join(dir, lastBackupName)
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return last, nil
	}
	if err != nil {
		return last, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := json.NewDecoder(io.LimitReader(f, maxLast)).Decode(&last); err != nil {
		return LastBackup{}, fmt.Errorf("cannot read how the last backup went: %s: %w\nhint: sudo gemini-manage backup   # writes it anew", file, err)
	}
	return last, nil
}

// record keeps how a backup went. A record that cannot be read is written anew.
func record(dir string, change func(*LastBackup)) error {
	last, err := readLast(dir)
	if err != nil {
		last = LastBackup{}
	}
	change(&last)
	last.Schema = 1
	text, err := json.MarshalIndent(last, "", "  ")
	if err != nil {
		return err
	}
	return client.Replace(filepath.Join(dir, lastBackupName), append(text, '\n'), 0o644)
}

// KeptBackup is a backup that was saved on this server.
type KeptBackup struct {
	File    string // in BackupDir
	Archive *Archive
	Notes   []string // what a person should know, although it succeeded
}

// KeepBackup backs this server up in BackupDir under the usual name, removes the archives there that are due, copies it to the
// places that the settings name, and records how all this went. It needs root. The error is a [*CopyError] if the backup was made,
// and not copied everywhere. Where the settings cannot be read nobody knows what is due, and nothing is removed.
func KeepBackup(ctx context.Context, o BackupOptions) (KeptBackup, error) {
	set, unread := backupsHere()
	begun := now()
	kept, host, err := keep(ctx, o)
	if errors.Is(err, ErrNotRoot) || errors.Is(err, ErrNotInstalled) {
		return kept, err
	}
	copied := func(*LastBackup) {}
	var notCopied error
	switch {
	case err != nil || o.Safety:
	case unread != nil:
		notCopied = &CopyError{[]error{fmt.Errorf("the settings cannot be read, which say where to, and which archives are due: %w", unread)}}
		copied = func(last *LastBackup) {
			last.uncopied(begun, "the settings cannot be read: "+firstLine(unread.Error()))
		}
	default:
		if _, err := prune(BackupDir, time.Now(), retentionOf(set), os.Remove); err != nil {
			kept.Notes = append(kept.Notes, "archives that are due could not all be removed: "+err.Error())
		}
		var copies []CopyOutcome
		if len(set.To) > 0 {
			c := &copier{set: set, access: accessOf(set), file: kept.File, host: host, keep: retentionOf(set), progress: o.Progress}
			copies, notCopied = c.everywhere(ctx)
		}
		copied = func(last *LastBackup) { last.copied(copies) }
	}
	noted := record(BackupDir, func(last *LastBackup) {
		last.made(begun, kept, err)
		copied(last)
	})
	if noted != nil {
		kept.Notes = append(kept.Notes, "how this backup went could not be noted for status: "+noted.Error())
	}
	return kept, errors.Join(err, notCopied)
}

// keep makes a backup in BackupDir. host is the server's name as the names of its archives have it.
func keep(ctx context.Context, o BackupOptions) (kept KeptBackup, host string, err error) {
	b, err := NewBackup(ctx, o)
	if err != nil {
		return kept, "", err
	}
	kept.File, kept.Archive, err = b.saveHere()
	kept.Notes = b.Notes()
	return kept, hostPart(b.Manifest.Host), errors.Join(err, b.Close())
}

// made notes how a backup went.
func (l *LastBackup) made(begun time.Time, kept KeptBackup, err error) {
	l.Tried, l.Error = begun, ""
	if err != nil {
		l.Error = firstLine(err.Error())
		return
	}
	l.Made, l.File, l.Size = begun, kept.File, kept.Archive.Size
}

// copied notes how the copies went; of a place where it failed the last good one stays known.
func (l *LastBackup) copied(outcomes []CopyOutcome) {
	for i, o := range outcomes {
		for _, before := range l.Copies {
			if before.Place == o.Place && o.Error != "" {
				outcomes[i].Made, outcomes[i].File = before.Made, before.File
			}
		}
	}
	l.Copies = outcomes
}

// uncopied notes why nothing was copied to any of the places that are known.
func (l *LastBackup) uncopied(tried time.Time, why string) {
	for i := range l.Copies {
		l.Copies[i].Tried, l.Copies[i].Error = tried, why
	}
}

// stale is from when on the last backup is too long ago: a day, and what a timer may be late.
const stale = 50 * time.Hour

// Problems are what is wrong with the backups, by themselves.
func (l LastBackup) Problems(now time.Time) []Problem {
	var all []Problem
	for _, c := range l.Copies {
		if c.Error != "" {
			all = append(all, Problem{fmt.Sprintf("the backup of %s was not copied to %s: %s", minute(c.Tried), c.Place, strings.TrimPrefix(c.Error, c.Place+": ")), "sudo gemini-manage backup"})
		}
	}
	switch {
	case l.Error != "":
		all = append(all, Problem{fmt.Sprintf("the backup of %s failed: %s; %s", minute(l.Tried), strings.TrimSuffix(l.Error, "\n"), l.good(now)), "sudo gemini-manage backup"})
	case !l.Made.IsZero() && now.Sub(l.Made) > stale:
		all = append(all, Problem{l.good(now), "systemctl status gemini-adapter-backup.timer; sudo gemini-manage backup"})
	}
	return all
}

func (l LastBackup) good(now time.Time) string {
	if l.Made.IsZero() {
		return "none has succeeded yet"
	}
	return fmt.Sprintf("the last good one is of %s (%s ago)", minute(l.Made), ago(now.Sub(l.Made)))
}

// ago is a time that has passed, in words.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < time.Hour:
		return count(int64(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return count(int64(d/time.Hour), "hour")
	}
	return count(int64(d/(24*time.Hour)), "day")
}

// Line says it in one line, for the status of everything.
func (l LastBackup) Line(now time.Time) string {
	if l.Made.IsZero() {
		return "none yet"
	}
	if l.Size < 1e6 {
		return fmt.Sprintf("%s ago, %.0f kB in %s", ago(now.Sub(l.Made)), float64(l.Size)/1e3, l.File)
	}
	return fmt.Sprintf("%s ago, %.1f MB in %s", ago(now.Sub(l.Made)), float64(l.Size)/1e6, l.File)
}
