package proxy

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/upstream"
)

// maxMeteredModels bounds the values of the label model, which only models that answered get; those beyond it are one, "other".
const maxMeteredModels = 200

// maxMeteredKeys bounds the keys whose times are kept: those that were ever configured while the process ran.
const maxMeteredKeys = 10_000

// maxStatus is the largest status that is told apart from others.
const maxStatus = 599

// meters counts what the server does, for /metrics (metrics.go has what is read as it is shown). Labels come from closed sets
// and from models that answered, so nothing that clients invent makes them grow. Counting a request that went well allocates
// nothing: a counter is made when it first counts, and found by a number from then on.
type meters struct {
	set *metrics.Set

	requests  family // by method and endpoint
	responses family // by endpoint and status
	durations [endpoints]atomic.Pointer[metrics.PrometheusHistogram]
	ttft      [endpoints]atomic.Pointer[metrics.PrometheusHistogram]

	attempts, saved, gone, waits, queued *metrics.Counter
	waiting                              atomic.Int64
	waited                               *metrics.PrometheusHistogram

	answers laps
	keys    *grown[laps] // by id
	models  *grown[modelMeters]

	fallen    atomic.Int64
	fallbacks *grown[metrics.Counter] // by the model asked for and the one that served
}

type modelMeters struct {
	answers, input, cached, output *metrics.Counter
	cost                           *metrics.FloatCounter
}

// Bounds of the histograms' buckets, in seconds.
var (
	durationBounds = []float64{.005, .025, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600}
	ttftBounds     = []float64{.1, .25, .5, 1, 1.5, 2, 3, 5, 7.5, 10, 15, 20, 30, 45, 60, 120}
	waitBounds     = []float64{.01, .1, .5, 1, 2.5, 5, 10, 20, 30, 45, 60, 75, 120, 300, 600}
)

func newMeters() *meters {
	metrics.ExposeMetadata(true) // the library has this for the whole process
	set := metrics.NewSet()
	m := &meters{
		set:      set,
		attempts: set.NewCounter("gemini_upstream_attempts_total"),
		saved:    set.NewCounter("gemini_failures_saved_total"),
		gone:     set.NewCounter("gemini_client_gone_total"),
		waits:    set.NewCounter("gemini_waits_total"),
		queued:   set.NewCounter("gemini_admission_waits_total"),
		waited:   set.NewPrometheusHistogramExt("gemini_wait_seconds", waitBounds),
	}
	m.requests = newFamily(set, len(methodNames)*int(endpoints), func(i int) string {
		method, e := i/int(endpoints), i%int(endpoints)
		return `gemini_requests_total{method="` + methodNames[method] + `",endpoint="` + endpointWords[e].path + `"}`
	})
	m.responses = newFamily(set, int(endpoints)*(maxStatus+1), func(i int) string {
		e, status := i/(maxStatus+1), i%(maxStatus+1)
		return `gemini_responses_total{endpoint="` + endpointWords[e].path + `",protocol="` + endpointWords[e].protocol +
			`",status="` + statusLabel(status) + `"}`
	})
	m.models = newGrown(maxMeteredModels, m.newModel)
	m.fallbacks = newGrown(maxMeteredModels, func(name string) *metrics.Counter {
		if name == "other" {
			name = `other",to="other`
		}
		return set.NewCounter(`gemini_fallbacks_total{from="` + name + `"}`)
	})
	m.keys = newGrown(maxMeteredKeys, func(string) *laps { return &laps{} })
	return m
}

// family is the counters of one metric, each by a number that stands for its labels.
type family struct {
	set      *metrics.Set
	name     func(i int) string
	counters []atomic.Pointer[metrics.Counter]
}

func newFamily(set *metrics.Set, size int, name func(i int) string) family {
	return family{set: set, name: name, counters: make([]atomic.Pointer[metrics.Counter], size)}
}

func (f *family) at(i int) *metrics.Counter {
	c := f.counters[i].Load()
	if c == nil {
		c = f.set.GetOrCreateCounter(f.name(i))
		f.counters[i].Store(c)
	}
	return c
}

// boundedStatus is a status, 0 for one that there is none like.
func boundedStatus(status int) int {
	if status < 100 || status > maxStatus {
		return 0
	}
	return status
}

func statusLabel(status int) string {
	if status == 0 {
		return "none"
	}
	return strconv.Itoa(status)
}

// histogram finds an endpoint's histogram of a metric.
func (m *meters) histogram(at *[endpoints]atomic.Pointer[metrics.PrometheusHistogram], name string, e endpoint, bounds []float64) *metrics.PrometheusHistogram {
	h := at[e].Load()
	if h == nil {
		h = m.set.GetOrCreatePrometheusHistogramExt(name+`{endpoint="`+endpointWords[e].path+`"}`, bounds)
		at[e].Store(h)
	}
	return h
}

