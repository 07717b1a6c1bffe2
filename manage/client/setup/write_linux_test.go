package setup

import (
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A copy of before that cannot be written whole is not there at all: the next run would take half a file for the older one.
func TestApply_noHalfCopy(t *testing.T) {
	u := newUser(t)
	before := `{"theme": "` + strings.Repeat("dark", 100) + `"}`
	path := u.put(".claude/settings.json", before)
	changes, err := u.target("claude-code").Plan()
	if err != nil {
		t.Fatal(err)
	}
	fullDisk(t, 100, func() { err = Apply(changes) })
	if err == nil || !strings.Contains(err.Error(), "cannot keep a copy of") {
		t.Errorf("got %v", err)
	}
	names, err := os.ReadDir(filepath.Dir(path))
	if text, _ := u.file(".claude/settings.json"); err != nil || text != before || len(names) != 1 {
		t.Errorf("left %v, %v: %s", names, err, text)
	}
	u.apply(u.target("claude-code"))
	u.undo(u.target("claude-code"))
	if text, _ := u.file(".claude/settings.json"); text != before {
		t.Errorf("after the undo: %s", text)
	}
}

// fullDisk runs work while no file takes more than some bytes.
func fullDisk(t *testing.T, bytes uint64, work func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	work()
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
}
