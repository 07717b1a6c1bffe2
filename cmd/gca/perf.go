package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/manage/client/perf"
	"github.com/gemini-claude-adapter/gca/proxy"
)

// perfFlags say how an adapter is tried.
type perfFlags struct {
	plan         perf.Plan
	mix, profile string
	yes, json    bool
}

func newPerf(io *streams) *cobra.Command {
	f := &perfFlags{}
	cmd := &cobra.Command{
		Use:   "perf USERS",
		Short: "Let many users ask at once, and show how fast the adapter was",
		Long: `perf lets USERS ask at once: short questions, long ones (code), and streamed ones in turn. Each user asks again as soon as an
answer is whole; with --rate requests begin when they are due instead, and their time counts from then. It says first how many
requests, tokens and US dollars that may take, and asks; with --duration alone, what each request may take. Ctrl-C ends it with the figures until then.`,
		Example: "  gca perf 5\n  gca perf 20 --duration 30s --mix stream\n  gca perf 50 --rate 10 --requests 200 --yes --json",
		Args:    args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			p, err := loadProfile(f.profile)
			if err != nil {
				return err
			}
			if err := f.read(given[0]); err != nil {
				return err
			}
			return f.run(cmd.Context(), io, p)
		},
	}
	cmd.Flags().IntVar(&f.plan.Requests, "requests", 0, "make `N` requests in all, with --duration at most (default: three a user, or what the time allows)")
	cmd.Flags().DurationVar(&f.plan.Duration, "duration", 0, "begin requests for this `TIME`, as 30s or 5m")
	cmd.Flags().Float64Var(&f.plan.Rate, "rate", 0, "begin `N` requests a second, by at most USERS at once")
	cmd.Flags().StringVar(&f.mix, "mix", "short,long,stream", "the `KINDS` of requests, in turn")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
	noInputFlag(cmd, &io.noInput)
	modelFlag(cmd, &f.plan.Model)
	profileFlag(cmd, &f.profile)
	jsonFlag(cmd, &f.json)
	return cmd
}

// perUser is how many requests each user makes where nothing else is said.
const perUser = 3

func (f *perfFlags) read(users string) error {
	var err error
	if f.plan.Users, err = strconv.Atoi(users); err != nil {
		return &usageError{fmt.Sprintf("%q users: expected a number from 1 to %d", users, perf.MaxUsers)}
	}
	if f.plan.Mix, err = perf.ParseMix(f.mix); err != nil {
		return &usageError{"--mix: " + err.Error()}
	}
	if f.plan.Requests == 0 && f.plan.Duration == 0 {
		f.plan.Requests = perUser * f.plan.Users
	}
	if err := f.plan.Check(); err != nil {
		return &usageError{err.Error()}
	}
	return nil
}

// costs says what the run may take: in all, or of one request of each kind where only its answers say how many there will be.
func (f *perfFlags) costs(now time.Time) string {
	all, each := f.plan.Expected()
	var kinds []string
	for i, s := range f.plan.Mix {
		kinds = append(kinds, fmt.Sprintf("%d %s", each[i], s.Name))
	}
	input, output, most := f.plan.Tokens()
	what := fmt.Sprintf("%d requests (%s) of %s by %d users", all, strings.Join(kinds, ", "), f.plan.Model, f.plan.Users)
	unit := ""
	if !f.plan.Known() {
		what = fmt.Sprintf("as many requests of %s as %d users have answered within %s, which nobody knows before; --requests N is a ceiling\neach %d (%s)",
			f.plan.Model, f.plan.Users, f.plan.Duration, all, strings.Join(kinds, ", "))
		unit = fmt.Sprintf(" for each %d", all)
	}
	text := fmt.Sprintf("%s: about %d tokens in and %d out, at most %d out\n", what, input, output, most)
	target, usd, ok := proxy.ListPrice(f.plan.Model, now, input, output)
	_, top, _ := proxy.ListPrice(f.plan.Model, now, input, most)
	if !ok {
		return text + "what they cost is not known here; they use up quota of the keys, too\n"
	}
	return text + fmt.Sprintf("about $%.2f, at most $%.2f%s, by Google's prices for %s; keys without billing pay nothing, but their quota is used up, too\n", usd, top, unit, target)
}

func (f *perfFlags) run(ctx context.Context, io *streams, profile client.Profile) error {
	if _, err := fmt.Fprint(io.err, f.costs(time.Now())); err != nil {
		return err
	}
	if err := f.agreed(io); err != nil {
		return err
	}
	c := client.New(profile)
	defer c.Close()
	if _, err := c.Who(ctx); err != nil {
		return err
	}
	line := newStatusLine(io.err)
	var broken error
	report := perf.Run(ctx, c, &f.plan, func(p perf.Progress) {
		if err := line.show(fmt.Sprintf("%d answers · %d failed · %d under way · %s", p.Done, p.Failed, p.Running, span(p.Elapsed))); err != nil {
			broken = err
		}
	})
	if err := errors.Join(broken, line.clear()); err != nil {
		return err
	}
	if f.json {
		if err := json.NewEncoder(io.out).Encode(report); err != nil {
			return err
		}
	} else if err := f.tell(io, report); err != nil {
		return err
	}
	return perfCode(report)
}

// perfCode is an error where nothing or not all was answered: exit code 1 or 3.
func perfCode(r *perf.Report) error {
	switch r.All.OK {
	case 0:
		return &statusError{exitFailed}
	case r.All.Requests:
		return nil
	}
	return &statusError{exitPartial}
}

func (f *perfFlags) tell(io *streams, r *perf.Report) error {
	var b strings.Builder
	if err := r.Print(&b); err != nil {
		return err
	}
	if target, usd, ok := proxy.ListPrice(r.Model, time.Now(), r.Input, r.Output); ok {
		fmt.Fprintf(&b, "\ncost        $%.4f by Google's prices for %s\n", usd, target)
	}
	_, err := fmt.Fprint(io.out, visible(b.String()))
	return err
}

func (f *perfFlags) agreed(io *streams) error {
	if f.yes {
		return nil
	}
	asker := newPrompt(io, false)
	if asker == nil {
		return &usageError{"nobody can be asked here whether this is meant\nhint: the same command with --yes"}
	}
	yes, err := asker.confirm("Go?", true)
	if err == nil && !yes {
		err = &usageError{"nothing was asked"}
	}
	return err
}
