//go:build unix

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An editor that must end is told so, may tidy up, and leaves no copy behind.
func TestEditing_ended(t *testing.T) {
	dir := t.TempDir()
	begun, told := filepath.Join(dir, "begun"), filepath.Join(dir, "told")
	editor := filepath.Join(dir, "editor")
	if err := os.WriteFile(editor, []byte("#!/bin/sh\ntrap ': >"+told+"; exit 1' TERM; : >"+begun+"; while :; do sleep 0.05; done\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VISUAL", editor+" -x")
	none, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = none.Close() }()
	ctx, end := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(begun); err == nil {
				end()
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	copies := t.TempDir()
	_, err = editing{io: &streams{in: none, out: os.Stdout, err: os.Stderr}, dir: copies}.edit(ctx, "PORT=1\n", func(string) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(told); err != nil {
		t.Errorf("the editor was not told: %v", err)
	}
	if left, err := os.ReadDir(copies); err != nil || len(left) > 0 {
		t.Errorf("copies are left: %v, %v", left, err)
	}
}
