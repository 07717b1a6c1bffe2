package perf

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/manage/client/clienttest"
	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const model = "gemini-3.8-flash"

func start(t *testing.T) (*clienttest.Adapter, *client.Client) {
	t.Helper()
	a := clienttest.Start(t)
	c := client.New(client.Profile{URL: a.URL, Token: clienttest.Token})
	t.Cleanup(c.Close)
	return a, c
}

// Each user asks again as soon as an answer is whole, the scenarios in turn.
func TestRun_closedLoop(t *testing.T) {
	a, c := start(t)
	var told []Progress
	r := Run(t.Context(), c, &Plan{Users: 3, Requests: 9, Model: model, Mix: Scenarios()}, func(p Progress) { told = append(told, p) })
	if r.All.Requests != 9 || r.All.OK != 9 || len(r.Scenarios) != 3 || r.Scenarios[2].Name != "stream" || r.Scenarios[2].Requests != 3 || len(r.Errors) != 0 {
		t.Errorf("got %+v", r)
	}
	if r.Scenarios[0].First != (Quantiles{}) || r.Scenarios[2].First.P50 <= 0 || r.All.First.P99 > r.All.Total.P99 || r.Input == 0 || r.Output == 0 || r.All.PerSecond <= 0 {
		t.Errorf("figures: %+v", r)
	}
	if last := told[len(told)-1]; len(told) != 9 || last.Done != 9 || last.Running != 0 || last.Failed != 0 {
		t.Errorf("told %+v", told)
	}
	asked := slices.DeleteFunc(a.Fake.Requests(), func(r fakegemini.Recorded) bool { return !strings.Contains(r.Verb, "enerateContent") })
	if len(asked) != 9 {
		t.Errorf("Gemini was asked %d times", len(asked))
	}
}

// At a rate a request's time counts from when it was due, though nobody was free to begin it.
func TestRun_rate(t *testing.T) {
	const pause = 30 * time.Millisecond
	a, c := start(t)
	a.Fake.Respond(func(fakegemini.Recorded) (fakegemini.Answer, bool) { return fakegemini.Say("yes").After(pause), true })
	r := Run(t.Context(), c, &Plan{Users: 1, Requests: 4, Rate: 1000, Model: model, Mix: Scenarios()[:1]}, func(Progress) {})
	if least := 4*float64(pause.Milliseconds()) - 3; r.All.OK != 4 || r.All.Total.P99 < least {
		t.Errorf("the last one took %v ms, at least %v: %+v", r.All.Total.P99, least, r)
	}
}

func TestRun_failures(t *testing.T) {
	a, c := start(t)
	for _, key := range clienttest.Keys() {
		a.Fake.Key(key, fakegemini.KeyRule{Error: fakegemini.ErrInvalidKey()})
	}
	r := Run(t.Context(), c, &Plan{Users: 4, Requests: 4, Model: model, Mix: Scenarios()}, func(Progress) {})
	if r.All.OK != 0 || len(r.Errors) != 1 || r.Errors[0].Count != 4 || r.Errors[0].Kind != "503" && r.Errors[0].Kind != "401" || strings.Contains(r.Errors[0].Example, "\n") {
		t.Errorf("got %+v", r)
	}
	var b bytes.Buffer
	if err := r.Print(&b); err != nil || !strings.Contains(b.String(), "0%") || !strings.Contains(b.String(), "errors      4 of ") {
		t.Errorf("%v:\n%s", err, b.String())
	}
}

// Who is refused at once does not ask again at once.
func TestRun_refused(t *testing.T) {
	_, c := start(t)
	r := Run(t.Context(), c, &Plan{Users: 2, Duration: pause / 2, Model: "nosuch", Mix: Scenarios()}, func(Progress) {})
	if r.All.Requests != 2 || r.All.OK != 0 {
		t.Errorf("got %+v", r)
	}
}

