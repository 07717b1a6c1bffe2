package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// seer gets the figures of an adapter: from this server, from another one over SSH, or by a connection's token.
type seer struct {
	group
	profile   string
	json, csv bool
}

// use is a usage line, with the host where one may be named.
func (s *seer) use(name string) string {
	if s.ssh == nil {
		return name
	}
	return name + " [user@host]"
}

func (s *seer) flags(cmd *cobra.Command) {
	jsonFlag(cmd, &s.json)
	cmd.Flags().BoolVar(&s.csv, "csv", false, "print CSV")
	if s.ssh != nil {
		s.ssh.add(cmd)
		profileFlag(cmd, &s.profile)
		cmd.ValidArgsFunction = firstArg(completeHosts)
	}
}

func (s *seer) check() error {
	if s.json && s.csv {
		return &usageError{"--json and --csv exclude each other"}
	}
	return nil
}

// maxSeen bounds the figures of a server in bytes.
const maxSeen = 128 << 20

func (s *seer) see(ctx context.Context, given []string, days int) (client.Seen, error) {
	switch {
	case s.ssh == nil:
		all, err := manage.Stats(ctx, days)
		return client.Seen{All: &all}, err
	case len(given) == 1:
		var out bytes.Buffer
		err := s.ssh.runRemote(ctx, s.io, given[0], rootToRead, nil, manage.AtMost(&out, maxSeen), "stats", "--json", "--days", strconv.Itoa(days))
		if err != nil {
			return client.Seen{}, err
		}
		return client.ReadSeen(out.Bytes())
	}
	profile, err := loadProfile(s.profile)
	if err != nil {
		return client.Seen{}, err
	}
	c := client.New(profile)
	defer c.Close()
	return c.Stats(ctx, days)
}

// print writes what has three forms.
func (s *seer) print(v any, table, csv func(io.Writer) error) error {
	switch {
	case s.json:
		return json.NewEncoder(s.io.out).Encode(v)
	case s.csv:
		return csv(s.io.out)
	}
	var text bytes.Buffer
	if err := table(&text); err != nil {
		return err
	}
	_, err := io.WriteString(s.io.out, visible(text.String())) // names of models come from clients
	return err
}

// shown is what was seen in its own JSON form.
func shown(seen client.Seen) any {
	if seen.Own != nil {
		return seen.Own
	}
	return seen.All
}

func newStats(g group) *cobra.Command {
	s := &seer{group: g}
	days := 0
	cmd := &cobra.Command{
		Use:   s.use("stats"),
		Short: "Show how the adapter does now: keys, requests, speed, and what was used today",
		Long: `stats shows what the connection's token may see: a client's token its own use and limits, the admin token everything. With a
host it asks over SSH, and shows everything. A day begins at midnight in Los Angeles, as Google's do; costs are Google's list
prices, and keys without billing pay nothing.`,
		Example: s.examplesOf("stats", "", "--json"),
		Args:    args(0, boolInt(g.ssh != nil)),
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := s.check(); err != nil {
				return err
			}
			seen, err := s.see(cmd.Context(), given, days)
			if err != nil {
				return err
			}
			return s.print(shown(seen), func(w io.Writer) error { return seen.Print(w, time.Now()) }, seen.CSV)
		},
	}
	s.flags(cmd)
	if g.ssh == nil {
		cmd.Flags().IntVar(&days, "days", 0, "with --json: the last `N` days, too")
	}
	return cmd
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// examplesOf are lines of --help: two without a host, or, from a laptop, a third with one.
func (s *seer) examplesOf(verb string, tails ...string) string {
	if s.ssh == nil {
		return s.examples(verb, tails...)
	}
	text := ""
	for _, tail := range tails {
		text += "  gca " + verb
		if tail != "" {
			text += " " + tail
		}
		text += "\n"
	}
	return text + "  gca " + verb + " root@203.0.113.9"
}

func newUsage(g group) *cobra.Command {
	s := &seer{group: g}
	days, by := 7, string(client.ByDay)
	cmd := &cobra.Command{
		Use:   s.use("usage"),
		Short: "Show what was used on the last days, by day, model, token or key, with its cost",
		Long: `usage adds up requests, tokens and cost of the last days by day, model, token or key. A client's token shows its own days and
models; the admin token, and a host over SSH, show everybody's. A day begins at midnight in Los Angeles, as Google's do; costs are
Google's list prices, and keys without billing pay nothing.`,
		Example: s.examplesOf("usage", "--days 30 --by model", "--csv > usage.csv"),
		Args:    args(0, boolInt(g.ssh != nil)),
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := s.checkUsage(days, by); err != nil {
				return err
			}
			seen, err := s.see(cmd.Context(), given, days)
			if err != nil {
				return err
			}
			usage, err := seen.AddUp(client.By(by))
			if err != nil {
				return &usageError{err.Error()}
			}
			return s.print(usage, usage.Print, usage.CSV)
		},
	}
	s.flags(cmd)
	cmd.Flags().IntVar(&days, "days", days, "the last `N` days, today among them")
	cmd.Flags().StringVar(&by, "by", by, "add up by `WHAT`: day, model, token or key")
	completeFlag(cmd, "by", waysToAddUp)
	return cmd
}

func waysToAddUp() []string {
	return []string{string(client.ByDay), string(client.ByModel), string(client.ByToken), string(client.ByKey)}
}

func (s *seer) checkUsage(days int, by string) error {
	if days < 1 || days > control.MaxStatsDays {
		return &usageError{fmt.Sprintf("--days %d: expected 1 to %d", days, control.MaxStatsDays)}
	}
	for _, way := range waysToAddUp() {
		if by == way {
			return s.check()
		}
	}
	return &usageError{fmt.Sprintf("--by %s: expected day, model, token or key\nhint: %s", by, nearest("gca usage --by ", by, waysToAddUp()))}
}
