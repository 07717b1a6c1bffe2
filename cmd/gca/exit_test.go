package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/provision"
	"github.com/gemini-claude-adapter/gca/provision/remote"
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
	f(&client.Error{Hop: client.HopGemini}, 1)
	f(&provision.Error{Kind: provision.KindRefused}, 7)
	f(&provision.Error{Kind: provision.KindLocked}, 8)
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
