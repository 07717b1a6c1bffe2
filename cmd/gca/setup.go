package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/manage/client/setup"
)

// setupFlags say what is to be done with a program's settings.
type setupFlags struct {
	profile, model   string
	print, undo, yes bool
}

func newSetup(io *streams) *cobra.Command {
	f := &setupFlags{}
	cmd := &cobra.Command{
		Use:   "setup PROGRAM [-- COMMAND…]",
		Short: "Point Claude Code, Codex, Gemini CLI, an editor or an SDK at the adapter",
		Long: `setup writes the adapter's address and token into the settings of a program: ` + strings.Join(setup.Names(), ", ") + `.
It shows the difference and asks; what else is in the settings stays, and what was there before is kept beside them, for
--undo. --print shows what would be written, token included, and writes nothing. For openai-sdk and curl there are no
settings to write: what to paste is shown.

Behind -- stands a command that is run once with the settings, while none are written.`,
		Example: `  gca setup claude-code
  gca setup claude-code -- claude
  gca setup codex --print
  gca setup vscode --undo`,
		Args:              setupArgs,
		ValidArgsFunction: firstArg(setup.Names),
		RunE: func(cmd *cobra.Command, given []string) error {
			if len(given) == 0 {
				return cmd.Help()
			}
			return f.run(cmd.Context(), io, given[0], given[1:])
		},
	}
	profileFlag(cmd, &f.profile)
	cmd.Flags().StringVarP(&f.model, "model", "m", "", "`MODEL` for the program to ask for (default: its own choice, which the adapter maps)")
	cmd.Flags().BoolVar(&f.print, "print", false, "show what would be written, token included, and write nothing")
	cmd.Flags().BoolVar(&f.undo, "undo", false, "put the settings back to what they were")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
	noInputFlag(cmd, &io.noInput)
	return cmd
}

// setupArgs are a program's name and, behind --, a command.
func setupArgs(cmd *cobra.Command, given []string) error {
	switch dash := cmd.ArgsLenAtDash(); {
	case len(given) == 0 && dash < 0:
		return nil
	case dash == 0:
		return &usageError{"which program is it that the command belongs to?\nhint: gca setup claude-code -- claude"}
	case dash < 0 && len(given) > 1:
		return &usageError{fmt.Sprintf("%s: there is an argument too many\nhint: a command stands behind --: gca setup %s -- %s", cmd.CommandPath(), given[0], given[1])}
	case dash > 0 && len(given) == dash:
		return &usageError{"there is no command behind --\nhint: gca setup claude-code -- claude"}
	}
	if !slices.Contains(setup.Names(), given[0]) {
		return &usageError{fmt.Sprintf("setup knows no program %q\nhint: %s", given[0], nearest("gca setup ", given[0], setup.Names()))}
	}
	return nil
}

func (f *setupFlags) run(ctx context.Context, io *streams, name string, command []string) error {
	if f.print && f.undo || len(command) > 0 && (f.print || f.undo) {
		return &usageError{"--print, --undo and a command exclude each other\nhint: gca setup --help"}
	}
	profile, err := loadProfile(f.profile)
	if err != nil && !f.undo { // to undo takes no adapter
		return err
	}
	place, err := userPlace(profile)
	if err != nil {
		return err
	}
	target, ok := place.For(name, profile, f.model)
	switch {
	case !ok:
		return &usageError{"setup knows no program " + name}
	case len(command) > 0:
		return errors.Join(client.KeepRoots(profile), runOnce(ctx, io, target, command))
	case len(target.Files) == 0 && f.undo:
		return &usageError{"setup writes no settings for " + name + ", so there is nothing to undo"}
	case len(target.Files) == 0:
		_, err := fmt.Fprintln(io.out, target.Words)
		return errors.Join(client.KeepRoots(profile), err)
	case f.print:
		return printSettings(io, place, target)
	case f.undo:
		return f.putBack(io, target)
	}
	return f.write(io, target, profile)
}

func userPlace(profile client.Profile) (setup.Place, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return setup.Place{}, fmt.Errorf("cannot find your home folder: %w", err)
	}
	config, err := os.UserConfigDir()
	if err != nil {
		return setup.Place{}, fmt.Errorf("cannot find your configuration folder: %w", err)
	}
	roots, err := client.RootsFile(profile)
	return setup.Place{Home: home, Config: config, Getenv: os.Getenv, GOOS: runtime.GOOS, Roots: roots}, err
}

func printSettings(io *streams, place setup.Place, t *setup.Target) error {
	var b strings.Builder
	for _, file := range t.Files {
		text, err := file.Fragment()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "# %s\n%s\n", file.Path, text)
	}
	fmt.Fprintf(&b, "# or, for one shell\n%s", place.Exports(t))
	if args := t.Once.Args; len(args) > 0 {
		b.WriteString("# and in front of the program's arguments\n")
		for i := 0; i+1 < len(args); i += 2 {
			fmt.Fprintf(&b, "%s '%s'\n", args[i], args[i+1])
		}
	}
	_, err := fmt.Fprint(io.out, b.String())
	return err
}

