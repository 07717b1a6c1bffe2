package converge

import (
	"os"
	"slices"
	"testing"
)

func TestPrune(t *testing.T) {
	m := newMachine(t)
	for i, release := range []string{"1-aaaaaaaaaaaa", "2-bbbbbbbbbbbb", "3-cccccccccccc", "1-aaaaaaaaaaaa", "4-dddddddddddd"} {
		m.must(os.MkdirAll(m.sys.at(releasesDir+"/"+release), 0o755))
		m.must(os.MkdirAll(m.sys.at(journalDir+"/"+sealedName(release, testTime.AddDate(0, 0, i))), 0o700))
	}
	m.must(os.MkdirAll(m.sys.at(releasesDir+"/9-never-current"), 0o755))
	if notes := prune(m.sys, "4-dddddddddddd"); len(notes) > 0 {
		t.Error(notes)
	}
	entries, err := os.ReadDir(m.sys.at(releasesDir))
	m.must(err)
	var left []string
	for _, entry := range entries {
		left = append(left, entry.Name())
	}
	if want := []string{"1-aaaaaaaaaaaa", "3-cccccccccccc", "4-dddddddddddd"}; !slices.Equal(left, want) {
		t.Errorf("left %v, want %v", left, want)
	}
}
