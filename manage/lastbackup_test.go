package manage

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestLastBackup(t *testing.T) {
	dir := t.TempDir()
	none, err := readLast(dir)
	if err != nil || !reflect.DeepEqual(none, LastBackup{}) {
		t.Fatalf("a server that was never backed up: %+v, %v", none, err)
	}
	made := time.Date(2026, 11, 23, 2, 14, 0, 0, time.UTC)
	good := func(l *LastBackup) { l.Tried, l.Made, l.File, l.Size = made, made, "/x.tar.gz", 1_234_567 }
	if err := record(dir, good); err != nil {
		t.Fatal(err)
	}
	later := made.Add(24 * time.Hour)
	if err := record(dir, func(l *LastBackup) { l.Tried, l.Error = later, "no space left" }); err != nil {
		t.Fatal(err)
	}
	got, err := readLast(dir)
	if want := (LastBackup{1, later, "no space left", made, "/x.tar.gz", 1_234_567, nil}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if info, err := os.Stat(filepath.Join(dir, lastBackupName)); err != nil || info.Mode() != 0o644 {
		t.Errorf("its file is %v, %v", info, err)
	}
	// A record that was damaged is an error to read, and none to write.
	if err := os.WriteFile(filepath.Join(dir, lastBackupName), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readLast(dir); err == nil || !strings.Contains(err.Error(), "hint: sudo gemini-manage backup   #") {
		t.Errorf("a damaged record gives %v", err)
	}
	if err := record(dir, good); err != nil {
		t.Fatal(err)
	}
	if got, err := readLast(dir); err != nil || !got.Made.Equal(made) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestLastBackup_words(t *testing.T) {
	made := time.Date(2026, 11, 23, 2, 14, 0, 0, time.UTC)
	good := LastBackup{Schema: 1, Tried: made, Made: made, File: "/x.tar.gz", Size: 1_234_567}
	failed := good
	failed.Tried, failed.Error = made.Add(24*time.Hour), "no space left"
	f := func(l LastBackup, after time.Duration, line, problem string) {
		t.Helper()
		now := made.Add(after)
		if got := l.Line(now); got != line {
			t.Errorf("line %q, want %q", got, line)
		}
		said := ""
		for _, p := range l.Problems(now) {
			said += p.What
		}
		if said != problem {
			t.Errorf("problem %q, want %q", said, problem)
		}
	}
	f(LastBackup{}, 0, "none yet", "")
	f(good, 59*time.Minute, "59 minutes ago, 1.2 MB in /x.tar.gz", "")
	f(good, 49*time.Hour, "2 days ago, 1.2 MB in /x.tar.gz", "")
	f(good, 51*time.Hour, "2 days ago, 1.2 MB in /x.tar.gz", "the last good one is of 2026-11-23 02:14 UTC (2 days ago)")
	f(failed, 25*time.Hour, "25 hours ago, 1.2 MB in /x.tar.gz",
		"the backup of 2026-11-24 02:14 UTC failed: no space left; the last good one is of 2026-11-23 02:14 UTC (25 hours ago)")
	f(LastBackup{Tried: made, Error: "no space left"}, 0, "none yet", "the backup of 2026-11-23 02:14 UTC failed: no space left; none has succeeded yet")
}
