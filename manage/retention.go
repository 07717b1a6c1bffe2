package manage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// Retention says which archives in BackupDir are due to be removed: what is older than Age, but for the newest week of them, and of
// more than Count the oldest. The newest always stays.
type Retention struct {
	Age   time.Duration
	Count int
}

// String says it in words.
func (k Retention) String() string {
	return fmt.Sprintf("%s, at most %s", count(int64(k.Age/(24*time.Hour)), "day"), count(k.Count, "archive"))
}

// RetentionHere is what this server's settings say.
func RetentionHere() (Retention, error) {
	set, err := backupsHere()
	return retentionOf(set), err
}

func retentionOf(set config.Backups) Retention {
	return Retention{time.Duration(set.KeepDays) * 24 * time.Hour, set.KeepCount}
}

// backupsHere are this server's settings of backups. Where they cannot be read they are the default ones, and there is an error.
func backupsHere() (config.Backups, error) {
	text, err := ReadEnv()
	if err != nil {
		return config.Default().Backups, err
	}
	return backupsOf(text)
}

// backupsOf are the settings of backups in an adapter.env. A mistake in another setting does not count.
func backupsOf(text string) (config.Backups, error) {
	values, err := config.EnvValues(text)
	if err != nil {
		return config.Default().Backups, err
	}
	for _, name := range config.Names() {
		value, set := values[name]
		if err := config.Check(name, value); set && err != nil && strings.HasPrefix(name, "BACKUP_") {
			return config.Default().Backups, err
		}
	}
	cfg, elsewhere := config.ParseEnv(text)
	if cfg == nil {
		return config.Default().Backups, elsewhere
	}
	return cfg.Backups, nil
}

// week is how many archives no age removes: a server that was off for long, or whose clock is wrong, does not lose all that it had
// for the first new one, which nobody has looked at yet.
const week = 7

// due are those of all, newest first, that are to be removed; what is unfinished is, when it belongs to no backup any more.
func (k Retention) due(all []Kept, now time.Time) []Kept {
	var due []Kept
	finished := 0
	for _, b := range all {
		age := now.Sub(b.Created)
		goes := age > unfinishedAge
		if !b.unfinished() {
			goes = finished > 0 && (finished >= k.Count || finished >= week && age > k.Age)
			finished++
		}
		if goes {
			due = append(due, b)
		}
	}
	return due
}

// archiveName is what archives in BackupDir are called; somebody's own names are left alone.
var archiveName = regexp.MustCompile(`^gca-.*-([0-9]{8}T[0-9]{6}Z)\.tar\.gz(\.part)?$`)

// unfinishedAge is from which age on what looks unfinished belongs to no backup any more.
const unfinishedAge = 24 * time.Hour

// prune removes the archives in dir that are due, and what interrupted backups left behind. It returns their names, oldest first.
func prune(dir string, now time.Time, keep Retention, remove func(file string) error) ([]string, error) {
	all, err := listDir(dir)
	if err != nil {
		return nil, err
	}
	var errs []error
	removed := []string{}
	for _, b := range keep.due(all, now) {
		if err := remove(filepath.Join(dir, b.File)); err != nil {
			errs = append(errs, err)
			continue
		}
		removed = append(removed, b.File)
	}
	slices.Reverse(removed)
	return removed, errors.Join(errs...)
}

// Prune removes the archives in BackupDir that are due, and returns their names, oldest first. A dry run removes nothing. It needs
// root.
func Prune(keep Retention, dryRun bool) ([]string, error) {
	if os.Geteuid() != 0 {
		return nil, ErrNotRoot
	}
	remove := os.Remove
	if dryRun {
		remove = func(string) error { return nil }
	}
	removed, err := prune(BackupDir, time.Now(), keep, remove)
	if errors.Is(err, fs.ErrNotExist) {
		return []string{}, nil
	}
	return removed, err
}

// Kept is one archive, or a copy of one.
type Kept struct {
	Place   string    `json:"place"`   // BackupDir, or the URL of a place away from the server
	File    string    `json:"file"`    // its name there
	Created time.Time `json:"created"` // by its name
	Size    int64     `json:"size"`    // bytes
}

// unfinished tells what a backup that was cut short has left: a part, or the name alone, which is taken before the rename.
func (b Kept) unfinished() bool { return strings.HasSuffix(b.File, ".part") || b.Size == 0 }

// Backups lists the archives in BackupDir, newest first. It needs root.
func Backups() ([]Kept, error) {
	if os.Geteuid() != 0 {
		return nil, ErrNotRoot
	}
	all, err := listDir(BackupDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return slices.DeleteFunc(all, Kept.unfinished), err
}

// listDir lists finished and unfinished archives, newest first.
func listDir(dir string) ([]Kept, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []Kept
	for _, entry := range entries {
		match := archiveName.FindStringSubmatch(entry.Name())
		if match == nil || !entry.Type().IsRegular() {
			continue
		}
		made, err := time.Parse(stampLayout, match[1])
		if err != nil {
			continue // somebody's own name
		}
		info, err := entry.Info()
		if err != nil {
			return nil, err
		}
		out = append(out, Kept{Place: dir, File: entry.Name(), Created: made, Size: info.Size()})
	}
	slices.SortFunc(out, func(a, b Kept) int { return b.Created.Compare(a.Created) })
	return out, nil
}
