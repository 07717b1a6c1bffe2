package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/provision"
	"github.com/gemini-claude-adapter/gca/provision/converge"
)

type rollbackFlags struct {
	group
	list bool
	yes  bool
	json bool
}

func newRollback(streams *streams, ssh *sshFlags) *cobra.Command {
	f := &rollbackFlags{group: group{streams, ssh}}
	cmd := &cobra.Command{
		Use:   f.use("rollback", "[RELEASE]"),
		Short: "Go back to a release that served before, without a request lost",
		Long: `rollback puts a release that is kept on the server in force again: the one before, or the one named (--list shows them; a
version or the beginning of a name will do). Settings, keys, tokens and state stay. It serves beside the one that is there
before that is touched, and must answer, or everything is as before. The last three releases are kept.`,
		Example: f.examples("rollback", "", "--list", "0.1.0"),
		Args:    f.args(0, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			if ssh != nil {
				return f.there(cmd.Context(), given[0], strings.Join(given[1:], ""))
			}
			return f.here(cmd.Context(), strings.Join(given, ""))
		},
	}
	cmd.Flags().BoolVar(&f.list, "list", false, "show the releases that are kept, and do nothing")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do it without asking")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON, schema 1")
	return f.finish(cmd)
}

// rollbackResult is what `rollback --json` prints at its end.
type rollbackResult struct {
	Schema int    `json:"schema"`
	From   string `json:"from"`
	To     string `json:"to"`
}

// choose finds the release to go back to and asks, or shows the list; false is a person who was only to see.
func (f *rollbackFlags) choose(list *manage.ReleaseList, name, where string) (to converge.Release, goOn bool, err error) {
	if f.list && f.json {
		return to, false, json.NewEncoder(f.io.out).Encode(list)
	}
	if f.list {
		return to, false, list.Print(f.io.people(), time.Now())
	}
	if to, err = list.Choose(name); err != nil {
		text := err.Error()
		if f.ssh != nil {
			text = renamed{target: f.ssh.named(where)}.text(text)
		}
		return to, false, &usageError{text}
	}
	if f.yes {
		return to, true, nil
	}
	asker := newPrompt(f.io, f.ssh != nil && f.ssh.noInput)
	if asker == nil {
		return to, false, errNobodyToAsk
	}
	if err := list.Print(&visibleWriter{to: f.io.err}, time.Now()); err != nil {
		return to, false, err
	}
	yes, err := asker.confirm("Go back to "+to.Name+" on "+where+"?", true)
	if err == nil && !yes {
		err = provision.ErrDeclined
	}
	return to, err == nil, err
}

// here goes back on this machine: the release itself does it, for it knows its own units and site.
func (f *rollbackFlags) here(ctx context.Context, name string) error {
	if os.Geteuid() != 0 {
		return manage.ErrNotRoot
	}
	list, err := manage.ListReleases(readSettings)
	if err != nil {
		return err
	}
	to, goOn, err := f.choose(list, name, "this server")
	if !goOn {
		return err
	}
	if exec.CommandContext(ctx, to.Binary, "agent", "--adopt", "--help").Run() != nil {
		return &usageError{fmt.Sprintf("release %s is from before rollbacks, and cannot take over by itself; nothing was changed\nhint: on your laptop, with the gca of that release: gca deploy", to.Name)}
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), to.Binary, "agent", "--adopt")
	cmd.Stderr = f.io.err
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return &statusError{exit.ExitCode()} // it has said why
	case err != nil:
		return fmt.Errorf("cannot run %s: %w", to.Binary, err)
	}
	return f.tell(list.Releases[0].Name, to.Name)
}

// there goes back on a server, and looks from here whether the release answers.
func (f *rollbackFlags) there(ctx context.Context, target, name string) error {
	list, err := f.listThere(ctx, target)
	if err != nil {
		return err
	}
	to, goOn, err := f.choose(list, name, target)
	if !goOn {
		return err
	}
	from := list.Releases[0]
	host, _, err := f.ssh.parse(ctx, target, f.io)
	if err != nil {
		return err
	}
	seen := provision.Answers(ctx, host, list.Site, from.Name)
	if err := f.run(ctx, target, to.Name); err != nil {
		return err
	}
	if seen != nil { // it did not answer before either
		_, err = fmt.Fprintf(f.io.err, "the adapter could not be reached from here before either, so it was asked on the server alone: %v\n", seen)
		return errors.Join(err, f.tell(from.Name, to.Name))
	}
	failed := provision.Await(ctx, host, list.Site, to.Name)
	if failed == nil {
		return f.tell(from.Name, to.Name)
	}
	return f.putBack(ctx, target, from.Name, to.Name, failed)
}

// putBack brings back the release of before one that does not answer from here. Who did not wait for that has not seen it.
func (f *rollbackFlags) putBack(ctx context.Context, target, from, to string, failed *provision.Error) error {
	if ctx.Err() != nil {
		return &provision.Error{Kind: provision.KindInterrupted, Message: to + " is in force, and answers on the server; whether it answers from here was not waited for", Hint: "gca status " + f.ssh.named(target)}
	}
	if err := f.run(ctx, target, from); err != nil {
		return errors.Join(&provision.Error{Kind: provision.KindRollbackFailed, Message: failed.Message + ", and " + from + " could not be put back", Err: failed.Err}, err)
	}
	failed.Message += ", so " + from + " was put back"
	return failed
}

func (f *rollbackFlags) listThere(ctx context.Context, target string) (*manage.ReleaseList, error) {
	var out bytes.Buffer
	if err := f.ssh.runRemote(ctx, f.io, target, rootAlways, nil, manage.AtMost(&out, maxReport), "rollback", "--list", "--json"); err != nil {
		return nil, err
	}
	list := &manage.ReleaseList{}
	if err := json.Unmarshal(out.Bytes(), list); err != nil || list.Schema != 1 || len(list.Releases) == 0 {
		return nil, fmt.Errorf("the server's list of releases cannot be read: %.200q", out.String())
	}
	return list, nil
}

func (f *rollbackFlags) run(ctx context.Context, target, release string) error {
	var out bytes.Buffer
	return f.ssh.runRemote(ctx, f.io, target, rootAlways, strings.NewReader(""), manage.AtMost(&out, maxReport), "rollback", "--yes", "--json", release)
}

func (f *rollbackFlags) tell(from, to string) error {
	if f.json {
		return json.NewEncoder(f.io.out).Encode(rollbackResult{1, from, to})
	}
	_, err := fmt.Fprintf(f.io.out, "release %s is in force, and %s is kept\n", to, from)
	return err
}