// What is under way when the person has enough is given up and not counted.
func TestRun_ended(t *testing.T) {
	a, c := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Int64
	a.Fake.Respond(func(fakegemini.Recorded) (fakegemini.Answer, bool) {
		if asked.Add(1) == 1 {
			return fakegemini.Say("one"), true
		}
		return fakegemini.Say("never ", "whole").LockStep("gate"), true
	})
	r := Run(ctx, c, &Plan{Users: 2, Duration: time.Hour, Model: model, Mix: Scenarios()[2:]}, func(Progress) { cancel() })
	if r.All.Requests != 1 || r.All.OK != 1 {
		t.Errorf("got %+v", r)
	}
}

func TestPlan(t *testing.T) {
	mix := Scenarios()
	for _, bad := range []Plan{{}, {Users: 1}, {Users: 1, Requests: 1}, {Users: MaxUsers + 1, Requests: 1, Mix: mix}, {Users: 1, Requests: MaxRequests + 1, Mix: mix},
		{Users: 1, Requests: 1, Rate: -1, Mix: mix}, {Users: 1, Requests: 1, Rate: math.NaN(), Mix: mix}, {Users: 1, Requests: 2, Rate: 1e-12, Mix: mix}, {Users: 1, Requests: 1, Duration: -1, Mix: mix}} {
		if bad.Check() == nil {
			t.Errorf("%+v is no error", bad)
		}
	}
	p := Plan{Users: 5, Requests: 7, Mix: mix}
	if all, each := p.Expected(); p.Check() != nil || all != 7 || fmt.Sprint(each) != "[3 2 2]" {
		t.Errorf("%d %v", all, each)
	}
	if in, out, most := p.Tokens(); in != 3*15+2*30+2*20 || out != 3*250+2*3000+2*1200 || most != 3*1000+2*8000+2*4000 {
		t.Errorf("%d %d %d", in, out, most)
	}
	p = Plan{Users: 10, Duration: 20 * time.Second, Mix: mix[:1]}
	if all, each := p.Expected(); p.Known() || all != 1 || fmt.Sprint(each) != "[1]" {
		t.Errorf("a closed loop: %d %v", all, each)
	}
	p.Rate = 3
	if all, _ := p.Expected(); !p.Known() || all != 60 {
		t.Errorf("at a rate: %d", all)
	}
	p.Rate, p.Duration = 0.3, 4*time.Second // due at 0 s and at 3.3 s
	if all, _ := p.Expected(); all != 2 {
		t.Errorf("at a low rate: %d", all)
	}
	if got, err := ParseMix("stream, short"); err != nil || len(got) != 2 || got[0].Name != "stream" {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := ParseMix("short,fast"); err == nil || !strings.Contains(err.Error(), `"fast"`) {
		t.Errorf("got %v", err)
	}
}

// hundred are answers of 20 ms, 40 ms, … 2 s, a third of them streamed, and three failures.
func hundred() []sample {
	var all []sample
	for i := range 100 {
		took := time.Duration(i+1) * 20 * time.Millisecond
		all = append(all, sample{scenario: i % 3, first: took / 4, total: took, input: 10, out: 50})
	}
	limit := &client.Error{Hop: client.HopGemini, Status: 429, Message: "every key is out of quota", Hint: "wait"}
	return append(all, sample{err: limit}, sample{err: limit}, sample{scenario: 1, err: errors.New("odd")})
}

func TestReport(t *testing.T) {
	r := newReport(&Plan{Users: 10, Model: model, Mix: Scenarios()}, hundred(), 10*time.Second)
	if r.All.Total != (Quantiles{1000, 1900, 1980}) || r.All.OK != 100 || r.All.Requests != 103 || r.All.MeanMS != 1010 || r.All.PerSecond != 10 || r.OutPerSec != 500 {
		t.Errorf("got %+v", r)
	}
	if r.All.First != (Quantiles{255, 480, 495}) {
		t.Errorf("first texts: %+v", r.All.First)
	}
	var b bytes.Buffer
	if err := r.Print(&b); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/report.golden"
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || b.String() != string(want) {
		t.Errorf("%s differs (error %v):\n%s", golden, err, b.String())
	}
	empty := newReport(&Plan{Users: 1, Mix: Scenarios()}, nil, 0)
	b.Reset()
	if err := empty.Print(&b); err != nil || strings.Contains(b.String(), "NaN") {
		t.Errorf("%v:\n%s", err, b.String())
	}
}
