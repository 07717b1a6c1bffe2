package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestExamples: every --help has two examples, each a command that there is.
func TestExamples(t *testing.T) {
	io := &streams{}
	for _, root := range []*cobra.Command{newRoot(io), newManageRoot(io)} {
		for _, cmd := range append(below(root), root) {
			lines := strings.Split(cmd.Example, "\n")
			if !cmd.Hidden && len(lines) < wantExamples {
				t.Errorf("%s has %d examples: %q", cmd.CommandPath(), len(lines), cmd.Example)
			}
			for _, line := range lines {
				if !cmd.Hidden && !strings.Contains(line, root.Name()+" ") {
					t.Errorf("%s: the example %q is of another program", cmd.CommandPath(), line)
				}
			}
			if cmd.Short == "" || cmd.Hidden && cmd.Long != "" {
				t.Errorf("%s: what it does is not said, or said of a hidden command", cmd.CommandPath())
			}
		}
	}
}

// TestHelp_columns: what flags take is named in ASCII, for the help counts bytes as columns.
func TestHelp_columns(t *testing.T) {
	io := &streams{}
	for _, root := range []*cobra.Command{newRoot(io), newManageRoot(io)} {
		for _, cmd := range below(root) {
			cmd.Flags().VisitAll(func(flag *pflag.Flag) {
				if name, _ := pflag.UnquoteUsage(flag); strings.ContainsFunc(name, func(r rune) bool { return r > '~' }) {
					t.Errorf("%s --%s takes %s", cmd.CommandPath(), flag.Name, name)
				}
			})
		}
	}
}

// TestNoInput: what may ask can be told not to.
func TestNoInput(t *testing.T) {
	io := &streams{}
	asks := 0
	for _, root := range []*cobra.Command{newRoot(io), newManageRoot(io)} {
		for _, cmd := range below(root) {
			if cmd.Flags().Lookup("yes") == nil {
				continue
			}
			asks++
			if cmd.Flags().Lookup("no-input") == nil {
				t.Errorf("%s has --yes, and no --no-input", cmd.CommandPath())
			}
		}
	}
	if asks < 10 {
		t.Errorf("%d commands ask", asks)
	}
}

// TestManual: there is a page for every command, and a person's man reads it.
func TestManual(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "run", "-tags", "man", ".", "man", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	io := &streams{}
	for _, root := range []*cobra.Command{newRoot(io), newManageRoot(io)} {
		for _, cmd := range append(below(root), root) {
			if !cmd.IsAvailableCommand() {
				continue
			}
			name := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + ".1"
			page, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil || !strings.HasPrefix(string(page), ".") || !strings.Contains(string(page), "EXAMPLE") {
				t.Errorf("%s: error %v, begins with %.40q", name, err, page)
			}
		}
	}
}
