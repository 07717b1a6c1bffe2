package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

func newKeys(io *streams, ssh *sshFlags) *cobra.Command {
	g := group{io, ssh}
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Show, add, remove, test, reset and disable the Gemini API keys",
		Long: `keys looks after the Gemini API keys of a running adapter; no change of them needs a restart, and no request notices one. A
key is named by its id (a short hash and its last four characters), by its label, or by the beginning of either.`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newKeysList(g), newKeysAdd(g), newKeysRemove(g), newKeysTest(g), newKeysReset(g))
	cmd.AddCommand(newKeysSwitch(g, control.Disable, "Use a key no more, until it is enabled; it stays configured"))
	cmd.AddCommand(newKeysSwitch(g, control.Enable, "Use a key again that was disabled, by a person or by Google's word"))
	return cmd
}

// behindHost are the arguments without the host.
func (g group) behindHost(given []string) []string {
	if g.ssh != nil {
		return given[1:]
	}
	return given
}

// there runs words on the server that is given, whose output becomes ours.
func (g group) there(ctx context.Context, target string, asJSON bool, words ...string) error {
	if asJSON {
		words = append([]string{words[0], words[1], "--json"}, words[2:]...)
	}
	return g.ssh.runRemote(ctx, g.io, target, rootAlways, nil, g.io.out, words...)
}

func jsonFlag(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "print JSON, schema 1")
}

// ofKey gives the errors about a key's name the exit code of a mistake on the command line.
func ofKey(err error) error {
	var refusal *control.Refusal
	if errors.As(err, &refusal) && (refusal.Code == control.Unknown || refusal.Code == control.Ambiguous) {
		return &usageError{refusal.Message + "\nhint: gemini-manage keys list shows them all"}
	}
	return ofChange(err)
}

func newKeysList(g group) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     g.use("list", ""),
		Short:   "Show each key: state, why it rests and until when, requests, and how many of them succeeded",
		Example: g.examples("keys list", "", "--json"),
		Args:    g.args(0, 0),
		RunE: func(cmd *cobra.Command, given []string) error {
			list, err := g.listKeys(cmd.Context(), given)
			switch {
			case err != nil:
				return err
			case asJSON:
				return json.NewEncoder(g.io.out).Encode(list)
			}
			return printTable(g.io, func(w io.Writer) error { return list.Print(w, time.Now()) })
		},
	}
	jsonFlag(cmd, &asJSON)
	return g.finish(cmd)
}

// maxKeyList bounds the list of a server's keys in bytes.
const maxKeyList = 8 << 20

// listKeys asks this server or the given one. A list from afar is shown here, by the clock and in the time zone of this machine.
func (g group) listKeys(ctx context.Context, given []string) (*manage.KeyList, error) {
	if g.ssh == nil {
		return manage.ListKeys(ctx)
	}
	var out bytes.Buffer
	if err := g.ssh.runRemote(ctx, g.io, given[0], rootToRead, nil, manage.AtMost(&out, maxKeyList), "keys", "list", "--json"); err != nil {
		return nil, err
	}
	list := &manage.KeyList{}
	if err := json.Unmarshal(out.Bytes(), list); err != nil || list.Schema != 1 {
		return nil, fmt.Errorf("the server's list of keys cannot be read\nhint: gca upgrade, should its release be another one than this; this is gca %s", version)
	}
	return list, nil
}

// changedKey is what the changes of a key print with --json.
type changedKey struct {
	Schema int    `json:"schema"`
	ID     string `json:"id"`
	Change string `json:"change"`
	Live   bool   `json:"live"` // in force now; else from the adapter's start on
}

func (g group) tellKey(id, change, words string, live, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(g.io.out).Encode(changedKey{1, id, change, live})
	}
	words = g.io.lang.Say(words)
	if !live {
		words += g.io.lang.Say("; the adapter is not running, so this counts from its start on")
	}
	_, err := fmt.Fprintln(g.io.out, id, words)
	return err
}

func (g group) changeKey(ctx context.Context, name string, change control.Change, words string, asJSON bool) error {
	id, err := manage.ChangeKey(ctx, name, change)
	if err != nil {
		return ofKey(err)
	}
	return g.tellKey(id, string(change), words, true, asJSON)
}

func newKeysSwitch(g group, change control.Change, short string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     g.use(string(change), "NAME"),
		Short:   short,
		Example: g.examples("keys "+string(change), "1a2b3c4d-wxyz"),
		Args:    g.args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			name := g.behindHost(given)[0]
			if g.ssh != nil {
				return g.there(cmd.Context(), given[0], asJSON, "keys", string(change), "--", name)
			}
			return g.changeKey(cmd.Context(), name, change, "is "+string(change)+"d", asJSON)
		},
	}
	jsonFlag(cmd, &asJSON)
	return g.finish(cmd)
}

func newKeysReset(g group) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   g.use("reset", "[NAME]"),
		Short: "Give a key another chance at once; without a name, choose from the list",
		Long: `reset forgets what Google said of a key, so that it is used again at once: its rests, for whatever model, and that it was
refused. If Google still says the same, so will the adapter. A key that a person disabled needs enable. NAME is an id or a label,
the beginning of one, or of the key itself, which takes eight characters or more.`,
		Example: g.examples("keys reset", "", "1a2b3c4d-wxyz"),
		Args:    g.args(0, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			var name string
			if named := g.behindHost(given); len(named) == 1 {
				name = named[0]
			} else {
				var err error
				if name, err = g.pickKey(cmd.Context(), given); err != nil {
					return err
				}
			}
			if g.ssh != nil {
				return g.there(cmd.Context(), given[0], asJSON, "keys", "reset", "--", name)
			}
			return g.changeKey(cmd.Context(), name, control.Reset, "is reset", asJSON)
		},
	}
	jsonFlag(cmd, &asJSON)
	return g.finish(cmd)
}

