package converge

import (
	"errors"
	"os"
	"slices"
	"testing"
)

// What the adapter cannot save its state in is found, and given to the service: neither through a link, nor what has other names.
func TestGiveState(t *testing.T) {
	m := newMachine(t)
	m.must(os.MkdirAll(m.sys.at(stateDir), 0o700))
	m.must(os.MkdirAll(m.sys.at("/etc"), 0o755))
	me := Owner{os.Geteuid(), os.Getegid()}
	f := func(owner Owner, want ...string) {
		t.Helper()
		if got, err := foreignState(&m.sys.reader, owner); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	const db, wal = stateDir + "/state.db", stateDir + "/state.db-wal"
	for _, path := range []string{db, wal, stateDir + "/notes.txt", db + ".damaged-20261101T000000Z", "/etc/secret"} {
		m.put(path, "")
		m.must(os.Chmod(m.sys.at(path), 0o600))
	}
	m.must(os.Symlink(m.sys.at("/etc/secret"), m.sys.at(stateDir+"/link.db")))
	f(me)
	f(Owner{me.UID + 1, me.GID + 1}, db, wal)
	m.must(os.Chmod(m.sys.at(wal), 0o400))
	m.must(os.Chmod(m.sys.at("/etc/secret"), 0o400))
	f(me, wal)
	found, err := m.agent().diagnose(t.Context(), &m.sys.reader, m.want(""))
	m.must(err)
	if !slices.ContainsFunc(found, func(f Finding) bool { return f.ID == "state-file" && f.Fix[0] == OwnState }) {
		t.Errorf("nobody says that %s cannot be written: %+v", wal, found)
	}
	m.must(giveState(&m.sys.reader))
	f(me)
	m.must(os.Link(m.sys.at("/etc/secret"), m.sys.at(stateDir+"/other.db")))
	if err := giveState(&m.sys.reader); !errors.Is(err, errNotPlain) {
		t.Errorf("a second name of a file elsewhere: %v", err)
	}
	info, err := os.Stat(m.sys.at("/etc/secret"))
	if m.must(err); info.Mode() != 0o400 {
		t.Errorf("the mode of a file elsewhere is %o", info.Mode())
	}
	m.must(os.Remove(m.sys.at(stateDir + "/other.db")))
	if me.UID != 0 {
		return // the rest takes root
	}
	m.must(os.Chown(m.sys.at(db), 54321, 54321))
	f(me, db)
	m.must(giveState(&m.sys.reader))
	f(me)
}