// request counts one that was answered, or whose client left.
func (m *meters) request(a *access, status int) {
	e := endpointOf(a.path, a.native)
	m.requests.at(methodOf(a.method)*int(endpoints) + int(e)).Inc()
	m.responses.at(int(e)*(maxStatus+1) + boundedStatus(status)).Inc()
	m.histogram(&m.durations, "gemini_request_duration_seconds", e, durationBounds).Update(time.Since(a.began).Seconds())
	if a.ttft > 0 {
		m.histogram(&m.ttft, "gemini_time_to_first_token_seconds", e, ttftBounds).Update(a.ttft.Seconds())
	}
	switch {
	case a.gone:
		m.gone.Inc()
	case a.refused > 0 && status < 400 && a.problem == "":
		m.saved.Inc()
	}
	if status < 400 && !a.gone && a.problem == "" && !a.leased.IsZero() {
		m.answered(a)
		if a.asked != "" && a.asked != a.target {
			m.fallen.Add(1)
			m.fallbacks.of(a.asked + `",to="` + a.target).Inc()
		}
	}
	last := bill{model: a.target, usage: a.usage, costMicro: a.costMicro}
	for i := range a.earlier {
		m.used(&a.earlier[i])
		last.costMicro -= a.earlier[i].costMicro
	}
	if a.usage != (gemini.Usage{}) {
		m.used(&last).answers.Inc()
	}
}

// answered counts the times of an answer: those of its request, and those of the key that it came with.
func (m *meters) answered(a *access) {
	whole, before := time.Since(a.began), a.leased.Sub(a.began)
	m.answers.add(a.ttft, whole)
	m.keys.of(a.key).add(max(a.ttft-before, 0), whole-before)
}

// attempt counts a call of Gemini, and what it failed of, if it did.
func (m *meters) attempt(failed *upstream.Error) {
	m.attempts.Inc()
	if failed != nil {
		m.failed(failed)
	}
}

// failed counts a failed call.
func (m *meters) failed(failed *upstream.Error) {
	m.set.GetOrCreateCounter(`gemini_upstream_failures_total{kind="` + failed.Kind.String() + `",status="` + statusLabel(boundedStatus(failed.Status)) + `"}`).Inc()
}

// meteredKeeper counts what takes keys out of use, when it is kept.
type meteredKeeper struct {
	keys.Keeper
	meters *meters
}

// KeepKeys hands on to the keeper.
func (k meteredKeeper) KeepKeys(changed []keys.Record) error {
	if err := k.Keeper.KeepKeys(changed); err != nil {
		return err
	}
	for _, r := range changed {
		if reason := r.Away(); reason != keys.NoReason {
			k.meters.set.GetOrCreateCounter(`gemini_key_rests_total{reason="` + reason.Code() + `"}`).Inc()
		}
	}
	return nil
}

// probes counts looks at keys that are out, by what came of them: ok, refused, or failed on the way.
func (m *meters) probes(result string) *metrics.Counter {
	return m.set.GetOrCreateCounter(`gemini_key_probes_total{result="` + result + `"}`)
}

// noticedWait is from when on a wait is one.
const noticedWait = 5 * time.Millisecond

// beginWait and endWait stand around the choice of a key; a wait is counted where there was one to speak of.
func (m *meters) beginWait() time.Time {
	m.waiting.Add(1)
	return time.Now()
}

func (m *meters) endWait(began time.Time) {
	m.waiting.Add(-1)
	if d := time.Since(began); d >= noticedWait {
		m.waits.Inc()
		m.waited.Update(d.Seconds())
	}
}

// used counts an attempt's tokens, and what they cost.
func (m *meters) used(b *bill) *modelMeters {
	name := b.model
	if !isModelID(name) {
		name = "other"
	}
	c, u := m.models.of(name), &b.usage
	c.input.Add(u.Prompt + u.ToolUse)
	c.cached.Add(u.Cached)
	c.output.Add(u.Candidates + u.Thoughts)
	c.cost.Add(float64(b.costMicro) / 1e6)
	return c
}

func (m *meters) newModel(name string) *modelMeters {
	tokens := func(kind string) *metrics.Counter {
		return m.set.NewCounter(`gemini_tokens_total{model="` + name + `",type="` + kind + `"}`)
	}
	return &modelMeters{
		answers: m.set.NewCounter(`gemini_answers_total{model="` + name + `"}`),
		input:   tokens("input"), cached: tokens("cached"), output: tokens("output"),
		cost: m.set.NewFloatCounter(`gemini_cost_dollars_total{model="` + name + `"}`),
	}
}
