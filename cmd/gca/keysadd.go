package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// addFlags are those of keys add.
type addFlags struct {
	keysFile, label, group, proxy string
	noTest, json                  bool
}

func newKeysAdd(g group) *cobra.Command {
	f := &addFlags{}
	cmd := &cobra.Command{
		Use:   g.use("add", "[-]"),
		Short: "Add keys, each after Google was asked whether it takes it",
		Long: `add asks for keys without echo, or reads them from --keys-file FILE or, with -, from standard input: one a line, as the file
keys has them, KEY [group=NAME] [proxy=URL] [label=NAME]. Keys are not taken as arguments, which everybody on a machine can
see. Each is tried from the server, through its egress proxy, before it counts; those that fail are left out, with Google's
reason (exit code 3 if others were added, 1 if none was).

Keys of one Google project share its quotas: give them the same --group.`,
		Example: g.examples("keys add", "", "--label alice --group project-1", "- < more-keys.txt"),
		Args:    g.args(0, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			if more := g.behindHost(given); len(more) == 1 && more[0] != "-" {
				return &usageError{"a key is not taken as an argument, which everybody on the machine can see\nhint: without it the key is asked for; - reads keys from standard input"}
			} else if len(more) == 1 && f.keysFile != "" {
				return &usageError{"- and --keys-file: give one of them"}
			} else if len(more) == 1 {
				f.keysFile = "-"
			}
			all, err := f.read(g)
			if err != nil {
				return err
			}
			if g.ssh != nil {
				words := []string{"keys", "add"}
				for word, set := range map[string]bool{"--no-test": f.noTest, "--json": f.json} {
					if set {
						words = append(words, word)
					}
				}
				in := strings.NewReader(config.FormatKeys(all))
				return g.ssh.runRemote(cmd.Context(), g.io, given[0], rootAlways, in, g.io.out, append(words, "-")...)
			}
			results, live, err := manage.AddKeys(cmd.Context(), all, !f.noTest)
			if err != nil {
				return ofKey(err)
			}
			return g.tellResults(results, live, f.json, addedWords(live), "not added")
		},
	}
	cmd.Flags().StringVar(&f.keysFile, "keys-file", "", "read keys from `FILE`, one a line (- is standard input)")
	cmd.Flags().StringVar(&f.label, "label", "", "`NAME` of the key, for people")
	cmd.Flags().StringVar(&f.group, "group", "", "`NAME` of the Google project that the keys belong to")
	cmd.Flags().StringVar(&f.proxy, "proxy", "", "egress proxy `URL` of the keys alone: http, https or socks5")
	cmd.Flags().BoolVar(&f.noTest, "no-test", false, "do not ask Google about the keys first")
	jsonFlag(cmd, &f.json)
	return g.finish(cmd)
}

func addedWords(live bool) string {
	if live {
		return "added"
	}
	return "added; the adapter is not running, so it counts from its start on"
}

// read reads the keys, and gives those the flags' label, group and proxy that have none of their own.
func (f *addFlags) read(g group) ([]config.Key, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	all, err := f.given(g)
	if err != nil {
		return nil, err
	}
	if f.label != "" && len(all) > 1 {
		return nil, &usageError{fmt.Sprintf("--label is for one key, and %d were given\nhint: in a file each line has its own: KEY label=NAME", len(all))}
	}
	var more []string
	for name, value := range map[string]string{"label": f.label, "group": f.group, "proxy": f.proxy} {
		if value != "" {
			more = append(more, name+"="+value)
		}
	}
	words := strings.Join(more, " ")
	for i, key := range all {
		// the line's own words come last, and the last counts
		own := strings.TrimPrefix(config.FormatKeys([]config.Key{key}), key.Secret.Reveal())
		line, err := config.ParseKeys(key.Secret.Reveal() + " " + words + own)
		if err != nil {
			return nil, &usageError{strings.TrimPrefix(err.Error(), "line 1: ")}
		}
		all[i] = line[0]
	}
	return all, nil
}

// check judges the flags.
func (f *addFlags) check() error {
	for name, value := range map[string]string{"--label": f.label, "--group": f.group} {
		if _, err := config.ParseKeys("k label=" + value); value != "" && err != nil {
			return &usageError{fmt.Sprintf("%s %s: expected letters, digits and - _ . @, at most 64", name, value)}
		}
	}
	if f.proxy == "" {
		return nil
	}
	if u, err := url.Parse(f.proxy); err != nil || u.User != nil {
		return &usageError{"--proxy: a URL with a user or a password is secret, and arguments can be seen by everybody on the machine\nhint: in a line of --keys-file: KEY proxy=URL"}
	}
	if _, err := config.ParseKeys("k proxy=" + f.proxy); err != nil {
		return &usageError{fmt.Sprintf("--proxy %s: expected a URL that starts with http://, https:// or socks5://", f.proxy)}
	}
	return nil
}

// given reads the keys of the file, of standard input, or of the prompt.
func (f *addFlags) given(g group) ([]config.Key, error) {
	if f.keysFile != "" {
		text, err := readSecretFile(g.io, f.keysFile)
		if err != nil {
			return nil, err
		}
		all, err := config.ParseKeys(text)
		if err == nil && len(all) == 0 {
			err = errors.New("there is no key in it")
		}
		if err != nil {
			return nil, &usageError{fmt.Sprintf("--keys-file %s: %v\nhint: one key a line: KEY [group=NAME] [proxy=URL] [label=NAME]", f.keysFile, err)}
		}
		return all, nil
	}
	asker := newPrompt(g.io, g.ssh != nil && g.ssh.noInput)
	if asker == nil {
		return nil, &usageError{"no keys were given, and nobody can be asked here\nhint: - reads them from standard input, --keys-file FILE from a file; keys come from https://aistudio.google.com/apikey"}
	}
	return asker.keys("Gemini API keys, commas between several")
}
