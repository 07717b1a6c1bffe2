package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/fatih/color"
	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/provision"
)

func newPlan(io *streams) *cobra.Command {
	f := &deployFlags{dryRun: true}
	cmd := &cobra.Command{
		Use:   "plan [user@]host[:port]",
		Short: "Show what a deploy would change, with diffs, and change nothing",
		Long: `plan shows every step that deploy would take on the server, with the differences of the files that hold no secret. The
server is left as it is. Exit code 20 means that something would change, or that an earlier deploy has not ended, 0 that
nothing would.

Without keys, on a server that has none, the plan is made as if one had been given: a deploy asks for them.`,
		Example: "  gca plan root@203.0.113.9\n  gca plan --json root@tokyo.example.com:2222 | tail -n 1",
		Args:    args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return f.run(cmd, io, given[0])
		},
	}
	f.addShared(cmd)
	return cmd
}

// showPlan prints every step with its diff: data, so it goes to standard output.
func (s *screen) showPlan(plan provision.Plan) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, note := range plan.Notes {
		note = visible(note)
		s.put(line{Type: "warning", Text: note}, s.bad.Sprint("  ! ")+hanging(s.io.lang.Text(note)))
	}
	if s.display == displayJSON {
		for _, step := range plan.Steps {
			s.put(line{Type: "plan_step", ID: step.ID, Group: string(step.Group), Text: step.Title, Diff: provision.Diff(step)}, "")
		}
		return true, nil
	}
	var b strings.Builder
	paint := diffColors(s.io)
	for _, step := range plan.Steps {
		fmt.Fprintf(&b, "+ %s\n%s", s.io.lang.Text(visible(step.Title)), paint(visible(provision.Diff(step))))
	}
	s.keep(s.line.clear())
	_, err := fmt.Fprint(s.io.out, b.String())
	return true, err
}

// diffColors indents a diff and, for a person at a terminal, paints it.
func diffColors(io *streams) func(string) string {
	added, removed := color.New(color.FgGreen), color.New(color.FgRed)
	out, ok := io.out.(*os.File)
	for _, c := range []*color.Color{added, removed} {
		if ok && isatty.IsTerminal(out.Fd()) && os.Getenv("NO_COLOR") == "" {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
	}
	return func(diff string) string {
		var b strings.Builder
		for text := range strings.Lines(diff) {
			text = strings.TrimSuffix(text, "\n")
			switch {
			case strings.HasPrefix(text, "+"):
				text = added.Sprint(text)
			case strings.HasPrefix(text, "-"):
				text = removed.Sprint(text)
			}
			b.WriteString("    " + text + "\n")
		}
		return b.String()
	}
}

// finishPlan ends with the exit code that says whether something would change.
func (f *deployFlags) finishPlan(io *streams, screen *screen, result provision.Result) error {
	var err error
	switch {
	case f.json:
		err = screen.planResult(result)
	case result.Pending == 0 && result.Unfinished:
		_, err = fmt.Fprintln(io.err, io.lang.Say("%s has nothing to be changed but for the deploy that has not ended; nothing was changed", result.URL))
	case result.Pending == 0:
		_, err = fmt.Fprintln(io.err, io.lang.Say("%s is up to date: a deploy would change nothing", result.URL))
	default:
		_, err = fmt.Fprintln(io.err, io.lang.Say("%s to take; nothing was changed", io.lang.Count(result.Pending, "step")))
	}
	if err == nil && (result.Pending > 0 || result.Unfinished) {
		return &statusError{exitPending}
	}
	return err
}
