package provision

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// A plan that was declined changed nothing by itself; what an earlier deploy had left is another matter.
func TestDeclined(t *testing.T) {
	f := func(err error, tookBack bool, want error) {
		t.Helper()
		if got := declined(err, tookBack); got != want {
			t.Errorf("%v, %v: %v", err, tookBack, got)
		}
	}
	f(nil, false, ErrDeclined)
	f(nil, true, ErrDeclinedLate)
	f(context.Canceled, true, nil)
}

// What the server said counts, also where the deploy was at work.
func TestDeploy_Explain(t *testing.T) {
	f := func(err error, want Kind, text string) {
		t.Helper()
		d := &deploy{begun: true}
		got, ok := errors.AsType[*Error](d.explain(context.Background(), err, nil))
		if !ok || got.Kind != want || !strings.Contains(got.Error(), text) {
			t.Errorf("%v is explained as %v", err, got)
		}
	}
	f(errors.Join(errors.New("broken pipe"), converge.ErrCommitted), KindFailed, "committed already, and stays")
	f(errors.New("broken pipe"), KindCut, "after 15 minutes")
	f(&converge.TakenOverError{By: "203.0.113.9"}, KindLocked, "203.0.113.9")
	f(&converge.RolledBackError{RolledBack: converge.RolledBack{FailedUndo: []string{"/etc/x"}}}, KindRollbackFailed, "/etc/x")
}
