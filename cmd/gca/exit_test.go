package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/provision"
	"github.com/gemini-claude-adapter/gca/provision/remote"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

func TestExitCode(t *testing.T) {
	f := func(err error, want int) {
		t.Helper()
		if got := exitCode(err); got != want {
			t.Errorf("%v: got %d, want %d", err, got, want)
		}
		if err != nil {
			if got := exitCode(fmt.Errorf("wrapped: %w", err)); got != want {
				t.Errorf("wrapped %v: got %d, want %d", err, got, want)
			}
		}
	}
	f(nil, 0)
	f(errors.New("any"), 1)
	f(&usageError{"x"}, 2)
	f(&provision.Error{Kind: provision.KindPartial, Err: &client.Error{Hop: client.HopNetwork}}, 3)
	f(&remote.Error{Kind: remote.KindAuth}, 4)
	f(manage.ErrNotRoot, 4)
	f(&client.Error{Hop: client.HopToken}, 4)
	f(&remote.Error{Kind: remote.KindHostKey}, 5)
	f(&remote.Error{Kind: remote.KindUnreachable}, 6)
	f(&client.Error{Hop: client.HopNetwork}, 6)
	f(&client.Error{Hop: client.HopName}, 6)
	f(&client.Error{Hop: client.HopGemini}, 1)
	f(&provision.Error{Kind: provision.KindRefused}, 7)
	f(&noAdapterError{}, 7)
	f(&provision.Error{Kind: provision.KindLocked}, 8)
	f(&deployingError{}, 8)
	f(&provision.Error{Kind: provision.KindRolledBack}, 9)
	f(&provision.Error{Kind: provision.KindRollbackFailed}, 10)
	f(&provision.Error{Kind: provision.KindFailed}, 1)
	f(&provision.Error{Kind: provision.KindCut, Err: &remote.Error{Kind: remote.KindUnreachable}}, 6)
	f(&provision.Error{Kind: provision.KindInterrupted}, 130)
	f(context.Canceled, 130)
	f(&statusError{42}, 42)
	f(provision.ErrDeclined, 1)
	f(&statusError{exitPending}, 20)
}

// What a server says in an error cannot command the terminal.
func TestComplaint_visible(t *testing.T) {
	f := func(err error, want string) {
		t.Helper()
		if got := complaint(err); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(errors.New("it said \x1b[2J\u202eok\r"), "it said \uFFFD[2J\uFFFDok\uFFFD")
	f(&provision.Error{Message: "rolled back", Err: errors.New("\x1b]0;title\a"), Hint: "again"}, "rolled back: \uFFFD]0;title\uFFFD\nhint: again")
	f(&remote.Error{Message: "no\x9b31m"}, "no\uFFFD31m")
}

func TestVisibleWriter(t *testing.T) {
	var out bytes.Buffer
	w := &visibleWriter{to: &out}
	for _, c := range []byte("✓ done\n\x1b[2J\x9b\tü€𝄞\n") {
		if n, err := w.Write([]byte{c}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if want := "✓ done\n\uFFFD[2J\uFFFD\tü€𝄞\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// What an adapter says of itself, and what clients made it remember, cannot either.
func TestReports_visible(t *testing.T) {
	f := func(print func(*streams) error, want string) {
		t.Helper()
		var out bytes.Buffer
		if err := print(&streams{out: &out}); err != nil || strings.Contains(out.String(), "\x1b") || !strings.Contains(out.String(), want) {
			t.Errorf("got %q, %v, want %q", out.String(), err, want)
		}
	}
	f(func(s *streams) error {
		return printReport(s, func(w io.Writer) error {
			return (&manage.Report{State: "active", Health: "\x1b[2Jhealthy"}).Print(w, time.Now())
		})
	}, "health      \uFFFD[2Jhealthy")
	f(func(s *streams) error {
		rests := []control.Rest{{Model: "\x1b]0;m\a", Reason: "quota", Until: time.Now().Add(time.Hour)}}
		return (&manage.KeyList{Keys: []manage.KeyEntry{{Key: control.Key{ID: "k", Rests: rests}}}}).Print(s.people(), time.Now())
	}, "\uFFFD]0;m\uFFFD: quota")
}

// Ctrl-C while a release that was gone back to is awaited says what is in force, and does not call that a failure.
func TestRollback_interrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := (&rollbackFlags{group: group{ssh: &sshFlags{}}}).putBack(ctx, "root@vps", "0.2.0-aa", "0.1.0-bb", &provision.Error{Kind: provision.KindRolledBack})
	if exitCode(err) != exitInterrupted || !strings.Contains(complaint(err), "0.1.0-bb is in force") || !strings.Contains(complaint(err), "hint: gca status root@vps") {
		t.Errorf("got %d, %v", exitCode(err), err)
	}
}
