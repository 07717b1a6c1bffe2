package main

import (
	"context"
	"encoding/json"
	"fmt"
	goio "io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// verb is an operator's command: on the server it runs here, from a laptop it runs there with the same flags.
type verb struct {
	name, short string
	flags       func(*cobra.Command)
	local       func(ctx context.Context, io *streams) error
	remote      func() []string // the flags to carry over
	need        rootNeed        // on the server
}

func verbs() []verb {
	status, reload := &statusVerb{}, &reloadVerb{}
	logs := &logsVerb{read: manage.Logs, none: "the adapter's journal has no such line"}
	trouble := &logsVerb{read: manage.ErrorLogs, none: "nothing went wrong: no such line in the adapter's journal, nor in Nginx's error log", trouble: true}
	return []verb{
		{name: "start", need: rootAlways, short: "Start the adapter", local: plain(manage.Start, "the adapter serves")},
		{name: "stop", need: rootAlways, short: "Stop the adapter; requests do not bring it back", local: plain(manage.Stop, "the adapter is stopped; requests get 502 until it is started")},
		{name: "restart", need: rootAlways, short: "Start the adapter anew, without a request lost or an answer cut", local: restartHere},
		{name: "reload", need: rootAlways, short: "Put edited settings, keys and tokens in force without a restart, as far as they need none", flags: reload.flags, local: reload.run, remote: reload.carry},
		{name: "status", short: "Show how the adapter is; exit code 1 if it is not healthy", flags: status.flags, local: status.run, remote: status.carry},
		{name: "logs", need: rootToRead, short: "Show the adapter's journal", flags: logs.flags, local: logs.run, remote: logs.carry},
		{name: "error-logs", need: rootToRead, short: "Show what went wrong: warnings, errors, requests that failed at the adapter or at Google, and Nginx's error log, by time",
			flags: trouble.flags, local: trouble.run, remote: trouble.carry},
	}
}

// plain is a verb without flags, which says at its end how things are.
func plain(f func(context.Context) error, end string) func(context.Context, *streams) error {
	return func(ctx context.Context, io *streams) error {
		if err := f(ctx); err != nil {
			return ofChange(err)
		}
		_, err := fmt.Fprintln(io.err, io.lang.Say(end))
		return err
	}
}

// restartHere shows the steps as a change of settings does.
func restartHere(ctx context.Context, io *streams) error {
	_, err := applyHere(io, func(m manage.Machine) (converge.Applied, error) { return m.Restart(ctx) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(io.err, io.lang.Say("the adapter serves"))
	return err
}

// localVerbs are those of gemini-manage.
func localVerbs(io *streams) []*cobra.Command {
	var out []*cobra.Command
	for _, v := range verbs() {
		cmd := v.command(v.name, 0)
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return v.local(cmd.Context(), io) }
		out = append(out, cmd)
	}
	return out
}

// hostVerbs are those of gca: with a host over SSH, without one on this machine.
func hostVerbs(io *streams, ssh *sshFlags) []*cobra.Command {
	var out []*cobra.Command
	for _, v := range verbs() {
		cmd := v.command(v.name+" [[user@]host[:port]]", 1)
		ssh.add(cmd)
		cmd.RunE = func(cmd *cobra.Command, given []string) error {
			if len(given) == 0 {
				if _, err := os.Stat(manageTool); err != nil {
					return &usageError{fmt.Sprintf("which server? no adapter is installed on this machine\nhint: gca %s root@YOUR-SERVER", v.name)}
				}
				return v.local(cmd.Context(), io)
			}
			words := []string{v.name}
			if v.remote != nil {
				words = append(words, v.remote()...)
			}
			return ssh.runRemote(cmd.Context(), io, given[0], v.need, nil, io.out, words...)
		}
		out = append(out, cmd)
	}
	return out
}

func (v verb) command(use string, maxArgs int) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: v.short, Args: args(0, maxArgs)}
	if v.flags != nil {
		v.flags(cmd)
	}
	return cmd
}

type statusVerb struct{ json bool }

func (s *statusVerb) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.json, "json", false, "print JSON, schema 1")
}

func (s *statusVerb) carry() []string {
	if s.json {
		return []string{"--json"}
	}
	return nil
}

