package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// specified is what the scripts hold of one command.
type specified struct{ succeeds, fails bool }

// The scripts in testdata are the specification of every command: one line runs it and succeeds, unless that takes more than a script
// has, and one makes it fail and looks at what it says then.
func TestScripts_EveryCommand(t *testing.T) {
	io := &streams{}
	roots := map[string]*cobra.Command{"gca": newRoot(io), "gemini-manage": newManageRoot(io)}
	held := specifications(t, roots)
	for _, root := range roots {
		for _, cmd := range append(below(root), root) {
			is := held[cmd.CommandPath()]
			if cmd.Hidden {
				continue
			}
			if !is.fails {
				t.Errorf("no script makes %s fail and looks at its standard error", cmd.CommandPath())
			}
			if !is.succeeds && !takesMore(cmd) {
				t.Errorf("no script runs %s and wants it to succeed", cmd.CommandPath())
			}
		}
	}
}

// takesMore tells commands whose success takes more than a script has: a server, or for chat a terminal, at which TestShots_Chat has
// it. On a server's own tool that is all but what answers by itself.
func takesMore(cmd *cobra.Command) bool {
	if cmd.Root().Name() == "gca" {
		return strings.Contains(cmd.Use, "[user@]") || cmd.Name() == "chat"
	}
	group := cmd.HasSubCommands() && cmd.Flags().Lookup("json") == nil // prints its help
	return !group && cmd.Name() != "version" && cmd.Name() != "verify" && cmd.Parent().Name() != "completion"
}

// specifications are the commands that the scripts run, by their paths.
func specifications(t *testing.T, roots map[string]*cobra.Command) map[string]specified {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	more, errMore := filepath.Glob("testdata/user/*.txtar")
	if err != nil || errMore != nil || len(files) < 10 || len(more) < 8 {
		t.Fatalf("%d and %d scripts, %v, %v", len(files), len(more), err, errMore)
	}
	held := map[string]specified{}
	for _, file := range append(files, more...) {
		script, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(script), "\n")
		for i, line := range lines {
			words := strings.Fields(line)
			wanted := len(words) > 0 && words[0] != "!"
			at := slices.IndexFunc(words, func(word string) bool { return roots[word] != nil })
			if at < 1 || words[at-1] != "exec" && words[0] != "until" {
				continue
			}
			cmd, rest, err := roots[words[at]].Find(words[at+1:])
			if err != nil || slices.Contains(rest, "--help") {
				continue
			}
			is := held[cmd.CommandPath()]
			if wanted {
				is.succeeds = true
			} else if looksAtError(lines[i+1:]) {
				is.fails = true
			}
			held[cmd.CommandPath()] = is
		}
	}
	return held
}

// looksAtError reports whether a check of standard error follows, before the next command.
func looksAtError(lines []string) bool {
	for _, line := range lines {
		switch words := strings.Fields(line); {
		case len(words) == 0:
			return false
		case words[0] == "stderr":
			return true
		case slices.Contains(words, "exec"):
			return false
		}
	}
	return false
}
