package main

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/provision/remote"
	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// completer proposes words for an argument or a flag.
type completer func() []string

// completeFlag proposes values of a flag that the command has.
func completeFlag(cmd *cobra.Command, flag string, words completer) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return words(), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic("BUG: " + err.Error()) // the flag does not exist, or has completions already
	}
}

// firstArg proposes words for the first argument, and nothing for others.
func firstArg(words completer) cobra.CompletionFunc {
	return func(_ *cobra.Command, given []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(given) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return words(), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeProfiles are the names of this user's connections.
func completeProfiles() []string {
	profiles, err := loadProfiles()
	if err != nil {
		return nil
	}
	return profiles.Names()
}

// completeHosts are the servers that this user deployed to or connected over, and the names in the user's ssh_config.
func completeHosts() []string {
	hosts := remote.Aliases()
	if profiles, err := loadProfiles(); err == nil {
		hosts = append(profiles.Hosts(), hosts...)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// completeArguments gives every command below root that takes a host, or a name that the server knows, its proposals.
func completeArguments(root *cobra.Command, g group) {
	names := func(ask func(group, context.Context, []string) []string) func([]string) []string {
		return func(given []string) []string { return askQuietly(g, ask, given) }
	}
	behind := map[string]func([]string) []string{
		"keys remove": names(keyNames), "keys enable": names(keyNames), "keys disable": names(keyNames), "keys reset": names(keyNames), "keys test": names(keyNames),
		"tokens revoke": names(tokenNames),
		"config get":    func([]string) []string { return config.Names() }, "config set": func([]string) []string { return withEquals(config.Names()) },
	}
	for _, cmd := range below(root) {
		path := strings.TrimPrefix(cmd.CommandPath(), root.Name()+" ")
		host, next := strings.Contains(cmd.Use, "[user@]host"), behind[path]
		if cmd.ValidArgsFunction == nil && (host || next != nil) {
			cmd.ValidArgsFunction = proposals(host, next, cmd.Name() == "restore")
		}
	}
}

// proposals are hosts for the first argument where there is one, then what comes behind it.
func proposals(host bool, next func(given []string) []string, files bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, given []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		directive := cobra.ShellCompDirectiveNoFileComp
		switch {
		case host && len(given) == 0:
			return completeHosts(), directive
		case files:
			return nil, cobra.ShellCompDirectiveDefault
		case next == nil:
			return nil, directive
		}
		if cmd.Name() == "set" {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		return next(given), directive
	}
}

func withEquals(names []string) []string {
	var out []string
	for _, name := range names {
		out = append(out, name+"=")
	}
	return out
}

// below are all commands below another one.
func below(cmd *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, child := range cmd.Commands() {
		all = append(all, child)
		all = append(all, below(child)...)
	}
	return all
}

// proposalTime is how long a person may wait for proposals that a server has to be asked for.
const proposalTime = 5 * time.Second

// askQuietly asks the server for names; where that takes a question, or goes wrong, there are none.
func askQuietly(g group, ask func(group, context.Context, []string) []string, given []string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), proposalTime)
	defer cancel()
	quiet := group{io: &streams{in: os.Stdin, out: io.Discard, err: io.Discard}}
	if g.ssh != nil {
		ssh := *g.ssh
		ssh.noInput, ssh.parsed = true, nil
		quiet.ssh = &ssh
	}
	return ask(quiet, ctx, given)
}

// keyNames are the labels of a server's keys, and the ids of those without one.
func keyNames(g group, ctx context.Context, given []string) []string {
	list, err := g.listKeys(ctx, given)
	if err != nil {
		return nil
	}
	var names []string
	for _, key := range list.Keys {
		if key.Label != "" {
			names = append(names, visible(key.Label)+"\t"+key.ID)
		} else {
			names = append(names, key.ID)
		}
	}
	return names
}

// tokenNames are the names of a server's client tokens.
func tokenNames(g group, ctx context.Context, given []string) []string {
	var list *manage.TokenList
	var err error
	if list, err = g.listTokens(ctx, given); err != nil {
		return nil
	}
	var names []string
	for _, token := range list.Tokens {
		names = append(names, token.Name)
	}
	return names
}

// nearest are the words that another may have been meant for, behind a command; without one, all of them.
func nearest(command, typed string, words []string) string {
	finder := &cobra.Command{SuggestionsMinimumDistance: 2}
	for _, word := range words {
		finder.AddCommand(&cobra.Command{Use: word, Run: func(*cobra.Command, []string) {}})
	}
	if near := finder.SuggestionsFor(typed); len(near) > 0 {
		return "did you mean " + command + strings.Join(near, " or "+command) + "?"
	}
	return "one of " + strings.Join(words, ", ")
}
