package control

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"time"
)

// Where the socket shows what HTTP shows to the admin token: curl --unix-socket main.sock http://adapter/metrics.
const (
	statsPath   = "/stats"
	metricsPath = "/metrics"
)

// MaxStatsDays is how many days one answer of Stats goes back at most.
const MaxStatsDays = 366

// Stats is everything there is to see of the running adapter: GET /stats with the admin token, schema 1. Times are UTC; a day is
// Google's, which begins at midnight in Los Angeles. Counts are since Started unless they stand under a day.
type Stats struct {
	Schema int       `json:"schema"`
	Health string    `json:"health"` // healthy, degraded, unhealthy
	Now    time.Time `json:"now"`
	Status           // with the keys as they stand

	Totals   Totals       `json:"totals"`
	KeyStats []KeyStats   `json:"key_stats"` // of every key, in the order of Keys
	Models   []ModelStats `json:"models"`    // that rest at some keys, or were used today
	Today    DayStats     `json:"today"`
	Days     []DayStats   `json:"days,omitempty"` // for ?days=N: today and the days before, the newest first
}

// Totals are counts of this process.
type Totals struct {
	Waits       int64   `json:"waits"`        // requests that had to wait
	ClientsGone int64   `json:"clients_gone"` // clients that left before their answer was whole
	Attempts    int64   `json:"attempts"`     // calls of Gemini for requests
	MeanTTFTMS  float64 `json:"mean_ttft_ms"` // until the first content of answers, 0 if there were none
	MeanMS      float64 `json:"mean_ms"`      // until their end
	TTFT        Sum     `json:"ttft"`         // what these are the means of, so that two replies tell of the time between them
	Answers     Sum     `json:"answers"`
}

// Sum is how often something was timed, and how long that took in all.
type Sum struct {
	Count int64   `json:"count"`
	MS    float64 `json:"ms"`
}

// KeyStats is what one key did.
type KeyStats struct {
	ID          string   `json:"id"`
	Label       string   `json:"label,omitempty"`
	Active      bool     `json:"active"`                 // it serves something now
	SecondsLeft int64    `json:"seconds_left,omitempty"` // until the end of its rest
	Project     string   `json:"project,omitempty"`      // the project that it seems to share with others, learned
	Egress      string   `json:"egress"`                 // the way out: direct, or a proxy without its credentials
	SuccessRate *float64 `json:"success_rate,omitempty"` // of its requests, 0 to 1; none without requests
	MeanTTFTMS  float64  `json:"mean_ttft_ms"`           // of its answers, from when it was asked
	MeanMS      float64  `json:"mean_ms"`
	Quotas      []Quota  `json:"quotas,omitempty"`
	Today       Figures  `json:"today"`
}

// Quota is one that Google named for the key's project and a model, and what this process used of it.
type Quota struct {
	Model string `json:"model"`
	Name  string `json:"name"` // requests_per_minute, input_tokens_per_minute, requests_per_day
	Limit int64  `json:"limit"`
	Used  int64  `json:"used"`
}

// ModelStats is how the keys stand to one model.
type ModelStats struct {
	Model       string    `json:"model"`
	Resting     int       `json:"resting_keys"` // that do not serve it now and come back by themselves
	Reasons     []string  `json:"reasons,omitempty"`
	Back        time.Time `json:"back,omitzero"` // when the first of them comes back
	SecondsLeft int64     `json:"seconds_left,omitempty"`
	Today       Figures   `json:"today"`
}

// Egress is one way out to Gemini.
type Egress struct {
	Name    string `json:"name"` // direct, or a proxy without its credentials
	Up      bool   `json:"up"`
	Problem string `json:"problem,omitempty"` // with the cure
}

// DayStats is what was used on one day, by everybody.
type DayStats struct {
	Day    string  `json:"day"` // as 2026-01-31
	Total  Figures `json:"total"`
	Tokens []Part  `json:"tokens"` // by client token
	Models []Part  `json:"models"`
	Keys   []Part  `json:"keys"`
}

// Part is the share of one token, model or key.
type Part struct {
	Name string `json:"name"` // "" is requests without a token, or that came to no key
	Figures
}

// Figures are what was used. The cost is what the same use costs on a paid key.
type Figures struct {
	Requests    int64   `json:"requests"`
	Errors      int64   `json:"errors"`
	Input       int64   `json:"input_tokens"` // the cached ones among them
	Cached      int64   `json:"cached_tokens"`
	Output      int64   `json:"output_tokens"` // thoughts among them
	CachedShare float64 `json:"cached_share"`  // of the input, 0 to 1
	CostUSD     float64 `json:"cost_usd"`
	Unpriced    int64   `json:"unpriced_requests,omitempty"` // whose price is not known, and not in the cost
}

// TokenStats is what one client sees of itself: GET /stats with its own token, schema 1.
type TokenStats struct {
	Schema int          `json:"schema"`
	Token  string       `json:"token"`
	Limits *TokenLimits `json:"limits,omitempty"`
	Today  TokenDay     `json:"today"`
	Days   []TokenDay   `json:"days,omitempty"` // for ?days=N: today and the days before, the newest first
	Resets time.Time    `json:"resets"`         // when the day ends
}

// TokenLimits are a token's; what is absent is no limit.
type TokenLimits struct {
	Requests   int      `json:"requests_per_minute,omitempty"`
	Tokens     int      `json:"tokens_per_minute,omitempty"`
	Concurrent int      `json:"concurrent_requests,omitempty"`
	DayTokens  int64    `json:"tokens_per_day,omitempty"`
	DayCostUSD float64  `json:"cost_usd_per_day,omitempty"`
	Models     []string `json:"models,omitempty"`
}

// TokenDay is what one token used on one day.
type TokenDay struct {
	Day    string  `json:"day"`
	Total  Figures `json:"total"`
	Models []Part  `json:"models"`
}

// Stats asks for Stats with the last days, 0 to MaxStatsDays of them.
func (c Client) Stats(ctx context.Context, days int) (Stats, error) {
	return ask[Stats](ctx, c, http.MethodGet, statsPath+"?days="+strconv.Itoa(days), longest, nothing{})
}

// Days reads the parameter days; "" is none.
func Days(given string) (int, error) {
	if given == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(given)
	if err != nil || n < 0 || n > MaxStatsDays {
		return 0, &Refusal{Code: Invalid, Message: "days=" + quoted(given) + ": expected a number from 0 to " + strconv.Itoa(MaxStatsDays)}
	}
	return n, nil
}

// seeing adds the paths that only show something.
func seeing(mux *http.ServeMux, a Adapter) {
	mux.HandleFunc("GET "+statsPath, func(w http.ResponseWriter, r *http.Request) {
		days, err := Days(r.FormValue("days"))
		if err != nil {
			refuse(w, err)
			return
		}
		stats, err := a.Stats(days)
		if err != nil {
			refuse(w, err)
			return
		}
		reply(w, stats)
	})
	mux.HandleFunc("GET "+metricsPath, func(w http.ResponseWriter, _ *http.Request) {
		var text bytes.Buffer
		a.WriteMetrics(&text)
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write(text.Bytes()) // else the asker has gone
	})
}