func (f *setupFlags) write(io *streams, t *setup.Target, profile client.Profile) error {
	changes, err := t.Plan()
	if err != nil {
		return err
	}
	if len(changes) == 0 {
		_, err := fmt.Fprintf(io.err, "%s: the settings are as they should be\n%s\n", t.Title, t.Words)
		return err
	}
	if err := f.agreed(io, changes, "Write this?"); err != nil {
		return err
	}
	if err := errors.Join(client.KeepRoots(profile), setup.Apply(changes)); err != nil {
		return err
	}
	for _, c := range changes {
		if _, err := fmt.Fprintf(io.err, "wrote %s; what it was before is in %s\n", c.Path, c.Path+setup.BackupSuffix); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(io.err, "%s\nundo: gca setup %s --undo\n", t.Words, t.Name)
	return err
}

func (f *setupFlags) putBack(io *streams, t *setup.Target) error {
	changes, err := t.PlanUndo()
	if err != nil {
		return err
	}
	if err := f.agreed(io, changes, "Put this back?"); err != nil {
		return err
	}
	if err := setup.Undo(changes); err != nil {
		return err
	}
	for _, c := range changes {
		if _, err := fmt.Fprintln(io.err, "put back", c.Path); err != nil {
			return err
		}
	}
	return nil
}

// agreed shows the changes and asks for them.
func (f *setupFlags) agreed(io *streams, changes []setup.Change, question string) error {
	p := newPalette(io.err)
	for _, c := range changes {
		if err := printDiff(io, p, visible(c.Diff())); err != nil {
			return err
		}
	}
	if f.yes {
		return nil
	}
	asker := newPrompt(io, false)
	if asker == nil {
		return &usageError{"nobody can be asked here whether this is meant\nhint: the same command with --yes"}
	}
	yes, err := asker.confirm(question, true)
	if err == nil && !yes {
		err = &usageError{"nothing was changed"}
	}
	return err
}

func printDiff(io *streams, p palette, diff string) error {
	var b strings.Builder
	for line := range strings.Lines(diff) {
		text := strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(text, "+++"), strings.HasPrefix(text, "---"):
			text = p.bold.Sprint(text)
		case strings.HasPrefix(text, "+"):
			text = p.good.Sprint(text)
		case strings.HasPrefix(text, "-"):
			text = p.bad.Sprint(text)
		case strings.HasPrefix(text, "@@"):
			text = p.dim.Sprint(text)
		}
		b.WriteString(text + "\n")
	}
	_, err := fmt.Fprint(io.err, b.String())
	return err
}

// runOnce runs a command with the target's environment. The terminal is the command's, and its exit code becomes ours.
func runOnce(ctx context.Context, io *streams, t *setup.Target, command []string) (err error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if !slices.Contains(t.Unset, name) {
			cmd.Env = append(cmd.Env, v)
		}
	}
	for _, v := range t.Env {
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
	}
	done, err := prepare(cmd, t)
	defer func() { err = errors.Join(err, done()) }()
	if err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = io.in, io.out, io.err
	io.lent.Store(true)
	defer io.lent.Store(false)
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return &usageError{fmt.Sprintf("there is no program %q here\nhint: install it first, or give its path", command[0])}
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return &statusError{exit.ExitCode()}
	}
	return err
}

// prepare makes a program that is run take the target's settings and not its own. done removes what was written for that.
func prepare(cmd *exec.Cmd, t *setup.Target) (done func() error, err error) {
	done = func() error { return nil }
	name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(cmd.Args[0]), ".exe"), ".cmd")
	if name != t.Once.Program {
		return done, nil
	}
	args := slices.Clone(t.Once.Args)
	if t.Once.Settings != nil {
		text, err := t.Once.Settings.Fragment()
		if err != nil {
			return done, err
		}
		folder, err := client.Folder()
		if err != nil {
			return done, err
		}
		dir, err := os.MkdirTemp(folder, "setup-") // made with mode 0700; Gemini CLI wants no folder above it that others may write to
		if err != nil {
			return done, err
		}
		done = func() error { return os.RemoveAll(dir) }
		file := filepath.Join(dir, "settings.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return done, err
		}
		if t.Once.Flag != "" {
			args = append(args, t.Once.Flag, file)
		} else {
			cmd.Env = append(cmd.Env, t.Once.Variable+"="+file)
		}
	}
	cmd.Args = slices.Insert(cmd.Args, 1, args...)
	return done, nil
}
