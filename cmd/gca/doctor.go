package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/provision"
	"github.com/gemini-claude-adapter/gca/provision/cert"
	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/payload"
)

const doctorLong = `doctor looks at a server, before a deploy and after one, and changes nothing: system, memory, disk, clock, name service,
package manager, ports and who holds them, firewalls, Docker, the way to Gemini and, where an adapter is there, all that it
needs, its units, and whether it serves. For each thing that is not well it says what is, what that means, and what cures it,
in the order in which they have to be mended; what only follows from another one is named below it. A server that is well
gets one line.

--fix mends what can be mended without harm, and looks again: units that are stopped or would not start at boot, packages
that were left half-way, the adapter's own files, units and site as the last deploy made them, with its journal and checks.

While a deploy is at work, that is all it says; one whose laptop has gone, and which waits to be finished, is named first.

Exit code 0 is well or able to serve all the same, 1 an adapter that does not serve or a deploy that has not ended, 7 a
server that cannot be deployed to.`

// newDoctor is the command of a laptop; without a host it looks at this machine, if an adapter is there.
func newDoctor(io *streams) *cobra.Command {
	f := &deployFlags{dryRun: true}
	fix := false
	cmd := &cobra.Command{
		Use:     "doctor [[user@]host[:port]]",
		Short:   "Say what is not well with a server, and what cures it",
		Long:    doctorLong,
		Example: "  gca doctor root@203.0.113.9\n  gca doctor --fix root@tokyo.example.com",
		Args:    args(0, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			if len(given) == 0 {
				if _, err := os.Stat(manageTool); err != nil {
					return &usageError{"which server? no adapter is installed on this machine\nhint: gca doctor root@YOUR-SERVER"}
				}
				return examineHere(cmd.Context(), io, f.json, fix)
			}
			if fix {
				return f.ssh.runRemote(cmd.Context(), io, given[0], rootAlways, nil, io.out, withJSON(f.json, "doctor", "--fix")...)
			}
			return f.examine(cmd, io, given[0])
		},
	}
	f.addShared(cmd)
	fixFlag(cmd, &fix)
	return cmd
}

func fixFlag(cmd *cobra.Command, fix *bool) {
	cmd.Flags().BoolVar(fix, "fix", false, "mend what can be mended without harm on a server with an adapter, and look again")
}

// newDoctorHere is the command of the server itself.
func newDoctorHere(io *streams) *cobra.Command {
	asJSON, fix := false, false
	cmd := &cobra.Command{Use: "doctor", Short: "Say what is not well with this server, and what cures it", Long: doctorLong, Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return examineHere(cmd.Context(), io, asJSON, fix) }}
	jsonFlag(cmd, &asJSON)
	fixFlag(cmd, &fix)
	return cmd
}

func (f *deployFlags) examine(cmd *cobra.Command, io *streams, target string) error {
	opts, err := f.options(cmd, io, target)
	if err != nil {
		return err
	}
	screen := newScreen(&streams{in: io.in, out: io.err, err: io.err, lang: io.lang}, false)
	opts.SSH.Prompts.Waiting = screen.warn
	ui := f.ui(io, screen, opts.Host.String(), nil)
	report, err := provision.Doctor(cmd.Context(), opts, ui)
	if err := screen.end(err == nil); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	here := &streams{out: io.out, lang: io.lang, target: f.ssh.named(target)}
	return tellFindings(here, report.Host, report.Findings, f.json)
}

func examineHere(ctx context.Context, io *streams, asJSON, fix bool) error {
	if os.Geteuid() != 0 {
		return manage.ErrNotRoot
	}
	look, err := doctorHere()
	if err != nil {
		return err
	}
	found, err := look(ctx)
	if err == nil && fix && len(found) > 0 {
		found, err = mendHere(ctx, io, found, look)
	}
	if err != nil {
		return err
	}
	return tellFindings(io, "this server", found, asJSON)
}

// doctorHere returns what looks at this server.
func doctorHere() (func(context.Context) ([]converge.Finding, error), error) {
	self, err := payload.Self()
	if err != nil {
		return nil, err
	}
	templates, err := templateTexts()
	if err != nil {
		return nil, err
	}
	agent := converge.Agent{Version: version, SHA256: self.SHA256, ReadSettings: readSettings, Certificates: cert.Authority{}}
	return func(ctx context.Context) ([]converge.Finding, error) {
		return agent.Diagnose(ctx, converge.Want{Mode: converge.ModeDoctor, Version: version, SHA256: self.SHA256, Templates: templates})
	}, nil
}

// mendHere mends what it can and looks again. What could not be mended is told, and is among the findings again.
func mendHere(ctx context.Context, io *streams, found []converge.Finding, look func(context.Context) ([]converge.Finding, error)) ([]converge.Finding, error) {
	_, err := applyHere(io, func(m manage.Machine) (converge.Applied, error) {
		return converge.Applied{}, m.Repair(ctx, found, func(command string) { screenLine(io, "mending: "+command) })
	})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		screenLine(io, "gca: "+err.Error())
	}
	return look(ctx)
}

// screenLine tells how it goes. A screen that has gone is no reason to stop half-way.
func screenLine(io *streams, text string) { _, _ = fmt.Fprintln(io.err, visible(text)) }

// doctorReport is what doctor prints with --json.
type doctorReport struct {
	Schema   int                `json:"schema"`
	Host     string             `json:"host"`
	Well     bool               `json:"well"`
	Findings []converge.Finding `json:"findings"`
}

// tellFindings prints them; the worst one decides the exit code.
func tellFindings(io *streams, host string, found []converge.Finding, asJSON bool) error {
	if err := printFindings(io, host, found, asJSON); err != nil {
		return err
	}
	code := exitOK
	for _, f := range found {
		switch {
		case f.Level == converge.LevelRefuse:
			code = exitRefused
		case f.Level == converge.LevelFail && code == exitOK:
			code = exitFailed
		}
	}
	if code != exitOK {
		return &statusError{code}
	}
	return nil
}

func printFindings(io *streams, host string, found []converge.Finding, asJSON bool) error {
	if asJSON {
		if found == nil {
			found = []converge.Finding{}
		}
		return json.NewEncoder(io.out).Encode(doctorReport{1, host, len(found) == 0, found})
	}
	if len(found) == 0 {
		_, err := fmt.Fprintln(io.out, io.lang.Say("%s: all well", io.lang.Text(host)))
		return err
	}
	var b strings.Builder
	for _, f := range found {
		if f.Follows != "" {
			continue
		}
		mark := "!"
		if f.Level != converge.LevelWarn {
			mark = "✗"
		}
		fmt.Fprintf(&b, "%s %-10s %s\n  %-10s %s\n  %-10s cure: %s\n", mark, f.ID, visible(f.What), "", visible(f.Means), "", visible(f.Cure))
		for _, other := range found {
			if other.Follows == f.ID {
				fmt.Fprintf(&b, "  %-10s and so: %s\n", "", visible(other.What))
			}
		}
	}
	_, err := fmt.Fprint(io.out, io.named(io.lang.Report(b.String(), findingIndent)))
	return err
}

// findingIndent is how wide the names of findings are, in columns.
const findingIndent = 13
