package provision

import (
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

func TestDiff(t *testing.T) {
	f := func(before, after *string, want string) {
		t.Helper()
		if got := Diff(converge.StepInfo{ID: "file:/etc/x.conf", Before: before, After: after}); got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	}
	text := func(s string) *string { return &s }
	f(nil, nil, "")
	f(text("a\n"), nil, "")
	f(text("same\n"), text("same\n"), "")
	f(text(""), text("new\n"), "--- /dev/null\n+++ /etc/x.conf\n@@ -0,0 +1 @@\n+new\n")
	f(text("one\ntwo\n"), text("one\n2\n"), "--- /etc/x.conf\n+++ /etc/x.conf\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n")
}

func TestPlan_Parts(t *testing.T) {
	f := func(groups, want string) {
		t.Helper()
		var plan Plan
		for group := range strings.FieldsSeq(groups) {
			plan.Steps = append(plan.Steps, converge.StepInfo{Group: converge.Group(group)})
		}
		var got []string
		for _, part := range plan.Parts() {
			got = append(got, string(part.Group)+strings.Repeat("+", len(part.Steps)))
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: got %q, want %q", groups, text, want)
		}
	}
	f("", "")
	f("a", "a+")
	f("a a b", "a++ b+")
	f("a b a", "a++ b+")
}
