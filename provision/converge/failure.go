package converge

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

const (
	maxLog     = 20  // lines of a failure's log
	maxLogLine = 400 // bytes of each
	hintPrefix = "hint: "
)

// withHint adds to err what to type or look at next: one line, without a secret.
func withHint(err error, hint string) error { return fmt.Errorf("%w\n%s%s", err, hintPrefix, hint) }

// failureOf parts the text of an error: its first line is the reason, a line that begins with "hint: " is the cure, and the
// others are the log, of which the last ones count.
func failureOf(err error) RolledBack {
	first, rest, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	told := RolledBack{Reason: bounded(first)}
	for line := range strings.Lines(rest) {
		line = strings.TrimRight(line, " \t\r\n")
		switch hint, ok := strings.CutPrefix(line, hintPrefix); {
		case ok:
			told.Hint = hint
		case line != "":
			told.Log = append(told.Log, bounded(line))
		}
	}
	if told.Hint == "" && strings.Contains(strings.ToLower(err.Error()), "no space left on device") {
		told.Hint = roomHint
	}
	told.Log = told.Log[max(0, len(told.Log)-maxLog):]
	return told
}

func bounded(line string) string { return strings.ToValidUTF8(line[:min(len(line), maxLogLine)], "") }

// stepFailure is failureOf with the step that failed, unless the whole plan was called off meanwhile.
func stepFailure(ctx context.Context, step Step, err error) RolledBack {
	told := failureOf(err)
	if ctx.Err() == nil || !errors.Is(err, context.Cause(ctx)) {
		told.Step, told.Title = step.id, step.title
	}
	return told
}
