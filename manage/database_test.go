//go:build unix

package manage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/store"
)

func openStore(t *testing.T, path string) *store.SQLite {
	t.Helper()
	return store.OpenSQLite(path, store.DefaultLimits(), slog.New(slog.NewTextHandler(t.Output(), nil)))
}

// restored is what a backup of root has as the state, in a file of its own.
func restored(t *testing.T, root string) string {
	t.Helper()
	b, err := gathered(t, root)
	must(t, err)
	for _, f := range b.Manifest.Files {
		if companion(f.Path) {
			t.Errorf("the backup holds %s", f.Path)
		}
	}
	if len(b.LeftOut) > 0 {
		t.Errorf("left out are %q", b.LeftOut)
	}
	var packed bytes.Buffer
	must(t, b.Write(&packed))
	must(t, b.Close())
	a, err := ReadArchive(&packed, testVersion, nil)
	must(t, err)
	text, ok := a.File(statePrefix + "state.db")
	if !ok {
		t.Fatal("the backup has no state")
	}
	path := filepath.Join(t.TempDir(), "state.db")
	must(t, os.WriteFile(path, text, 0o600))
	return path
}

// A backup is made while the adapter writes, and has everything that was acknowledged before it began. Nothing is left in the
// service's folder.
func TestDatabase_backupUnderWrites(t *testing.T) {
	root := serverAt(t, map[string]string{envPath: "PORT=8000\n", statePrefix + "state.db.damaged-20260101T000000Z": "x"})
	folder := filepath.Join(root, statePrefix)
	s := openStore(t, filepath.Join(folder, "state.db"))
	day := time.Now().UTC().Format(time.DateOnly)
	var acknowledged atomic.Int64
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			err := s.Put(front.Record{ClientID: fmt.Sprint("toolu_", i), Signature: strings.Repeat("s", 5000)})
			if err == nil {
				err = s.AddUsage([]store.Usage{{Day: day, Token: "ann", Requests: 1}})
			}
			if err == nil {
				err = s.KeepKeys([]keys.Record{{Owner: fmt.Sprint("k", i%50), Name: "state", Steps: i}})
			}
			if err != nil {
				ended <- err
				return
			}
			acknowledged.Store(int64(i))
			time.Sleep(2 * time.Millisecond) // a hundred times what a busy adapter writes, and not whatever the disk takes
		}
	}()
	for want := int64(100); want <= 500; want += 200 {
		for acknowledged.Load() < want {
			time.Sleep(time.Millisecond)
		}
		before := acknowledged.Load()
		r := openStore(t, restored(t, root))
		records, _, err := r.KeysSince(0)
		highest := 0
		for _, k := range records {
			highest = max(highest, k.Steps)
		}
		if err != nil || len(records) != 50 || int64(highest) < before {
			t.Errorf("%d keys, the last of %d, %v; want at least that of %d", len(records), highest, err, before)
		}
		for i := range before {
			if _, ok, err := r.Get(fmt.Sprint("toolu_", i)); !ok || err != nil {
				t.Fatalf("toolu_%d: %v, %v", i, ok, err)
			}
		}
		if rows, err := r.Usage(day, day); err != nil || len(rows) != 1 || rows[0].Requests < before {
			t.Errorf("usage is %v, %v", rows, err)
		}
		must(t, r.Close())
	}
	close(stop)
	must(t, <-ended)
	must(t, s.Close())
	if left, err := filepath.Glob(folder + "/*"); err != nil || len(left) != 2 {
		t.Errorf("the folder has %q, %v", left, err)
	}
}

// After kill -9 the log holds what the database does not.
func TestDatabase_logLeftBehind(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, filepath.Join(dir, "state.db"))
	for i := range 30 {
		must(t, s.KeepKeys([]keys.Record{{Owner: fmt.Sprint("k", i), Name: "state"}}))
	}
	database, err := os.ReadFile(filepath.Join(dir, "state.db"))
	must(t, err)
	log, err := os.ReadFile(filepath.Join(dir, "state.db-wal"))
	must(t, err)
	must(t, s.Close())
	f := func(log []byte, want int) {
		t.Helper()
		root := serverAt(t, map[string]string{envPath: "PORT=8000\n", statePrefix + "state.db": string(database), statePrefix + "state.db-wal": string(log)})
		r := openStore(t, restored(t, root))
		records, _, err := r.KeysSince(0)
		if err != nil || len(records) != want {
			t.Errorf("%d keys, %v; want %d", len(records), err, want)
		}
		must(t, r.Close())
	}
	page := int(binary.BigEndian.Uint32(log[8:])) + frameHeader
	last := log[len(log)-page:]
	f(log, 30)
	f(append(bytes.Clone(log), log[logHeader:logHeader+page]...), 30) // frames of an earlier round
	f(append(bytes.Clone(log), last[:page/2]...), 30)                 // a write that was cut short
	torn := bytes.Clone(log)
	torn[len(torn)-1] ^= 1
	f(torn, 29)
	f(log[:len(log)-1], 29)
}

// What a log may not be is no log: the database stays as it is.
func TestReplay_nothing(t *testing.T) {
	for _, log := range []string{"", "short", strings.Repeat("\x00", 5000), "\x37\x7f\x06\x82" + strings.Repeat("\x01", 5000)} {
		db, err := nameless(t.TempDir())
		must(t, err)
		_, err = db.WriteString("content")
		must(t, err)
		must(t, replay(db, strings.NewReader(log)))
		if info, err := db.Stat(); err != nil || info.Size() != 7 {
			t.Errorf("%.10q left %v, %v", log, info.Size(), err)
		}
		must(t, db.Close())
	}
}

func FuzzReplay(f *testing.F) {
	f.Add([]byte("\x37\x7f\x06\x82\x00\x2d\xe2\x18\x00\x00\x10\x00" + strings.Repeat("\x00", 5000)))
	f.Fuzz(func(t *testing.T, log []byte) {
		db, err := nameless(t.TempDir())
		must(t, err)
		if err := replay(db, bytes.NewReader(log)); err != nil {
			t.Log(err)
		}
		if info, err := db.Stat(); err != nil || info.Size() > maxState {
			t.Errorf("the database has %d bytes, %v", info.Size(), err)
		}
		must(t, db.Close())
	})
}
