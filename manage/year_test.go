//go:build unix

package manage

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/store"
)

// yearOfUsage is a state with the usage of a year: each day ten keys serve five tokens with four models. Lines beyond the first
// that a day's row takes are sums, so the number of requests costs nothing.
func yearOfUsage(tb testing.TB, path string) {
	tb.Helper()
	s := store.OpenSQLite(path, store.DefaultLimits(), slog.New(slog.DiscardHandler))
	first := time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC)
	for day := range 365 {
		var rows []store.Usage
		for i := range 10 * 5 * 4 {
			rows = append(rows, store.Usage{
				Day: first.AddDate(0, 0, day).Format(time.DateOnly), Key: fmt.Sprintf("%08x", 1+i%10), Token: fmt.Sprintf("person-%d", i/10%5),
				Model: fmt.Sprintf("gemini-%d-flash-preview", i/50), Requests: int64(100 + day*i%97), Prompt: int64(1_000_000 + day*7919*i%999_983),
				Cached: int64(day * 104_729 * i % 999_979), Output: int64(20_000 + day*i%19_997), Thoughts: int64(day * i % 9973), CostMicro: int64(day * 15_485_863 * i % 999_961),
			})
		}
		if err := s.AddUsage(rows); err != nil {
			tb.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
}

// A backup and a restore's reading of a year's usage, encryption and all. The aim is 5 s and 20 MB.
func BenchmarkYear(b *testing.B) {
	root := b.TempDir()
	for name, text := range map[string]string{envPath: "PORT=8000\n", keysPath: "good-key-one-1111\n"} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	state := filepath.Join(root, statePrefix, "state.db")
	if err := os.MkdirAll(filepath.Dir(state), 0o700); err != nil {
		b.Fatal(err)
	}
	yearOfUsage(b, state)
	info, err := os.Stat(state)
	if err != nil {
		b.Fatal(err)
	}
	key := testKey(b)
	to, err := ParseRecipients(key.Recipients())
	if err != nil {
		b.Fatal(err)
	}
	var size int64
	for b.Loop() {
		m := goodManifest()
		m.Files = nil
		made, err := gather(b.Context(), root, b.TempDir(), m, BackupOptions{})
		if err != nil {
			b.Fatal(err)
		}
		var out bytes.Buffer
		if err := made.WriteSealed(&out, to); err != nil {
			b.Fatal(err)
		}
		a, err := ReadArchive(&out, testVersion, key)
		if err != nil {
			b.Fatal(err)
		}
		size = a.Size
		if err := made.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(info.Size())/1e6, "MB-state")
	b.ReportMetric(float64(size)/1e6, "MB-archive")
}
