package converge

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Who waits for a destroy, which removes the lock in its end, has the one that everybody else sees.
func TestTakeLock_removed(t *testing.T) {
	m := newMachine(t)
	m.must(os.MkdirAll(m.sys.at("/run"), 0o755))
	path := m.sys.at(LockFile)
	destroyed, err := takeLock(m.sys, time.Now(), "a destroy")
	m.must(err)
	type lock struct {
		release func() error
		err     error
	}
	waiting := make(chan lock, 1)
	go func() {
		release, err := takeLock(m.sys, time.Now(), "a deploy")
		waiting <- lock{release, err}
	}()
	for opened := 0; opened < 2; { // by the destroy, and by who waits
		opened = 0
		files, err := filepath.Glob("/proc/self/fd/*")
		m.must(err)
		for _, file := range files {
			if target, err := os.Readlink(file); err == nil && target == path {
				opened++
			}
		}
	}
	m.must(os.Remove(path))
	m.must(destroyed())
	one := <-waiting
	m.must(one.err)
	if release, err := takeLock(m.sys, time.Now(), "another deploy"); err == nil {
		t.Error("two have the lock")
		m.must(release())
	}
	m.must(one.release())
}
