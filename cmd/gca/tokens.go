package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/proxy/config"
)

func newTokens(io *streams, ssh *sshFlags) *cobra.Command {
	g := group{io, ssh}
	cmd := &cobra.Command{
		Use:   "tokens",
		Short: "Show, make, limit and revoke the clients' tokens; make a new admin token",
		Long: `tokens looks after what lets clients in: each has a token with a name and, if you like, limits. Changes count at once and
need no restart. A token is shown once, when it is made; the server keeps its hash alone. The admin token works for
everything, /stats and /metrics and /admin among it, and has no limits.`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTokensList(g), newTokensAdd(g), newTokensRevoke(g), newTokensRotate(g))
	return cmd
}

// maxTokenList bounds the list of a server's tokens in bytes.
const maxTokenList = 4 << 20

func newTokensList(g group) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     g.use("list", ""),
		Short:   "Show the tokens by name, with role, limits and what they used today",
		Long:    "list shows the tokens by name. A day begins at midnight in Los Angeles, as Google's do.",
		Example: g.examples("tokens list", "", "--json"),
		Args:    g.args(0, 0),
		RunE: func(cmd *cobra.Command, given []string) error {
			list, err := g.listTokens(cmd.Context(), given)
			switch {
			case err != nil:
				return err
			case asJSON:
				return json.NewEncoder(g.io.out).Encode(list)
			}
			return printTable(g.io, list.Print)
		},
	}
	jsonFlag(cmd, &asJSON)
	return g.finish(cmd)
}

func (g group) listTokens(ctx context.Context, given []string) (*manage.TokenList, error) {
	if g.ssh == nil {
		return manage.ListTokens(ctx)
	}
	var out bytes.Buffer
	if err := g.ssh.runRemote(ctx, g.io, given[0], rootAlways, nil, manage.AtMost(&out, maxTokenList), "tokens", "list", "--json"); err != nil {
		return nil, err
	}
	list := &manage.TokenList{}
	if err := json.Unmarshal(out.Bytes(), list); err != nil || list.Schema != 1 {
		return nil, fmt.Errorf("the server's list of tokens cannot be read\nhint: gca upgrade, should its release be another one than this; this is gca %s", version)
	}
	return list, nil
}

// limitFlags are the flags of tokens add, in the order of --help, and the limits that they set.
var limitFlags = []struct{ flag, limit, usage string }{
	{"rpm", "rpm", "requests a minute, `N` at most"},
	{"tpm", "tpm", "tokens a minute, in and out, `N` at most"},
	{"concurrent", "concurrent", "requests at once, `N` at most; more wait"},
	{"day-tokens", "day_tokens", "tokens a day, in and out, `N` at most"},
	{"day-usd", "day_usd", "US dollars a day, `N.NN` at most, by Google's list prices"},
	{"models", "models", "names of models that may be asked for, with * in them and | between: `PATTERNS`"},
}

func newTokensAdd(g group) *cobra.Command {
	var asJSON bool
	given := make([]string, len(limitFlags))
	cmd := &cobra.Command{
		Use:   g.use("add", "NAME"),
		Short: "Make a token for a client and show it this once",
		Long: `add makes a client's token, with the limits that are given, and prints it on standard output, this once. A day begins at
midnight in Los Angeles, as Google's do. The admin token is made by the deploy and by rotate-admin.`,
		Example: g.examples("tokens add", "laptop", "ci --rpm 60 --day-usd 2.50 --models 'claude-*|gemini-3.8-flash'"),
		Args:    g.args(1, 1),
		RunE: func(cmd *cobra.Command, words []string) error {
			name := g.behindHost(words)[0]
			if err := manage.CheckTokenName(name); err != nil {
				return ofChange(err)
			}
			var limits config.Limits
			remote := []string{"tokens", "add"}
			for i, f := range limitFlags {
				if !cmd.Flags().Changed(f.flag) {
					continue
				}
				if err := limits.Set(f.limit, given[i]); err != nil {
					return &usageError{fmt.Sprintf("--%s: %v", f.flag, err)}
				}
				remote = append(remote, "--"+f.flag+"="+given[i])
			}
			if g.ssh != nil {
				return g.there(cmd.Context(), words[0], asJSON, append(remote, "--", name)...)
			}
			made, err := manage.AddToken(cmd.Context(), name, limits)
			if err != nil {
				return ofChange(err)
			}
			return g.tellMade(made, asJSON)
		},
	}
	for i, f := range limitFlags {
		cmd.Flags().StringVar(&given[i], f.flag, "", f.usage)
	}
	jsonFlag(cmd, &asJSON)
	return g.finish(cmd)
}

