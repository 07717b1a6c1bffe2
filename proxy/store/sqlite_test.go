package store_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/store"
	"github.com/gemini-claude-adapter/gca/proxy/store/storetest"
)

// logged is a log that many write and one reads.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func open(t testing.TB, path string, limits store.Limits) (*store.SQLite, *logged) {
	t.Helper()
	log := &logged{}
	s := store.OpenSQLite(path, limits, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Log(err)
		}
		t.Log(log)
	})
	return s, log
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSQLite(t *testing.T) {
	paths := map[store.Store]string{}
	again := func(t testing.TB, path string) *store.SQLite {
		s, log := open(t, path, store.DefaultLimits())
		t.Cleanup(func() {
			if strings.Contains(log.String(), "level=ERROR") {
				t.Errorf("the log has errors:\n%s", log)
			}
		})
		return s
	}
	storetest.Run(t, storetest.Kind{
		Open: func(t testing.TB) store.Store {
			path := filepath.Join(t.TempDir(), "state ? #%25.db")
			s := again(t, path)
			paths[s] = path
			return s
		},
		Again: func(t testing.TB, s store.Store) store.Store { return again(t, paths[s]) },
	})
}

// state is a record of a key.
func state(owner string, steps int) keys.Record {
	return keys.Record{Owner: owner, Model: "m", Name: "state", Reason: "quota", Steps: steps}
}

// hasKeys wants records of just these owners.
func hasKeys(t *testing.T, s store.Store, owners ...string) {
	t.Helper()
	records, _, err := s.KeysSince(0)
	var got []string
	for _, r := range records {
		got = append(got, r.Owner)
	}
	if err != nil || strings.Join(got, " ") != strings.Join(owners, " ") {
		t.Errorf("the keys are %q, %v; want %q", got, err, owners)
	}
}

func today() string { return time.Now().UTC().Format(time.DateOnly) }

// filled makes a file with a key, a row and some signatures, whose texts begin with SIGNATURE.
func filled(t *testing.T, path string) {
	t.Helper()
	s, _ := open(t, path, store.DefaultLimits())
	for i := range 200 {
		must(t, s.Put(front.Record{ClientID: fmt.Sprint("toolu_", i), Signature: "SIGNATURE" + strings.Repeat("x", 2000)}))
	}
	must(t, s.AddUsage([]store.Usage{{Day: today(), Token: "ann", Requests: 3}}))
	must(t, s.KeepKeys([]keys.Record{state("k", 1)}))
	must(t, s.Close())
}

func asideOf(t *testing.T, path string) []string {
	t.Helper()
	found, err := filepath.Glob(path + ".damaged-*Z")
	must(t, err)
	return found
}

// A file that is no database is renamed. The adapter works, and the next start finds a good one.
func TestSQLite_noDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	must(t, os.WriteFile(path, bytes.Repeat([]byte("no database\n"), 1000), 0o600))
	must(t, os.WriteFile(path+".damaged-20250101T000000Z", nil, 0o600))
	s, log := open(t, path, store.DefaultLimits())
	must(t, s.KeepKeys([]keys.Record{state("k", 1)}))
	must(t, s.Close())
	aside := asideOf(t, path)
	if len(aside) != 1 || !strings.Contains(log.String(), "renamed="+aside[0]) {
		t.Fatalf("renamed are %q, and the log has\n%s", aside, log)
	}
	if text, err := os.ReadFile(aside[0]); err != nil || !bytes.HasPrefix(text, []byte("no database")) {
		t.Errorf("the renamed file has %.20q, %v", text, err)
	}
	again, _ := open(t, path, store.DefaultLimits())
	hasKeys(t, again, "k")
}

// damage overwrites every page that has a signature.
func damage(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	for at := 0; at < len(text); at += 4096 {
		if page := text[at : at+4096]; bytes.Contains(page, []byte("SIGNATURE")) {
			copy(page, bytes.Repeat([]byte("damage!!"), 512))
		}
	}
	must(t, os.WriteFile(path, text, 0o600))
}

// Damage that shows only when a page is read costs the signatures, not the states of keys and the figures.
func TestSQLite_damagedPages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	filled(t, path)
	damage(t, path)
	s, log := open(t, path, store.DefaultLimits())
	hasKeys(t, s, "k")
	before := s.Revision()
	if r, ok, err := s.Get("toolu_7"); ok || err == nil {
		t.Errorf("a damaged record is %v, %v, %v", r, ok, err)
	}
	storetest.Until(t, "a new file", func() bool { return s.Revision() > before })
	if r, ok, err := s.Get("toolu_7"); ok || err != nil {
		t.Errorf("a lost record is %v, %v, %v", r, ok, err)
	}
	must(t, s.KeepKeys([]keys.Record{state("l", 1)}))
	must(t, s.Close())
	if len(asideOf(t, path)) != 1 || !strings.Contains(log.String(), "key_states=1 usage_rows=1") {
		t.Errorf("renamed are %q, and the log has\n%s", asideOf(t, path), log)
	}
	again, _ := open(t, path, store.DefaultLimits())
	hasKeys(t, again, "k", "l")
	if rows, err := again.Usage(today(), today()); err != nil || len(rows) != 1 || rows[0].Requests != 3 {
		t.Errorf("usage is %v, %v", rows, err)
	}
}

