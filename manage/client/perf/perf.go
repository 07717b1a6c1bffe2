// Package perf lets many users ask an adapter at once, and tells how fast it was: the original adapter's benchmark, with
// percentiles.
//
// In a closed loop each user asks again as soon as an answer is whole. At a rate, requests begin when they are due, whatever the
// others do, and a request's time counts from when it was due: an adapter that is slow cannot make its figures better by letting
// requests begin late.
package perf

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gemini-claude-adapter/gca/manage/client"
)

// Bounds of a run.
const (
	MaxUsers    = 1000
	MaxRequests = 100_000
	minRate     = 0.001 // requests a second
	maxRate     = 1000
)

// pause is how long after it began a request that failed holds its user up in a closed loop, which would else ask as fast as it is
// refused.
const pause = time.Second

// Scenario is one kind of request.
type Scenario struct {
	Name      string
	Question  string
	MaxTokens int  // of the answer; thinking models spend some of them before its first word
	Whole     bool // not streamed
	Input     int  // tokens, about
	Output    int  // tokens, about, thoughts included
}

// Scenarios are those of the original adapter's guide: a simple question, code, and a streamed conversation.
func Scenarios() []Scenario {
	return []Scenario{
		{"short", "Answer with one short sentence: what does a compiler do?", 1000, true, 15, 250},
		{"long", "Write a Go program that reads a CSV file and prints the mean of every numeric column. Explain each function.", 8000, true, 30, 3000},
		{"stream", "Explain to a beginner, in three paragraphs, how a web browser shows a page.", 4000, false, 20, 1200},
	}
}

// Plan is what is to be asked.
type Plan struct {
	Users    int
	Requests int           // in all; 0 where Duration says when to stop
	Duration time.Duration // no request begins after it
	Rate     float64       // requests a second; 0 is a closed loop
	Model    string
	Mix      []Scenario // in turn
}

// Check refuses what cannot be run.
func (p *Plan) Check() error {
	switch {
	case p.Users < 1 || p.Users > MaxUsers:
		return fmt.Errorf("%d users: expected 1 to %d", p.Users, MaxUsers)
	case p.Requests < 0 || p.Requests > MaxRequests || p.Requests == 0 && p.Duration <= 0:
		return fmt.Errorf("%d requests: expected 1 to %d", p.Requests, MaxRequests)
	case p.Duration < 0:
		return fmt.Errorf("a duration of %s: expected one above 0", p.Duration)
	case p.Rate != 0 && !(p.Rate >= minRate && p.Rate <= maxRate): // so written, NaN is refused, too
		return fmt.Errorf("a rate of %g requests a second: expected %g to %d", p.Rate, minRate, maxRate)
	case len(p.Mix) == 0:
		return errors.New("the mix is empty")
	}
	return nil
}

// Known reports whether the plan says how many requests it makes. Where a duration alone bounds a closed loop, the answers do.
func (p *Plan) Known() bool { return p.Requests > 0 || p.Rate > 0 }

// most is how many requests the plan makes at most.
func (p *Plan) most() int {
	switch {
	case p.Requests > 0:
		return p.Requests
	case p.Rate > 0:
		return int(min(MaxRequests, max(1, math.Ceil(p.Rate*p.Duration.Seconds()))))
	}
	return MaxRequests
}

// Expected is how many requests the plan makes at most, and how many of each scenario. Where that is not known, it is one of each.
func (p *Plan) Expected() (all int, each []int) {
	all = len(p.Mix)
	if p.Known() {
		all = p.most()
	}
	each = make([]int, len(p.Mix))
	for i := range p.Mix {
		each[i] = (all + len(p.Mix) - 1 - i) / len(p.Mix)
	}
	return all, each
}

// Tokens are about how many the requests of Expected use, and the most that their answers may have.
func (p *Plan) Tokens() (input, output, most int) {
	_, each := p.Expected()
	for i, s := range p.Mix {
		input += each[i] * s.Input
		output += each[i] * s.Output
		most += each[i] * s.MaxTokens
	}
	return input, output, most
}

// ParseMix reads names of scenarios with commas between.
func ParseMix(text string) ([]Scenario, error) {
	var mix []Scenario
	all := Scenarios()
	for name := range strings.SplitSeq(text, ",") {
		i := slices.IndexFunc(all, func(s Scenario) bool { return s.Name == strings.TrimSpace(name) })
		if i < 0 {
			return nil, fmt.Errorf("there is no scenario %q: expected short, long and stream, with commas between", name)
		}
		mix = append(mix, all[i])
	}
	return mix, nil
}

// sample is what became of one request.
type sample struct {
	scenario     int
	first, total time.Duration
	input, out   int
	err          error
}

// Progress is how far a run is.
type Progress struct {
	Done, Failed, Running int
	Elapsed               time.Duration
}

// run is one under way.
type run struct {
	plan     *Plan
	client   *client.Client
	begun    time.Time
	progress func(Progress)

	mu      sync.Mutex
	next    int // request
	running int
	samples []sample
	failed  int
}

// Run carries out a plan, and calls progress after each request, from one goroutine at a time. When ctx ends, requests that are
// under way are given up and not counted.
func Run(ctx context.Context, c *client.Client, p *Plan, progress func(Progress)) *Report {
	r := &run{plan: p, client: c, begun: time.Now(), progress: progress}
	due := make(chan time.Time)
	feeding, fed := context.WithCancel(ctx)
	var users sync.WaitGroup
	for range p.Users {
		users.Go(func() {
			for at := range due {
				begun := time.Now()
				if err := r.one(ctx, at); err != nil && p.Rate == 0 {
					wait(feeding, pause-time.Since(begun))
				}
			}
		})
	}
	r.feed(ctx, due)
	fed()
	close(due)
	users.Wait()
	return newReport(p, r.samples, time.Since(r.begun))
}

// feed says when requests are due: now, to each user who is free, or by the rate.
func (r *run) feed(ctx context.Context, due chan<- time.Time) {
	if r.plan.Rate == 0 && r.plan.Duration > 0 {
		bounded, cancel := context.WithTimeout(ctx, r.plan.Duration)
		defer cancel()
		ctx = bounded
	}
	for i := range r.plan.most() {
		at := time.Now()
		if r.plan.Rate > 0 {
			at = r.begun.Add(time.Duration(float64(i) / r.plan.Rate * float64(time.Second)))
		}
		if r.plan.Duration > 0 && at.Sub(r.begun) >= r.plan.Duration || !wait(ctx, time.Until(at)) {
			return
		}
		select {
		case due <- at:
		case <-ctx.Done():
			return
		}
	}
}

// wait reports whether the time passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// one makes a request that was due at a time, and returns what it failed of. In a closed loop it begins with the user.
func (r *run) one(ctx context.Context, due time.Time) error {
	r.mu.Lock()
	scenario := r.next % len(r.plan.Mix)
	r.next++
	r.running++
	r.mu.Unlock()
	late := time.Duration(0)
	if r.plan.Rate > 0 {
		late = max(0, time.Since(due))
	}
	s := r.plan.Mix[scenario]
	question := client.Simple(r.plan.Model, s.Question)
	question.MaxTokens, question.Whole = s.MaxTokens, s.Whole
	answer, err := r.client.Ask(ctx, question, func(string) {})
	got := sample{scenario, answer.FirstText + late, answer.Total + late, answer.Input, answer.Output, err}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running--
	if errors.Is(err, context.Canceled) {
		return err
	}
	r.samples = append(r.samples, got)
	if err != nil {
		r.failed++
	}
	r.progress(Progress{len(r.samples), r.failed, r.running, time.Since(r.begun)})
	return err
}
