package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
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

// completeHosts are the servers that this user deployed to or connected over.
func completeHosts() []string {
	profiles, err := loadProfiles()
	if err != nil {
		return nil
	}
	hosts := profiles.Hosts()
	slices.Sort(hosts)
	return hosts
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
