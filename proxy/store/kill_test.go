package store_test

import (
	"bufio"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/store"
)

// writerFile is set in a process that is this test's binary, and does nothing but write to that file.
const writerFile = "GCA_TEST_STORE_WRITER"

// TestMain lets the binary be a writer that is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv(writerFile); path != "" {
		if err := writeForever(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// writeForever names on standard output what was acknowledged.
func writeForever(path string) error {
	s := store.OpenSQLite(path, store.DefaultLimits(), slog.New(slog.NewTextHandler(os.Stderr, nil)))
	lines := make(chan int)
	failed := make(chan error)
	for g := range 4 {
		go func() {
			for i := g; ; i += 4 {
				if err := s.Put(front.Record{ClientID: fmt.Sprint("toolu_", i), Signature: "sig"}); err != nil {
					failed <- err
				}
				if err := s.AddUsage([]store.Usage{{Day: today(), Token: "ann", Requests: 1}}); err != nil {
					failed <- err
				}
				if err := s.KeepKeys([]keys.Record{state(fmt.Sprint("k", i), i)}); err != nil {
					failed <- err
				}
				lines <- i
			}
		}()
	}
	for {
		select {
		case i := <-lines:
			if _, err := fmt.Println(i); err != nil {
				return err
			}
		case err := <-failed:
			return err
		}
	}
}

// kill -9 in the middle of writing costs no state of a key that was acknowledged, with or without another process on the
// file.
func TestSQLite_kill(t *testing.T) {
	for _, beside := range []bool{false, true} {
		t.Run(fmt.Sprint("beside ", beside), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state.db")
			var other store.Store
			if beside {
				other, _ = open(t, path, store.DefaultLimits())
			}
			acknowledged := map[string]int{}
			for round := range 3 {
				killWriter(t, path, 40+round*17, acknowledged)
			}
			if beside {
				hasAll(t, other, acknowledged)
				must(t, other.KeepKeys([]keys.Record{state("mine", 1)}))
			}
			again, log := open(t, path, store.DefaultLimits())
			hasAll(t, again, acknowledged)
			if asideOf(t, path) != nil {
				t.Errorf("the file was damaged:\n%s", log)
			}
		})
	}
}

// killWriter kills a writer after so many acknowledgements.
func killWriter(t *testing.T, path string, after int, acknowledged map[string]int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), writerFile+"="+path)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		var i int
		if _, err := fmt.Sscan(lines.Text(), &i); err != nil {
			t.Errorf("the writer said %q", lines.Text())
		}
		acknowledged[fmt.Sprint("k", i)] = i
		if n == after {
			must(t, cmd.Process.Kill())
		}
	}
	if err := cmd.Wait(); err == nil || len(acknowledged) < after {
		t.Errorf("the writer ended with %v after %d", err, len(acknowledged))
	}
}

func hasAll(t *testing.T, s store.Store, want map[string]int) {
	t.Helper()
	records, _, err := s.KeysSince(0)
	must(t, err)
	for _, r := range records {
		if steps, ok := want[r.Owner]; ok && r.Steps == steps {
			delete(want, r.Owner)
		}
	}
	for owner := range want {
		t.Errorf("%s was acknowledged, and is not there", owner)
	}
	for _, r := range records {
		want[r.Owner] = r.Steps
	}
}
