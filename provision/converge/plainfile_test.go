//go:build unix

package converge

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// Whatever the service puts into its folder, root neither waits for it nor copies what is not the service's.
func TestOpenPlain(t *testing.T) {
	m := newMachine(t)
	m.must(os.Mkdir(m.sys.at(stateDir), 0o700))
	const path = stateDir + "/state.db"
	file, secret := m.sys.at(path), m.sys.at("/etc/shadow")
	m.put("/etc/shadow", "root:secret")
	was, err := m.sys.look("/etc/shadow")
	m.must(err)
	f := func(name string, plant func() error) {
		t.Run(name, func(t *testing.T) {
			m.must(errors.Join(ignoreMissing(os.Remove(file)), plant()))
			if opened, err := m.sys.openPlain(path); !errors.Is(err, errNotPlain) {
				t.Errorf("opened %v, %v", opened, err)
			}
			sums, err := collectState(&m.sys.reader)
			if sum, there := sums["state.db"]; err != nil || !there || sum != "" {
				t.Errorf("sums %q, %v", sums, err)
			}
			j, err := openJournal(m.sys)
			m.must(err)
			err = j.intent("state:"+stateDir, reversal{Undo: []action{{Op: opPath, Path: path, Was: &was}}})
			if !errors.Is(err, errNotPlain) {
				t.Errorf("journal: %v", err)
			}
			left, err := os.ReadDir(m.sys.at(openDir))
			if err != nil || slices.ContainsFunc(left, func(e fs.DirEntry) bool { return strings.HasSuffix(e.Name(), ".old") }) {
				t.Errorf("the journal holds %v, %v", left, err)
			}
			m.must(errors.Join(errors.Join(undo(context.Background(), m.sys)...), j.close()))
		})
	}
	f("pipe", func() error { return syscall.Mkfifo(file, 0o600) })
	f("link", func() error { return os.Symlink(secret, file) })
	f("link in the folder", func() error {
		return errors.Join(os.WriteFile(file+"-wal", nil, 0o600), os.Symlink("state.db-wal", file))
	})
	f("second name", func() error { return os.Link(secret, file) })

	m.must(os.Remove(file))
	m.put(path, "mine")
	opened, err := m.sys.openPlain(path)
	m.must(err)
	text, err := io.ReadAll(opened)
	if err := errors.Join(err, opened.Close()); err != nil || string(text) != "mine" {
		t.Errorf("%q, %v", text, err)
	}
	m.must(os.Remove(secret))
	m.must(os.Link(m.sys.at("/etc/passwd"), secret))
	if opened, err = m.sys.openPlain("/etc/shadow"); err != nil {
		t.Errorf("a second name in root's own folder: %v", err)
	} else {
		m.must(opened.Close())
	}
}

// What is written there takes the place of a link, and leaves alone what it pointed to.
func TestWriteFile_OverLink(t *testing.T) {
	m := newMachine(t)
	m.must(os.Mkdir(m.sys.at(stateDir), 0o700))
	m.put("/etc/shadow", "root:secret")
	m.must(os.Symlink(m.sys.at("/etc/shadow"), m.sys.at(stateDir+"/state.db")))
	m.must(m.sys.writeFile(stateDir+"/state.db", []byte("db"), 0o600, owner{os.Geteuid(), os.Getegid()}))
	secret, err := m.sys.readText("/etc/shadow")
	m.must(err)
	st, err := m.sys.state(stateDir + "/state.db")
	if err != nil || secret != "root:secret" || st.Kind != PathFile || string(st.Content) != "db" {
		t.Errorf("%q, %+v, %v", secret, st, err)
	}
}
