package converge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	maxOutput   = 1 << 20 // bytes kept of a command's output
	commandTime = 90 * time.Second
	queryTime   = 30 * time.Second
	queryGrace  = 5 * time.Second
	runGrace    = 20 * time.Second // apt-get that is interrupted lets the dpkg that it started end
)

// command is a program to run to its end, with nobody to answer it.
type command struct {
	file  string // of the program
	name  string // as people call it
	args  []string
	path  string // its PATH
	limit time.Duration
	grace time.Duration // from the limit, when it is interrupted, to its kill; and for what it left running to let go of its output
	line  func(string)  // is told each line of output as it comes; may be nil

	merged bool // stderr counts as stdout
}

// execute runs c and returns what it wrote to stdout. The error of a failed command ends with the last lines that it wrote.
func execute(ctx context.Context, c command) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.file, c.args...)
	cmd.Env = []string{
		"PATH=" + c.path, "LC_ALL=C.UTF-8", "HOME=/root",
		"DEBIAN_FRONTEND=noninteractive", "DEBCONF_NONINTERACTIVE_SEEN=true", "UCF_FORCE_CONFFOLD=1",
		"NEEDRESTART_SUSPEND=1", "NEEDRESTART_MODE=l", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0",
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = c.grace
	var stdout bytes.Buffer
	all := &lineWriter{tell: c.line}
	cmd.Stdout = io.MultiWriter(&limitedWriter{to: &stdout, left: maxOutput}, all)
	cmd.Stderr = all
	if c.merged {
		cmd.Stderr = cmd.Stdout
	}
	err := cmd.Run()
	// A service that a command started may keep the command's output open for as long as it runs.
	if err == nil || errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil {
		return stdout.String(), nil
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("no end after %s", c.limit)
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	return stdout.String(), &commandError{name: c.name, args: c.args, last: all.lastLines(), err: err}
}

// commandError is a command that failed.
type commandError struct {
	name string
	args []string
	last []string // of its output
	err  error
}

func (e *commandError) Error() string {
	text := strings.TrimSpace(e.name+" "+strings.Join(e.args, " ")) + ": " + e.err.Error()
	if len(e.last) > 0 {
		text += "\n" + strings.Join(e.last, "\n")
	}
	return text
}

func (e *commandError) Unwrap() error { return e.err }

// exited reports whether the command ended by itself with this status.
func (e *commandError) exited(status int) bool {
	exit, ok := errors.AsType[*exec.ExitError](e.err)
	return ok && exit.ExitCode() == status
}
