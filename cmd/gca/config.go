package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// group is a command with commands below it, in one of two hands: in gca's, where the first argument is the host, or, with a
// nil ssh, in gemini-manage's, which is on the server already.
type group struct {
	io  *streams
	ssh *sshFlags
}

// use is a usage line, with the host where there is one to name.
func (g group) use(name, rest string) string {
	if g.ssh != nil {
		name += " [user@]host[:port]"
	}
	return strings.TrimSpace(name + " " + rest)
}

func (g group) finish(cmd *cobra.Command) *cobra.Command {
	if g.ssh != nil {
		g.ssh.add(cmd)
	} else {
		noInputFlag(cmd, &g.io.noInput)
	}
	return cmd
}

// args counts the arguments behind the host.
func (g group) args(low, high int) cobra.PositionalArgs {
	if g.ssh == nil {
		return args(low, high)
	}
	return func(cmd *cobra.Command, given []string) error {
		if len(given) > 0 && (strings.Contains(given[0], "=") || slices.Contains(config.Names(), given[0])) {
			return hostFirst(cmd, given[0])
		}
		return args(low+1, high+1)(cmd, given)
	}
}

// hostFirst is the error of a word where the host should be.
func hostFirst(cmd *cobra.Command, word string) error {
	name, _, _ := strings.Cut(word, "=") // the value may be a secret
	return &usageError{fmt.Sprintf("%s: %s is no server; the host comes first\nhint: usage: %s", cmd.CommandPath(), name, cmd.UseLine())}
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

func newConfig(io *streams, ssh *sshFlags) *cobra.Command {
	g := group{io, ssh}
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show and change the adapter's settings",
		Long: `config shows and changes the settings in ` + manage.EnvFile + `. A change is judged before anything is touched; then the
running adapter takes it, or, where that is needed, restarts with it and must answer, also through Nginx, or everything is
put back. The file of before stays beside it as adapter.env.old.`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newConfigGet(g), newConfigSet(g), newConfigEdit(g))
	if ssh == nil {
		cmd.AddCommand(newConfigPut(io))
	}
	return cmd
}

func newConfigGet(g group) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     g.use("get", "[NAME]"),
		Short:   "Show all settings as they count, or the bare value of one; keys are shown by their ids, tokens by their names",
		Example: g.examples("config get", "", "PORT"),
		Args:    g.args(0, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			if g.ssh != nil {
				words := append([]string{"config", "get"}, given[1:]...)
				if asJSON {
					words = append(words, "--json")
				}
				return g.ssh.runRemote(cmd.Context(), g.io, given[0], rootAlways, nil, g.io.out, words...)
			}
			return configGet(g.io, given, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, schema 1")
	return g.finish(cmd)
}

// examples are lines of --help, one a tail.
func (g group) examples(verb string, tails ...string) string {
	var lines []string
	for _, tail := range tails {
		line := "  gemini-manage " + verb
		if g.ssh != nil {
			line = "  gca " + verb + " root@203.0.113.9"
		}
		lines = append(lines, strings.TrimRight(line+" "+tail, " "))
	}
	return strings.Join(lines, "\n")
}

func configGet(io *streams, given []string, asJSON bool) error {
	texts, err := manage.ReadTexts()
	if err != nil {
		return err
	}
	report, err := manage.Config(texts)
	if err != nil {
		return err
	}
	if len(given) == 0 && !asJSON {
		return report.Print(io.out)
	}
	if len(given) == 1 {
		if report, err = report.Find(given[0]); err != nil {
			return &usageError{err.Error()}
		}
		if !asJSON {
			return report.PrintValues(io.out)
		}
	}
	return json.NewEncoder(io.out).Encode(report)
}

func newConfigSet(g group) *cobra.Command {
	cmd := &cobra.Command{
		Use:   g.use("set", "NAME=VALUE…"),
		Short: "Change settings: all of those given, or none",
		Long: `set changes settings, all of those given or none. NAME= takes a setting out of the file, so that its default counts.
NAME=- reads the value from a prompt without echo or, without a terminal, from a line of standard input, one line for
each such NAME in their order, with commas between several keys or tokens: keys, tokens and passwords are taken in no
other way. GEMINI_API_KEYS and CLIENT_TOKENS add to what the files keys and tokens beside adapter.env hold; from your own
machine, gca deploy --keys-file FILE (one key a line) replaces the file keys.`,
		Example: g.examples("config set", "PORT=9000 MAX_BODY=20MB", "COOLING_PERIOD=", "GEMINI_API_KEYS=-"),
		Args:    g.args(1, 100),
		RunE: func(cmd *cobra.Command, given []string) error {
			words := given
			if g.ssh != nil {
				words = given[1:]
			}
			all, err := assignments(g, words)
			if err != nil {
				return err
			}
			if g.ssh != nil {
				return g.ssh.setRemote(cmd.Context(), g.io, given[0], all)
			}
			return changeHere(g.io, func(m manage.Machine) (converge.Applied, error) { return m.Set(cmd.Context(), all) })
		},
	}
	return g.finish(cmd)
}

// assignments judges the words, and asks for the values that were left out of them.
func assignments(g group, words []string) ([]manage.Assignment, error) {
	var all []manage.Assignment
	seen := make(map[string]bool)
	for _, word := range words {
		a, err := manage.ParseAssignment(word)
		if err != nil {
			return nil, &usageError{err.Error()}
		}
		if seen[a.Name] {
			return nil, &usageError{a.Name + " is given twice"}
		}
		seen[a.Name] = true
		all = append(all, a)
	}
	return answers(g, all)
}

// answers asks for the values that were left out.
func answers(g group, all []manage.Assignment) ([]manage.Assignment, error) {
	asker := newPrompt(g.io, g.ssh != nil && g.ssh.noInput)
	last := ""
	lines := bufio.NewReader(io.LimitReader(g.io.in, maxSecretFile))
	for i, a := range all {
		if a.Way != manage.Asked {
			continue
		}
		value, err := readValue(asker, lines, a.Name)
		if err != nil {
			return nil, err
		}
		if all[i], err = a.Answer(value); err != nil {
			return nil, &usageError{err.Error()}
		}
		last = a.Name
	}
	if asker == nil && last != "" {
		return all, nothingLeft(lines, last)
	}
	return all, nil
}

// nothingLeft refuses lines that nobody asked for: a list with a value a line would lose all but its first.
func nothingLeft(lines *bufio.Reader, last string) error {
	rest, err := io.ReadAll(lines)
	if err != nil {
		return fmt.Errorf("cannot read standard input: %w", err)
	}
	if len(bytes.TrimSpace(rest)) == 0 {
		return nil
	}
	return &usageError{last + ": standard input has more lines than there are NAME=-; nothing was changed\n" +
		"hint: several values go in one line, commas between: paste -sd, FILE | the same command"}
}

func readValue(asker *prompt, lines *bufio.Reader, name string) (string, error) {
	if asker != nil {
		if slices.Contains([]string{"GEMINI_API_KEYS", "CLIENT_TOKENS", "ADMIN_TOKEN", "MODEL_MAP"}, name) {
			name += ", commas between several"
		}
		return asker.secret(name)
	}
	line, err := lines.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("cannot read standard input: %w", err)
	}
	return strings.TrimSpace(line), nil
}