func (s *statusVerb) run(ctx context.Context, io *streams) error {
	report, err := manage.Status(ctx)
	if err != nil {
		return err
	}
	if s.json {
		err = json.NewEncoder(io.words()).Encode(report)
	} else {
		err = printReport(io, func(w goio.Writer) error { return report.Print(w, time.Now()) })
	}
	if err == nil && !report.Healthy() {
		return &statusError{exitFailed}
	}
	return err
}

type reloadVerb struct{ json bool }

func (r *reloadVerb) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&r.json, "json", false, "print JSON, schema 1")
}

func (r *reloadVerb) carry() []string {
	if r.json {
		return []string{"--json"}
	}
	return nil
}

// reloadedJSON is what reload prints with --json.
type reloadedJSON struct {
	Schema int `json:"schema"`
	control.Reloaded
}

func (r *reloadVerb) run(ctx context.Context, io *streams) error {
	reloaded, err := manage.Reload(ctx)
	if err != nil {
		return ofChange(err)
	}
	if r.json {
		return json.NewEncoder(io.out).Encode(reloadedJSON{1, reloaded})
	}
	return manage.PrintReloaded(io.words(), reloaded)
}

const everyLevel = "debug"

// logsVerb shows the journal, or what went wrong.
type logsVerb struct {
	read    func(context.Context, manage.LogOptions, func(manage.LogLine) error) (int, error)
	none    string // what is said where there is no line
	trouble bool   // every line has the same level

	lines              int
	follow, json       bool
	since, grep, level string
}

func (l *logsVerb) flags(cmd *cobra.Command) {
	cmd.Flags().IntVarP(&l.lines, "lines", "n", 50, "show the last `N` lines")
	cmd.Flags().BoolVarP(&l.follow, "follow", "f", false, "go on showing new lines until Ctrl-C")
	cmd.Flags().StringVar(&l.since, "since", "", "nothing older than `TIME`: 10m, 2h, 3d, or \"2026-01-31 15:04\"")
	cmd.Flags().StringVar(&l.grep, "grep", "", "only lines that match the regular expression `PATTERN`")
	if !l.trouble {
		cmd.Flags().StringVar(&l.level, "level", everyLevel, "only lines of this `LEVEL` or above: debug, info, warn, error")
	}
	jsonLinesFlag(cmd, &l.json)
}

func jsonLinesFlag(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "print JSON lines, schema 1")
}

func (l *logsVerb) carry() []string {
	words := []string{"--lines", strconv.Itoa(l.lines)}
	for name, value := range map[string]string{"--since": l.since, "--grep": l.grep, "--level": l.level} {
		if value != "" && value != everyLevel { // which a server of an older release does not know
			words = append(words, name, value)
		}
	}
	for name, set := range map[string]bool{"--follow": l.follow, "--json": l.json} {
		if set {
			words = append(words, name)
		}
	}
	return words
}

func (l *logsVerb) options() (o manage.LogOptions, err error) {
	o = manage.LogOptions{Lines: l.lines, Follow: l.follow}
	if l.lines < 1 {
		return o, &usageError{fmt.Sprintf("--lines %d: expected 1 or more", l.lines)}
	}
	if l.since != "" {
		if o.Since, err = manage.ParseSince(l.since, time.Now()); err != nil {
			return o, &usageError{"--since: " + err.Error()}
		}
	}
	if l.grep != "" {
		if o.Grep, err = manage.ParsePattern(l.grep); err != nil {
			return o, &usageError{"--grep: " + err.Error()}
		}
	}
	if l.level != "" {
		if o.Level, err = manage.ParseLevel(l.level); err != nil {
			return o, &usageError{"--level: " + err.Error()}
		}
	}
	return o, nil
}

func (l *logsVerb) run(ctx context.Context, io *streams) error {
	options, err := l.options()
	if err != nil {
		return err
	}
	n, err := l.read(ctx, options, func(line manage.LogLine) error {
		if l.json {
			return json.NewEncoder(io.out).Encode(line)
		}
		_, err := fmt.Fprintln(io.out, line)
		return err
	})
	if err == nil && n == 0 && !options.Follow {
		_, err = fmt.Fprintln(io.err, io.lang.Say(l.none))
	}
	return err
}
