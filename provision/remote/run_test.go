package remote

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	_, conn := dialed(t, nil)
	ctx := context.Background()

	var stdout, stderr bytes.Buffer
	err := conn.Run(ctx, Cmd{Line: `cat; echo oops >&2; exit 7`, Stdin: strings.NewReader("hello"), Stdout: &stdout, Stderr: &stderr})
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Status != 7 || exit.Signal != "" || exit.Stderr != "" {
		t.Errorf("got %#v, want status 7", err)
	}
	if stdout.String() != "hello" || stderr.String() != "oops\n" {
		t.Errorf("stdout %q, stderr %q", stdout.String(), stderr.String())
	}

	if err := conn.Run(ctx, Cmd{Line: "cat"}); err != nil {
		t.Errorf("without any stream: %v", err)
	}
	err = conn.Run(ctx, Cmd{Line: "echo because >&2; exit 1"})
	if !errors.As(err, &exit) || exit.Stderr != "because\n" || !strings.Contains(err.Error(), "status 1: because") {
		t.Errorf("got %v", err)
	}
	err = conn.Run(ctx, Cmd{Line: "kill -KILL $$"})
	if !errors.As(err, &exit) || exit.Signal != "KILL" || exit.Status != 137 {
		t.Errorf("got %#v", err)
	}
}
