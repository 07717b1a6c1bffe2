package converge

import (
	"os"
	"testing"
)

func TestAddSwapLine(t *testing.T) {
	m := newMachine(t)
	f := func(text string) PathState {
		t.Helper()
		m.must(m.sys.addSwapLine(text))
		st, err := m.sys.state(fstab)
		if err != nil || string(st.Content) != text+fstabLine {
			t.Errorf("%q, %v", st.Content, err)
		}
		return st
	}
	if st := f(""); st.Mode != 0o644 {
		t.Errorf("a new one has mode %o", st.Mode)
	}
	m.must(os.Chmod(m.sys.at(fstab), 0o660))
	before, err := m.sys.look(fstab)
	m.must(err)
	if st := f("UUID=1 / ext4 defaults 0 1\n"); st.Mode != before.Mode || st.UID != before.UID || st.GID != before.GID {
		t.Errorf("%+v, before %+v", st, before)
	}
}
