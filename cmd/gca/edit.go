package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"

	"github.com/gemini-claude-adapter/gca/manage"
)

// editing has a person change a secret text in an editor, on a private copy that is removed whatever happens.
type editing struct {
	io    *streams
	asker *prompt // nil where nobody can be asked
	dir   string  // for the copy; "" is the usual one
}

// edit returns the text that the person saved and check accepts, or manage.ErrUnchanged. The other errors are of a text that
// the person gave up, or of the editor.
func (e editing) edit(ctx context.Context, before string, check func(string) error) (text string, err error) {
	command, err := e.editor()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(e.dir, "gca-edit-") // made with mode 0700
	if err != nil {
		return "", fmt.Errorf("cannot make a private copy to edit: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "adapter.env")
	if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
		return "", fmt.Errorf("cannot make a private copy to edit: %w", err)
	}
	for {
		if text, err = e.once(ctx, command, file); err != nil {
			return "", err
		}
		if text == before {
			return "", manage.ErrUnchanged
		}
		wrong := check(text)
		if wrong == nil {
			return text, nil
		}
		if err := e.again(wrong); err != nil {
			return "", err
		}
	}
}

// again shows what is wrong and asks whether to go on.
func (e editing) again(wrong error) error {
	if e.asker == nil {
		return &usageError{wrong.Error() + "\nhint: nothing was changed; edit again"}
	}
	if _, err := fmt.Fprintf(e.io.err, "gca: %v\n", wrong); err != nil {
		return err
	}
	yes, err := e.asker.confirm("Edit again? (No throws your changes away)", true)
	if err == nil && !yes {
		err = &usageError{"nothing was changed"}
	}
	return err
}

// editorGrace is how long an editor may take to end when it is told to.
const editorGrace = 2 * time.Second

// once lends the terminal to the editor: Ctrl-C is a key of it. An end of ctx ends it too, as editors expect to be ended.
func (e editing) once(ctx context.Context, command []string, file string) (string, error) {
	cmd := exec.CommandContext(ctx, command[0], append(command[1:len(command):len(command)], file)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = e.io.in, e.io.err, e.io.err // stdout is for data
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = editorGrace
	restore := keepTerminal(e.io.in)
	e.io.lent.Store(true)
	err := cmd.Run()
	e.io.lent.Store(false)
	restore()
	if ctx.Err() != nil {
		return "", context.Canceled
	}
	if err != nil {
		return "", fmt.Errorf("the editor %s failed, so nothing was changed: %w\nhint: EDITOR=nano chooses another one", strings.Join(command, " "), err)
	}
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	text, err := manage.ReadEnvFrom(f)
	return text, errors.Join(err, f.Close())
}

// keepTerminal returns what brings a terminal back to how it is now, whatever a program leaves of it.
func keepTerminal(f *os.File) (restore func()) {
	state, err := term.GetState(int(f.Fd()))
	if err != nil {
		return func() {} // it is no terminal
	}
	return func() { _ = term.Restore(int(f.Fd()), state) } // one that has gone needs nothing
}

// shellSigns are what only a shell understands.
const shellSigns = "|&;<>()$`\\\"'*?[]#~=%!{}\n"

// editor is the person's choice, which may have arguments, or the first one that is there.
func (e editing) editor() ([]string, error) {
	for _, name := range []string{"VISUAL", "EDITOR"} {
		if choice := os.Getenv(name); strings.TrimSpace(choice) != "" {
			switch {
			case runtime.GOOS == "windows":
				return []string{choice}, nil
			case !strings.ContainsAny(choice, shellSigns):
				return strings.Fields(choice), nil
			}
			// A shell without a trap would end with Ctrl-C, whatever its command made of it.
			return []string{"/bin/sh", "-c", "trap : INT; " + choice + ` "$@"`, "sh"}, nil
		}
	}
	if !isatty.IsTerminal(e.io.in.Fd()) {
		return nil, &usageError{"there is no terminal to edit in\nhint: config set NAME=VALUE changes settings without an editor"}
	}
	for _, name := range []string{"nano", "vi", "notepad"} {
		if file, err := exec.LookPath(name); err == nil {
			return []string{file}, nil
		}
	}
	return nil, errors.New("there is no editor: neither nano nor vi\nhint: EDITOR=/path/to/an/editor chooses one")
}