// setRemote has the server set them; every value that may be secret goes by standard input.
func (f *sshFlags) setRemote(ctx context.Context, io *streams, target string, all []manage.Assignment) error {
	words := []string{"config", "set", "--"}
	var lines strings.Builder
	for _, a := range all {
		if a.Way == manage.Absent {
			words = append(words, a.Name+"=")
			continue
		}
		words = append(words, a.Name+"=-")
		lines.WriteString(a.Value + "\n")
	}
	return f.runRemote(ctx, io, target, rootAlways, strings.NewReader(lines.String()), io.out, words...)
}

func newConfigEdit(g group) *cobra.Command {
	cmd := &cobra.Command{
		Use:   g.use("edit", ""),
		Short: "Change the settings in your editor ($VISUAL, $EDITOR, else nano or vi)",
		Long: `edit opens the settings in your editor: $VISUAL, $EDITOR, else nano or vi. What you save is judged first; where something
is wrong with it you can edit again. From your own machine the settings travel inside the SSH connection, and your
machine's editor is used on a private copy, which is removed. If somebody else has changed the settings meanwhile,
yours are refused.`,
		Example: g.examples("config edit", ""),
		Args:    g.args(0, 0),
		RunE: func(cmd *cobra.Command, given []string) error {
			e := editing{io: g.io, asker: newPrompt(g.io, g.ssh != nil && g.ssh.noInput)}
			if g.ssh != nil {
				return g.ssh.editRemote(cmd.Context(), e, given[0])
			}
			if os.Geteuid() != 0 {
				return manage.ErrNotRoot
			}
			e.dir = "/run" // in memory: no disk ever holds the copy
			before, err := manage.ReadEnv()
			if err != nil {
				return err
			}
			text, err := e.edit(cmd.Context(), before, func(text string) error { return manage.CheckEnv(before, text) })
			if err != nil {
				return unchanged(g.io, err)
			}
			return putHere(cmd.Context(), g.io, manage.Fingerprint(before), text)
		},
	}
	return g.finish(cmd)
}

// editRemote edits the server's settings here.
func (f *sshFlags) editRemote(ctx context.Context, e editing, target string) error {
	var out bytes.Buffer
	if err := f.runRemote(ctx, e.io, target, rootAlways, nil, manage.AtMost(&out, manage.MaxEnvFile), "config", "put", "--show"); err != nil {
		return err
	}
	before, err := manage.ReadEnvFrom(&out)
	if err != nil {
		return err
	}
	text, err := e.edit(ctx, before, func(text string) error { return manage.CheckEnv(before, text) })
	if err != nil {
		return unchanged(e.io, err)
	}
	return f.runRemote(ctx, e.io, target, rootAlways, strings.NewReader(text), e.io.out, "config", "put", "--from", manage.Fingerprint(before))
}

// newConfigPut is the server's side of an edit on a laptop; nobody types it.
func newConfigPut(io *streams) *cobra.Command {
	var from string
	var show bool
	cmd := &cobra.Command{
		Use:    "put",
		Short:  "Take settings from standard input (used by gca config edit)",
		Hidden: true,
		Args:   args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if show {
				text, err := manage.ReadEnv()
				if err == nil {
					_, err = fmt.Fprint(io.out, text)
				}
				return err
			}
			text, err := manage.ReadEnvFrom(io.in)
			if err != nil {
				return err
			}
			return putHere(cmd.Context(), io, from, text)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "`SHA256` of the settings that these were made from")
	cmd.Flags().BoolVar(&show, "show", false, "print the settings, secrets included, instead")
	return cmd
}

func putHere(ctx context.Context, io *streams, from, text string) error {
	return changeHere(io, func(m manage.Machine) (converge.Applied, error) { return m.ReplaceEnv(ctx, from, text) })
}

// unchanged turns the news that nothing is to be done into words.
func unchanged(io *streams, err error) error {
	if !errors.Is(err, manage.ErrUnchanged) {
		return err
	}
	_, err = fmt.Fprintln(io.err, manage.ErrUnchanged.Error())
	return err
}