// Two processes that have the same damaged file do not end with one file each.
func TestSQLite_damagedForTwo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	filled(t, path)
	damage(t, path)
	a, _ := open(t, path, store.DefaultLimits())
	b, _ := open(t, path, store.DefaultLimits())
	before := b.Revision()
	if _, _, err := a.Get("toolu_7"); err == nil {
		t.Error("a damaged record is none")
	}
	storetest.Until(t, "both have the new file", func() bool {
		must(t, a.KeepKeys([]keys.Record{state("a", 1)}))
		records, _, err := b.KeysSince(0)
		return b.Revision() > before && err == nil && len(records) == 2
	})
	if len(asideOf(t, path)) != 1 {
		t.Errorf("renamed are %q", asideOf(t, path))
	}
}

// Somebody else's database is left as it is, and the adapter works without.
func TestSQLite_foreign(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contacts.db")
	db, err := sql.Open("sqlite", path)
	must(t, err)
	_, err = db.Exec("CREATE TABLE people (name TEXT); INSERT INTO people VALUES ('ann')")
	must(t, err)
	must(t, db.Close())
	before, err := os.ReadFile(path)
	must(t, err)
	s, log := open(t, path, store.DefaultLimits())
	worksInMemory(t, s)
	if err := s.KeepKeys([]keys.Record{state("k", 1)}); err == nil || !strings.Contains(err.Error(), "another program\nhint: give the adapter a file of its own") {
		t.Errorf("KeepKeys said %v", err)
	}
	if err := s.Close(); err == nil {
		t.Error("Close lost what it had without a word")
	}
	after, err := os.ReadFile(path)
	if left, _ := filepath.Glob(path + "?*"); err != nil || !bytes.Equal(before, after) || len(left) > 0 {
		t.Errorf("it was changed, or there are %q, %v", left, err)
	}
	if n := strings.Count(log.String(), "in memory alone"); n != 1 {
		t.Errorf("%d lines of:\n%s", n, log)
	}
}

func worksInMemory(t *testing.T, s store.Store) {
	t.Helper()
	want := front.Record{ClientID: "toolu_1", Signature: "sig"}
	must(t, s.Put(want))
	if r, ok, err := s.Get("toolu_1"); r != want || !ok || err != nil {
		t.Errorf("got %v, %v, %v", r, ok, err)
	}
	must(t, s.AddUsage([]store.Usage{{Day: today(), Token: "bob", Requests: 1}}))
	rows, err := s.Usage(today(), today())
	if err != nil || len(rows) == 0 || rows[len(rows)-1].Token != "bob" {
		t.Errorf("usage is %v, %v", rows, err)
	}
}

// Where no file can be made everything goes on, and what waited is written when one can.
func TestSQLite_noFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	path := filepath.Join(dir, "state.db")
	s, log := open(t, path, store.DefaultLimits())
	worksInMemory(t, s)
	if err := s.KeepKeys([]keys.Record{state("k", 1)}); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "hint: look for space") {
		t.Errorf("KeepKeys said %v", err)
	}
	before := s.Revision()
	must(t, os.Mkdir(dir, 0o700))
	storetest.Until(t, "the file", func() bool { return s.Revision() > before && strings.Contains(log.String(), "on disk again") })
	must(t, s.KeepKeys([]keys.Record{state("l", 1)}))
	must(t, s.Close())
	again, _ := open(t, path, store.DefaultLimits())
	hasKeys(t, again, "k", "l")
	worksInMemory(t, again)
}

// A file that somebody removes is made anew, with what was in it.
func TestSQLite_removed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	filled(t, path)
	s, _ := open(t, path, store.DefaultLimits())
	before := s.Revision()
	must(t, os.Remove(path))
	storetest.Until(t, "a new file", func() bool { return s.Revision() > before })
	must(t, s.KeepKeys([]keys.Record{state("l", 1)}))
	must(t, s.Close())
	again, _ := open(t, path, store.DefaultLimits())
	hasKeys(t, again, "k", "l")
}

func TestSQLite_isForItsOwnerAlone(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, filepath.Join(dir, "state.db"), store.DefaultLimits())
	must(t, s.KeepKeys([]keys.Record{state("k", 1)}))
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, entry := range entries {
		if info, err := entry.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s has mode %v, %v", entry.Name(), info.Mode(), err)
		}
	}
	if len(entries) < 3 {
		t.Errorf("there is no write-ahead log among %v", entries)
	}
}

