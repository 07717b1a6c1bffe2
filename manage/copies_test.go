//go:build unix

package manage

import (
	"bytes"
	"errors"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/gemini-claude-adapter/gca/manage/offsite"
	"github.com/gemini-claude-adapter/gca/proxy/config"
)

func TestCopies(t *testing.T) {
	kept := s3mem.New()
	must(t, kept.CreateBucket("backups"))
	server := httptest.NewServer(gofakes3.New(kept).Server())
	t.Cleanup(server.Close)
	place := func(path string) *url.URL {
		u, err := url.Parse(strings.Replace(server.URL, "http:", "s3+http:", 1) + path + "?region=us-east-1")
		must(t, err)
		return u
	}
	good, nowhere := place("/backups/all"), place("/elsewhere")
	key := testKey(t)
	c := &copier{
		set:  config.Backups{To: []*url.URL{nowhere, good}, Recipients: key.Recipients(), S3Key: "id", S3Secret: config.NewSecret("s3cret")},
		host: "tokyo", keep: Retention{30 * 24 * time.Hour, 2},
	}
	c.access = accessOf(c.set)
	dir := t.TempDir()
	var told []int64
	c.progress = func(where string, sent, size int64) {
		if where == offsite.Name(good) {
			told = append(told, sent, size)
		}
	}
	// A neighbour's copies, old as they are, are the neighbour's to remove; so is what somebody else keeps there.
	others := []string{"all/gca-tokyo-2-20200101T000000Z.tar.gz.age", "all/notes.txt", "gca-tokyo-20200101T000000Z.tar.gz.age"}
	for _, name := range others {
		_, err := kept.PutObject("backups", name, nil, strings.NewReader("x"), 1, nil)
		must(t, err)
	}
	cut := "all/" + ArchiveName("tokyo", time.Now().AddDate(0, 0, -9)) + ".age.part" // as SFTP leaves it
	_, err := kept.PutObject("backups", cut, nil, strings.NewReader("x"), 1, nil)
	must(t, err)
	at, err := copiesAt(t.Context(), good, c.access)
	if err != nil || len(at) != 1 { // a neighbour's
		t.Errorf("there are %+v, %v", at, err)
	}
	var names []string
	for days := 3; days >= 0; days-- {
		c.file = filepath.Join(dir, ArchiveName("tokyo", time.Now().AddDate(0, 0, -days)))
		must(t, os.WriteFile(c.file, goodArchive(t), 0o600))
		names = append(names, filepath.Base(c.file)+SealedSuffix)
		outcomes, err := c.everywhere(t.Context())
		var partly *CopyError
		if !errors.As(err, &partly) || !strings.Contains(err.Error(), "make the bucket elsewhere") || strings.Contains(err.Error(), "s3cret") {
			t.Fatalf("a place that is not there gives %v", err)
		}
		if len(outcomes) != 2 || outcomes[0].Error == "" || !outcomes[0].Made.IsZero() || outcomes[1].Error != "" || outcomes[1].File != names[len(names)-1] {
			t.Errorf("got %+v", outcomes)
		}
	}
	if _, err := kept.HeadObject("backups", cut); err == nil {
		t.Error("what a copy that was cut short left is still there")
	}
	at, err = copiesAt(t.Context(), good, c.access)
	must(t, err)
	var there []string
	for _, one := range at {
		there = append(there, one.File)
	}
	if want := []string{names[3], names[2], "gca-tokyo-2-20200101T000000Z.tar.gz.age"}; !slices.Equal(there, want) || at[0].Place != offsite.Name(good) {
		t.Errorf("there are %q at %s", there, at[0].Place)
	}
	stored, err := kept.GetObject("backups", "all/"+names[3], nil)
	must(t, err)
	a, err := ReadArchive(stored.Contents, testVersion, key)
	if err != nil || !a.Sealed {
		t.Errorf("the copy is %+v, %v", a, err)
	}
	for _, name := range others {
		_, err := kept.HeadObject("backups", name)
		must(t, err)
	}
	if n := len(told); n == 0 || told[n-2] != told[n-1] {
		t.Errorf("progress was told as %v", told)
	}
	left, err := os.ReadDir(dir)
	must(t, err)
	if len(left) != 4 {
		t.Errorf("beside the archives lies %v", left)
	}
}

// Nothing leaves a server in the clear, whatever the settings forget.
func TestCopies_forNobody(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.tar.gz")
	must(t, os.WriteFile(file, goodArchive(t), 0o600))
	u := &url.URL{Scheme: "s3+http", Host: "127.0.0.1:1", Path: "/b"}
	c := &copier{set: config.Backups{To: []*url.URL{u}}, file: file}
	outcomes, err := c.everywhere(t.Context())
	if err == nil || !strings.Contains(err.Error(), "hint: gca config set HOST BACKUP_RECIPIENTS=age1") || len(outcomes) != 1 || outcomes[0].Error == "" {
		t.Errorf("got %+v, %v", outcomes, err)
	}
}

func TestLastBackup_copies(t *testing.T) {
	first := time.Date(2026, 11, 23, 2, 14, 0, 0, time.UTC)
	l := LastBackup{}
	l.copied([]CopyOutcome{{Place: "s3://a/b", Tried: first, Made: first, File: "x"}, {Place: "sftp://c/d", Tried: first, Made: first, File: "x"}})
	l.copied([]CopyOutcome{{Place: "s3://a/b", Tried: first.Add(time.Hour), Error: "s3://a/b: no"}})
	if len(l.Copies) != 1 || !l.Copies[0].Made.Equal(first) || l.Copies[0].File != "x" {
		t.Errorf("got %+v", l.Copies)
	}
	problems := l.Problems(first.Add(2 * time.Hour))
	if len(problems) != 1 || problems[0].What != "the backup of 2026-11-23 03:14 UTC was not copied to s3://a/b: no" {
		t.Errorf("got %+v", problems)
	}
	l.uncopied(first.Add(2*time.Hour), "the settings cannot be read")
	if problems := l.Problems(first.Add(2 * time.Hour)); len(problems) != 1 || !strings.Contains(problems[0].What, "04:14 UTC was not copied to s3://a/b: the settings") || !l.Copies[0].Made.Equal(first) {
		t.Errorf("got %+v", problems)
	}
}

func TestMeasureSealed(t *testing.T) {
	packed := sealed(t, goodArchive(t), testKey(t))
	if a, err := MeasureSealed(bytes.NewReader(packed)); err != nil || !a.Sealed || a.Size != int64(len(packed)) || len(a.SHA256) != 64 {
		t.Errorf("got %+v, %v", a, err)
	}
	for _, text := range [][]byte{nil, goodArchive(t), []byte(sealMagic[:5])} {
		if _, err := MeasureSealed(bytes.NewReader(text)); err == nil {
			t.Errorf("%.20q counts as encrypted", text)
		}
	}
}
