package converge

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestFailureOf(t *testing.T) {
	f := func(err error, want RolledBack) {
		t.Helper()
		if got := failureOf(err); !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
	f(errors.New("no"), RolledBack{Reason: "no"})
	f(withHint(errors.New("no"), "gca deploy again"), RolledBack{Reason: "no", Hint: "gca deploy again"})
	f(withHint(&commandError{name: "nginx", args: []string{"-t"}, last: []string{"emerg: unknown directive", "test failed"}, err: errors.New("exit status 1")}, "nginx -t"),
		RolledBack{Reason: "nginx -t: exit status 1", Log: []string{"emerg: unknown directive", "test failed"}, Hint: "nginx -t"})
	f(errors.New("no\n\nhint: a\n  indented \n"), RolledBack{Reason: "no", Hint: "a", Log: []string{"  indented"}})
	f(errors.New(strings.Repeat("é", maxLogLine)), RolledBack{Reason: strings.Repeat("é", maxLogLine/2)})
	many := failureOf(errors.New("no" + strings.Repeat("\nline", 3*maxLog) + "\nlast"))
	if len(many.Log) != maxLog || many.Log[maxLog-1] != "last" {
		t.Errorf("a log of %d lines", len(many.Log))
	}
}

// A step is at fault only if the plan was not called off meanwhile.
func TestStepFailure(t *testing.T) {
	step := Step{id: "file:/a", title: "write /a"}
	f := func(ctx context.Context, err error, id string) {
		t.Helper()
		if got := stepFailure(ctx, step, err); got.Step != id || (got.Title != "") != (id != "") {
			t.Errorf("%+v", got)
		}
	}
	off, cancel := context.WithCancelCause(context.Background())
	cancel(calledOff{"no"})
	f(context.Background(), errors.New("full"), "file:/a")
	f(off, errors.New("full"), "file:/a")
	f(off, calledOff{"no"}, "")
	f(off, fmt.Errorf("waiting: %w", calledOff{"no"}), "")
}

func TestRolledBackError(t *testing.T) {
	f := func(back RolledBack, want string) {
		t.Helper()
		if got := (&RolledBackError{back}).Error(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	f(RolledBack{Reason: "no"}, "no\neverything was put back")
	f(RolledBack{Step: "a", Title: "write /a", Reason: "no space", Log: []string{"l1", "l2"}, Hint: "df -h"},
		"write /a: no space\n  l1\n  l2\neverything was put back\nhint: df -h")
	f(RolledBack{Reason: "no", FailedUndo: []string{"x: y"}},
		"no\nnot everything could be put back:\n- x: y\nhint: look at /var/lib/gca/journal on the server, then deploy again")
}
