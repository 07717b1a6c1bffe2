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
		return LastBackup{}, fmt.Errorf("cannot read how the last backup went: %s: %w\nhint: gemini-manage backup writes it anew", file, err)
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

// KeepBackup backs this server up in BackupDir under the usual name, removes the archives there that are due, and records how
// it went. It needs root.
func KeepBackup(ctx context.Context, o BackupOptions) (kept KeptBackup, err error) {
	keep, unread := RetentionHere()
	begun := time.Now().UTC().Truncate(time.Second)
	b, err := NewBackup(ctx, o)
	if errors.Is(err, ErrNotRoot) || errors.Is(err, ErrNotInstalled) {
		return kept, err
	}
	if err == nil {
		kept.File, kept.Archive, err = b.saveHere(keep)
		kept.Notes = b.Notes()
		err = errors.Join(err, b.Close())
	}
	if unread != nil {
		kept.Notes = append(kept.Notes, "archives are kept as they are by default, for the settings cannot be read: "+firstLine(unread.Error()))
	}
	noted := record(BackupDir, func(last *LastBackup) {
		last.Tried, last.Error = begun, ""
		if err != nil {
			last.Error = firstLine(err.Error())
			return
		}
		last.Made, last.File, last.Size = begun, kept.File, kept.Archive.Size
	})
	if err == nil && noted != nil {
		kept.Notes = append(kept.Notes, "how this backup went could not be noted for status: "+noted.Error())
		noted = nil
	}
	return kept, errors.Join(err, noted)
}

// stale is from when on the last backup is too long ago: a day, and what a timer may be late.
const stale = 50 * time.Hour

// Problems are what is wrong with the backups, by themselves.
func (l LastBackup) Problems(now time.Time) []Problem {
	switch {
	case l.Error != "":
		return []Problem{{fmt.Sprintf("the backup of %s failed: %s; %s", minute(l.Tried), strings.TrimSuffix(l.Error, "\n"), l.made(now)), "sudo gemini-manage backup"}}
	case !l.Made.IsZero() && now.Sub(l.Made) > stale:
		return []Problem{{l.made(now), "systemctl status gemini-adapter-backup.timer; sudo gemini-manage backup"}}
	}
	return nil
}

func (l LastBackup) made(now time.Time) string {
	if l.Made.IsZero() {
		return "none has succeeded yet"
	}
	return fmt.Sprintf("the last good one is of %s (%s ago)", minute(l.Made), ago(now.Sub(l.Made)))
}

// ago is a time that has passed, in words.
func ago(d time.Duration) string {
	switch {
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
	return fmt.Sprintf("%s ago, %.1f MB in %s", ago(now.Sub(l.Made)), float64(l.Size)/1e6, l.File)
}