// pickKey offers the list of keys.
func (g group) pickKey(ctx context.Context, given []string) (id string, err error) {
	list, err := g.listKeys(ctx, given)
	if err != nil {
		return "", err
	}
	asker := newPrompt(g.io, g.ssh != nil && g.ssh.noInput)
	var lines, ids []string
	for _, key := range list.Keys {
		lines, ids = append(lines, visible(key.Line(time.Now()))), append(ids, key.ID)
	}
	if asker == nil {
		return "", &usageError{"which key? nobody can be asked here\nhint: name one of " + strings.Join(ids, ", ")}
	}
	at, err := asker.pick("Which key is to be reset?", lines)
	if err != nil {
		return "", err
	}
	return ids[at], nil
}

func newKeysRemove(g group) *cobra.Command {
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use:   g.use("remove", "NAME"),
		Short: "Take a key out of the settings and out of use; open answers go on",
		Long: `remove takes a key out of the file keys, and out of use at once; answers that are under way with it go on. The last key is
not removed. Keys in GEMINI_API_KEYS of adapter.env are changed by config set; disable takes one of those out of use.`,
		Example: g.examples("keys remove", "1a2b3c4d-wxyz"),
		Args:    g.args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			name := g.behindHost(given)[0]
			if err := g.sure(yes, "Remove the key "+bounded(name)+"?"); err != nil {
				return err
			}
			if g.ssh != nil {
				return g.there(cmd.Context(), given[0], asJSON, "keys", "remove", "--yes", "--", name)
			}
			id, live, err := manage.RemoveKey(cmd.Context(), name)
			if err != nil {
				return ofKey(err)
			}
			return g.tellKey(id, "remove", "is removed", live, asJSON)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	jsonFlag(cmd, &asJSON)
	return g.finish(cmd)
}

// bounded shows the beginning of a name alone: somebody may take a whole key for one.
func bounded(name string) string {
	const shown = 24
	if len(name) > shown {
		return name[:shown/2] + "…"
	}
	return name
}

// sure asks whether it is meant, unless that was said before.
func (g group) sure(yes bool, question string) error {
	if yes {
		return nil
	}
	asker := newPrompt(g.io, g.ssh != nil && g.ssh.noInput)
	if asker == nil {
		return &usageError{"nobody can be asked here whether this is meant\nhint: the same command with --yes"}
	}
	meant, err := asker.confirm(question, false)
	if err == nil && !meant {
		err = &statusError{exitFailed}
	}
	return err
}

// testedKeys is what test and add print with --json.
type testedKeys struct {
	Schema int                `json:"schema"`
	Keys   []manage.KeyResult `json:"keys"`
	Live   bool               `json:"live"` // what was added is in force; else it is from the adapter's start on
}

// tellResults prints what came of keys, one a line, and returns the exit code: 0 if all went well, 3 if some did, 1 if none.
func (g group) tellResults(results []manage.KeyResult, live, asJSON bool, good, bad string) error {
	failed := 0
	for _, r := range results {
		if !r.OK {
			failed++
		}
	}
	if asJSON {
		if err := json.NewEncoder(g.io.out).Encode(testedKeys{1, results, live}); err != nil {
			return err
		}
	} else if err := g.printResults(results, good, bad); err != nil {
		return err
	}
	switch failed {
	case 0:
		return nil
	case len(results):
		return &statusError{exitFailed}
	}
	return &statusError{exitPartial}
}

func (g group) printResults(results []manage.KeyResult, good, bad string) error {
	for _, r := range results {
		name, word := r.ID, g.io.lang.Say(good)
		if r.Label != "" {
			name += " (" + r.Label + ")"
		}
		if !r.OK {
			word = g.io.lang.Say(bad) + ": " + strings.ReplaceAll(r.Problem, "\n", "\n    ")
		}
		if _, err := fmt.Fprintf(g.io.out, "%-24s  %s\n", name, visible(word)); err != nil {
			return err
		}
	}
	return nil
}

func newKeysTest(g group) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   g.use("test", "[NAME]"),
		Short: "Ask Google, from the server, whether it takes a key, or all of them; exit code 3 if it refuses some, 1 if all",
		Long: `test asks Google with each key for the first entry of its list of models, which costs nothing, from the server and through
the key's own egress proxy. A key that Google refused and takes again comes back; quotas are not tested.`,
		Example: g.examples("keys test", "", "1a2b3c4d-wxyz"),
		Args:    g.args(0, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			named := g.behindHost(given)
			if g.ssh != nil {
				return g.there(cmd.Context(), given[0], asJSON, append([]string{"keys", "test", "--"}, named...)...)
			}
			results, err := manage.TestKeys(cmd.Context(), strings.Join(named, ""))
			if err != nil {
				return ofKey(err)
			}
			return g.tellResults(results, true, asJSON, "ok", "not usable")
		},
	}
	jsonFlag(cmd, &asJSON)
	return g.finish(cmd)
}
