package manage

import (
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// TestChoose: without a name a rollback goes to what served before, and never to what was sent and refused.
func TestChoose(t *testing.T) {
	day := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	current := converge.Release{Name: "0.3.0-cccc", Current: true, Since: day}
	before := converge.Release{Name: "0.2.0-bbbb", Since: day.AddDate(0, 0, -1)}
	oldest := converge.Release{Name: "0.1.0-aaaa", Since: day.AddDate(0, 0, -2)}
	refused := converge.Release{Name: "0.3.0-dddd"}
	for _, c := range []struct {
		name  string
		kept  []converge.Release
		asked string
		want  string // a release, or a part of the error
	}{
		{"the one before", []converge.Release{current, before, oldest}, "", before.Name},
		{"never what was refused", []converge.Release{current, refused}, "", "no release is kept that was in force before the current one, 0.3.0-cccc"},
		{"what was refused lies beside", []converge.Release{current, before, refused}, "", before.Name},
		{"by name", []converge.Release{current, before, refused}, refused.Name, refused.Name},
		{"by version", []converge.Release{current, before, oldest}, "0.1.0", oldest.Name},
		{"two of one version", []converge.Release{current, refused}, "0.3.0", "more than one kept release is named"},
		{"the current one", []converge.Release{current, before}, current.Name, "is the release in force"},
		{"unknown", []converge.Release{current, before}, "9", "no release that is kept is named"},
	} {
		list := &ReleaseList{Schema: 1, Releases: c.kept}
		got, err := list.Choose(c.asked)
		said := got.Name
		if err != nil {
			said = err.Error()
		}
		if !strings.Contains(said, c.want) || (err == nil && got.Name != c.want) {
			t.Errorf("%s: %q, want %q", c.name, said, c.want)
		}
	}
}
