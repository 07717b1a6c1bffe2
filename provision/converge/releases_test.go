package converge

import (
	"os"
	"testing"
	"time"
)

func TestReleases(t *testing.T) {
	m := newMachine(t)
	m.must(os.RemoveAll(m.sys.at(releasesDir)))
	if list, err := m.sys.releases(); err != nil || len(list) > 0 {
		t.Errorf("of nothing: %+v, %v", list, err)
	}
	release := func(name string, binary bool, in ...time.Time) {
		m.must(os.MkdirAll(m.sys.at(releasesDir+"/"+name), 0o755))
		if binary {
			m.put(releasesDir+"/"+name+"/gca", "x")
		}
		for _, at := range in {
			m.must(os.MkdirAll(m.sys.at(journalDir+"/"+sealedName(name, at)), 0o700))
		}
	}
	release("1.0.0-aaaaaaaaaaaa", true, testTime, testTime.Add(3*time.Hour))
	release("1.1.0-bbbbbbbbbbbb", true, testTime.Add(time.Hour))
	release("1.2.0-cccccccccccc", true, testTime.Add(2*time.Hour))
	release("1.3.0-dddddddddddd", false) // it is on its way
	release("1.4.0-eeeeeeeeeeee", true)
	m.must(m.sys.writeLink(currentLink, "releases/1.2.0-cccccccccccc"))
	list, err := m.sys.releases()
	m.must(err)
	want := []Release{
		{"1.2.0-cccccccccccc", true, testTime.Add(2 * time.Hour), releasesDir + "/1.2.0-cccccccccccc/gca"},
		{"1.0.0-aaaaaaaaaaaa", false, testTime.Add(3 * time.Hour), releasesDir + "/1.0.0-aaaaaaaaaaaa/gca"},
		{"1.1.0-bbbbbbbbbbbb", false, testTime.Add(time.Hour), releasesDir + "/1.1.0-bbbbbbbbbbbb/gca"},
		{"1.4.0-eeeeeeeeeeee", false, time.Time{}, releasesDir + "/1.4.0-eeeeeeeeeeee/gca"},
	}
	if len(list) != len(want) {
		t.Fatalf("%+v", list)
	}
	for i := range want {
		if list[i] != want[i] {
			t.Errorf("%d: %+v, want %+v", i, list[i], want[i])
		}
	}
}
