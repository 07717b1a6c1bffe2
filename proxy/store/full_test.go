package store

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// A full disk, which SQLite reports in the same words as its own limit of pages.
func TestSQLite_full(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	var log bytes.Buffer
	s := OpenSQLite(path, DefaultLimits(), slog.New(slog.NewTextHandler(&log, nil)))
	// limit takes the place of a batch, so that the writer's connection is this test's for a moment.
	limit := func(pages int) {
		t.Helper()
		s.commit.Lock()
		defer s.commit.Unlock()
		if _, err := s.file.Load().conn.ExecContext(context.Background(), fmt.Sprint("PRAGMA max_page_count = ", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // SQLite makes it the number of pages there are
	big := front.Record{ClientID: "toolu_1", Signature: strings.Repeat("x", 100_000)}
	if err := s.Put(big); err != nil {
		t.Error(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	var err error
	for err == nil && time.Now().Before(deadline) {
		err = s.KeepKeys([]keys.Record{{Owner: "k", Name: "state", Steps: 1}})
	}
	if err == nil || !strings.Contains(err.Error(), "full") || !strings.Contains(err.Error(), "hint: look for space and permissions: df -h "+filepath.Dir(path)) {
		t.Errorf("KeepKeys said %v", err)
	}
	for i := range 3 {
		if err := s.KeepKeys([]keys.Record{{Owner: "k", Name: "state", Steps: i}}); err == nil {
			t.Error("a full disk is none")
		}
	}
	if err := s.AddUsage([]Usage{{Day: "2099-01-01", Token: "ann", Requests: 2}}); err != nil {
		t.Error(err)
	}
	if rows, err := s.Usage("2099-01-01", "2099-01-01"); err != nil || len(rows) != 1 || rows[0].Requests != 2 {
		t.Errorf("usage is %v, %v", rows, err)
	}
	if r, ok, err := s.Get("toolu_1"); r != big || !ok || err != nil {
		t.Errorf("the signature is there: %v, %v", ok, err)
	}

	limit(1_000_000)
	for time.Now().Before(deadline) && s.KeepKeys([]keys.Record{{Owner: "l", Name: "state"}}) != nil {
		time.Sleep(5 * time.Millisecond)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "in memory alone"); n != 1 || strings.Count(log.String(), "on disk again") != 1 {
		t.Errorf("the log has\n%s", &log)
	}
	again := OpenSQLite(path, DefaultLimits(), slog.New(slog.DiscardHandler))
	records, _, err := again.KeysSince(0)
	if err != nil || len(records) != 2 {
		t.Errorf("the keys are %v, %v", records, err)
	}
	if r, ok, err := again.Get("toolu_1"); r != big || !ok || err != nil {
		t.Errorf("the signature is there: %v, %v", ok, err)
	}
	if rows, err := again.Usage("2099-01-01", "2099-01-01"); err != nil || len(rows) != 1 || rows[0].Requests != 2 {
		t.Errorf("usage is %v, %v", rows, err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