// madeToken is what add and rotate-admin print with --json.
type madeToken struct {
	Schema int    `json:"schema"`
	Name   string `json:"name"`
	Token  string `json:"token"`
	Live   bool   `json:"live"` // in force now; else from the adapter's start on
}

// tellMade prints a token, alone on standard output.
func (g group) tellMade(made manage.MadeToken, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(g.io.out).Encode(madeToken{1, made.Name, made.Reveal(), made.Live})
	}
	words := "in force"
	if !made.Live {
		words = "the adapter is not running, so it counts from its start on"
	}
	if _, err := fmt.Fprintf(g.io.err, "token %s, shown this once (%s):\n", made.Name, words); err != nil {
		return err
	}
	_, err := fmt.Fprintln(g.io.out, made.Reveal())
	return err
}

// revokedToken is what revoke prints with --json.
type revokedToken struct {
	Schema int    `json:"schema"`
	Name   string `json:"name"`
	Live   bool   `json:"live"`
}

func newTokensRevoke(g group) *cobra.Command {
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use:   g.use("revoke", "NAME"),
		Short: "Let a token in no more; its requests that are under way go on",
		Long: `revoke takes a client's token out of the file tokens, and out of force at once. The last client's token is revoked with
--yes alone. Those of CLIENT_TOKENS in adapter.env are changed by config set.`,
		Example: g.examples("tokens revoke", "laptop"),
		Args:    g.args(1, 1),
		RunE: func(cmd *cobra.Command, words []string) error {
			name := g.behindHost(words)[0]
			if err := manage.CheckTokenName(name); err != nil {
				return ofChange(err)
			}
			if g.ssh != nil {
				remote := []string{"tokens", "revoke"}
				if yes {
					remote = append(remote, "--yes")
				}
				return g.there(cmd.Context(), words[0], asJSON, append(remote, "--", name)...)
			}
			live, err := manage.RevokeToken(cmd.Context(), name, yes)
			switch {
			case err != nil:
				return ofChange(err)
			case asJSON:
				return json.NewEncoder(g.io.out).Encode(revokedToken{1, name, live})
			case !live:
				name += " is revoked; the adapter is not running"
			default:
				name += " is revoked"
			}
			_, err = fmt.Fprintln(g.io.out, name)
			return err
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "revoke the last client's token, too")
	jsonFlag(cmd, &asJSON)
	return g.finish(cmd)
}

func newTokensRotate(g group) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   g.use("rotate-admin", ""),
		Short: "Make a new admin token in the place of the old one and show it this once",
		Long: `rotate-admin makes a new admin token and prints it on standard output, this once; the old one ends at once. One that is
set as ADMIN_TOKEN in adapter.env stays.`,
		Example: g.examples("tokens rotate-admin", ""),
		Args:    g.args(0, 0),
		RunE: func(cmd *cobra.Command, words []string) error {
			if g.ssh != nil {
				return g.there(cmd.Context(), words[0], asJSON, "tokens", "rotate-admin")
			}
			made, err := manage.RotateAdmin(cmd.Context())
			if err != nil {
				return ofChange(err)
			}
			if manage.AdminSetting() {
				if _, err := fmt.Fprintln(g.io.err, "ADMIN_TOKEN in adapter.env stays in force\nhint: gemini-manage config set ADMIN_TOKEN= takes it out"); err != nil {
					return err
				}
			}
			return g.tellMade(made, asJSON)
		},
	}
	jsonFlag(cmd, &asJSON)
	return g.finish(cmd)
}
