package converge

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// newSmallMachine is a machine on a small disk of its own.
func newSmallMachine(t *testing.T) *machine {
	t.Helper()
	if err := lab.Check(); err != nil && os.Getenv("CI") != "true" {
		t.Skipf("a disk cannot be mounted: %v", err)
	}
	disk, err := os.MkdirTemp("", "gca")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=256m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(syscall.Unmount(disk, 0), os.Remove(disk)); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("TMPDIR", disk)
	m := newMachine(t)
	m.apart()
	return m
}

// fill leaves so many bytes of the disk, and returns what gives the rest back.
func (m *machine) fill(leave int64) (empty func()) {
	m.Helper()
	now, err := diskOf(m.sys.root)
	m.must(err)
	f, err := os.CreateTemp("", "fill")
	m.must(err)
	m.must(errors.Join(syscall.Fallocate(int(f.Fd()), 0, 0, now.free-leave), f.Close()))
	return func() { m.must(os.Remove(f.Name())) }
}

// A disk that is full from any step on keeps nothing from being put back.
func TestJournal_FullDisk(t *testing.T) {
	m := newSmallMachine(t)
	facts, err := collect(context.Background(), &m.sys.reader, m.want("AIzaSyNew"))
	m.must(err)
	p, err := Diff(facts, m.want("AIzaSyNew"), readTestSettings)
	m.must(err)
	before := m.tree()
	failed := 0
	for last := range p.steps {
		journal, err := begin(m.sys)
		m.must(err)
		r := &run{sys: m.sys}
		for _, step := range p.steps[:last] {
			m.must(carryOut(t.Context(), journal, step, r))
		}
		empty := m.fill(0)
		if err := carryOut(t.Context(), journal, p.steps[last], r); err != nil {
			failed++
			if told := failureOf(err); !strings.Contains(told.Hint, "df -h") {
				t.Errorf("%s: %+v", p.steps[last].id, told)
			}
		}
		m.must(journal.close())
		for _, err := range undo(t.Context(), newLike(m.sys)) {
			t.Error(err)
		}
		m.same(before, "a full disk at "+p.steps[last].id)
		empty()
	}
	if failed < len(p.steps)/2 {
		t.Errorf("%d of %d steps failed: was the disk full?", failed, len(p.steps))
	}
}

// Without room to go back nothing is begun.
func TestBegin_NoSpace(t *testing.T) {
	m := newSmallMachine(t)
	before := m.tree()
	empty := m.fill(5 << 20)
	_, err := begin(m.sys)
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok || refusal.Kind != RefusedSpace || refusal.Message != "no space: 16 MB needed, 5 MB free on /var" {
		t.Errorf("%v", err)
	}
	m.same(before, "no space for the journal")
	_, _, err = m.deploy("AIzaSyNew")
	if refusal, ok := errors.AsType[*Refusal](err); !ok || refusal.Kind != RefusedSpace || !strings.Contains(refusal.Message, "20 MB needed, 5 MB free on /") {
		t.Errorf("%v", err)
	}
	m.same(before, "no space for the deploy")
	empty()
	_, _, err = m.deploy("AIzaSyNew")
	m.must(err)
}