// Models have names that clients invent: their rests do not stay for good, and one record that cannot be read hides no others.
func TestSQLite_restsOfLongAgo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s, _ := open(t, path, store.DefaultLimits())
	now := time.Now()
	records := []keys.Record{
		{Owner: "k", Model: "invented", Name: "quota", Reason: "no_model", Until: now.Add(-8 * 24 * time.Hour)},
		{Owner: "k", Model: "elsewhere", Name: "quota", Until: now.Add(-8 * 24 * time.Hour).In(time.FixedZone("", 8*3600))},
		{Owner: "k", Model: "lately", Name: "quota", Until: now.Add(-6 * 24 * time.Hour)},
		{Owner: "k", Model: "odd", Name: "quota"},
		{Owner: "k", Name: "state", Reason: "invalid"},
	}
	if err := errors.Join(s.KeepKeys(records[:4]), s.KeepKeys(records[4:]), s.Close()); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err == nil {
		_, err = db.Exec("UPDATE keys SET value = '{' WHERE model = 'odd'")
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	s, _ = open(t, path, store.DefaultLimits()) // which prunes at its end
	if err := errors.Join(s.Put(front.Record{ClientID: "x"}), s.Close()); err != nil {
		t.Fatal(err)
	}
	s, _ = open(t, path, store.DefaultLimits())
	left, _, err := s.KeysSince(0)
	var models []string
	for _, r := range left {
		models = append(models, r.Model+"/"+r.Name)
	}
	if slices.Sort(models); err != nil || !slices.Equal(models, []string{"/state", "lately/quota"}) {
		t.Errorf("%q are left, %v", models, err)
	}
}

// What limits do not let stay is gone from the file after the next start at the latest.
func TestSQLite_limits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s, _ := open(t, path, store.DefaultLimits())
	day := func(ago int) string { return time.Now().UTC().AddDate(0, 0, -ago).Format(time.DateOnly) }
	for i := range 50 {
		must(t, s.Put(front.Record{ClientID: fmt.Sprint("toolu_", i), Signature: strings.Repeat("x", 1000)}))
		must(t, s.AddUsage([]store.Usage{{Day: day(i), Token: "ann", Requests: 1}}))
	}
	must(t, s.Close())
	f := func(limits store.Limits, signatures, rows int) {
		t.Helper()
		s, _ := open(t, path, limits)
		kept := 0
		for i := range 50 {
			_, ok, err := s.Get(fmt.Sprint("toolu_", i))
			must(t, err)
			if ok {
				kept++
			}
			if ok != (i >= 50-signatures) {
				t.Errorf("toolu_%d is there: %v", i, ok)
			}
		}
		all, err := s.Usage("", "~")
		if err != nil || len(all) != rows || len(all) > 0 && all[len(all)-1].Day != day(0) {
			t.Errorf("usage is %v, %v", all, err)
		}
		must(t, s.Close())
	}
	limits := store.DefaultLimits()
	f(limits, 50, 50)
	limits.Entries, limits.Days = 40, 44
	f(limits, 40, 45)
	limits.Bytes, limits.Rows = 30*1020, 30
	f(limits, 30, 30)
	limits.Age = time.Nanosecond
	f(limits, 0, 30)
}

// After a way back to an older release, and during a handover to a newer one, a file of the newer one goes on.
func TestSQLite_newerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	filled(t, path)
	db, err := sql.Open("sqlite", path)
	must(t, err)
	_, err = db.Exec("PRAGMA user_version = 99; CREATE TABLE news (x TEXT)")
	must(t, err)
	must(t, db.Close())
	s, _ := open(t, path, store.DefaultLimits())
	hasKeys(t, s, "k")
	must(t, s.KeepKeys([]keys.Record{state("k", 2)}))
}

func benchRecord(i int) front.Record {
	return front.Record{ClientID: fmt.Sprint("toolu_", i), Name: "Read", Signature: strings.Repeat("s", 1200), Model: "gemini-3.8-flash"}
}

func BenchmarkSQLite(b *testing.B) {
	s, _ := open(b, filepath.Join(b.TempDir(), "state.db"), store.DefaultLimits())
	r := benchRecord(0)
	b.Run("Put", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must(b, s.Put(r))
		}
	})
	b.Run("Get from memory", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok, err := s.Get(r.ClientID); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
	b.Run("Get what nobody has", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok, err := s.Get("toolu_none"); ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
	b.Run("KeepKeys", func(b *testing.B) {
		b.ReportAllocs()
		record := []keys.Record{state("k", 1)}
		for b.Loop() {
			must(b, s.KeepKeys(record))
		}
	})
}
