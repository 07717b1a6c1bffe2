package manage

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPrune(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	name := func(days int) string { return ArchiveName("tokyo", now.AddDate(0, 0, -days)) }
	f := func(keep Retention, before, after []string) {
		t.Helper()
		dir := t.TempDir()
		for _, name := range before {
			name, empty := strings.CutSuffix(name, " empty")
			if err := os.WriteFile(filepath.Join(dir, name), []byte("archive"), 0o600); err != nil {
				t.Fatal(err)
			}
			if !empty {
				continue
			}
			if err := os.Truncate(filepath.Join(dir, name), 0); err != nil {
				t.Fatal(err)
			}
		}
		removed, err := prune(dir, now, keep, os.Remove)
		if err != nil {
			t.Fatal(err)
		}
		left := []string{}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			left = append(left, entry.Name())
		}
		slices.Sort(after)
		if !slices.Equal(left, after) || len(removed)+len(left) != len(before) {
			t.Errorf("of %q are left %q, want %q; removed %q", before, left, after, removed)
		}
	}
	month := Retention{30 * 24 * time.Hour, 60}
	var days []string
	for n := range week {
		days = append(days, name(n))
	}
	f(month, append([]string{name(29), name(31), name(400)}, days...), append([]string{name(29)}, days...))
	// After a long rest, or by a clock that is wrong, the first new one does not cost all others.
	old := []string{name(31), name(100), name(400)}
	f(month, append([]string{name(0)}, old...), append([]string{name(0)}, old...))
	f(month, append([]string{name(500)}, append(old, days...)...), days)
	f(month, []string{name(31), name(400), name(0) + ".part"}, []string{name(31), name(400), name(0) + ".part"})
	f(month, []string{name(0), name(2) + ".part", "last.json", "mine.tar.gz", "gca-x-99999999T999999Z.tar.gz"},
		[]string{name(0), "last.json", "mine.tar.gz", "gca-x-99999999T999999Z.tar.gz"})
	f(Retention{30 * 24 * time.Hour, 2}, []string{name(0), name(0) + ".part", name(1), name(2), name(3)}, []string{name(0), name(0) + ".part", name(1)})
	f(Retention{time.Hour, 1}, []string{name(5), name(6)}, []string{name(5)})
	// A power cut between a name and its archive leaves the name, which is no newest one.
	f(Retention{time.Hour, 1}, []string{name(0) + " empty", name(2) + " empty", name(5), name(6)}, []string{name(0), name(5)})
}

// One that cannot be removed keeps none of the others.
func TestPrune_stuck(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	for days := range 4 {
		if err := os.WriteFile(filepath.Join(dir, ArchiveName("tokyo", now.AddDate(0, 0, -days))), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stuck := ArchiveName("tokyo", now.AddDate(0, 0, -2))
	removed, err := prune(dir, now, Retention{time.Hour, 1}, func(file string) error {
		if filepath.Base(file) == stuck {
			return errors.New("it is held")
		}
		return os.Remove(file)
	})
	want := []string{ArchiveName("tokyo", now.AddDate(0, 0, -3)), ArchiveName("tokyo", now.AddDate(0, 0, -1))}
	if err == nil || !strings.Contains(err.Error(), "it is held") || !slices.Equal(removed, want) {
		t.Errorf("removed %q, %v", removed, err)
	}
}

// A mistake elsewhere in the settings keeps no backup from those that are its own.
func TestBackupsOf(t *testing.T) {
	f := func(text string, days int, wrong string) {
		t.Helper()
		set, err := backupsOf(text)
		if set.KeepDays != days || (err == nil) != (wrong == "") || err != nil && !strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: %d days, %v", text, set.KeepDays, err)
		}
	}
	f("BACKUP_KEEP_DAYS=365\n", 365, "")
	f("BACKUP_KEEP_DAYS=365\nMAX_RETRIES=many\nUNHEARD_OF=1\n", 365, "")
	f("MAX_RETRIES=many\n", 30, "")
	f("BACKUP_KEEP_DAYS=365\nBACKUP_TO=nowhere\n", 30, "BACKUP_TO")
	f("BACKUP_KEEP_DAYS=365\nPORT=1\nPORT=2\n", 30, "PORT is set a second time")
	f("BACKUP_KEEP_DAYS=365\nADMIN_TOKEN='never closed\n", 30, "line 2")
}

func TestRetention_words(t *testing.T) {
	if got := (Retention{30 * 24 * time.Hour, 1}).String(); got != "30 days, at most 1 archive" {
		t.Error(got)
	}
}
