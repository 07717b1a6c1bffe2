package proxy

import (
	"fmt"
	"math"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// price is what a model costs on paid keys, in US dollars a million tokens (Gemini API pricing). Keys without billing cost
// nothing; whether a key has it nobody is told, so the figures are what the same use would cost on a paid one.
type price struct {
	From   string  `json:"from"`   // Google's day on which it begins, "" is always
	UpTo   int     `json:"upTo"`   // tokens of a prompt for which it holds, 0 is any number; longer ones cost more, nobody knows how much
	Input  float64 `json:"input"`  // tokens of the prompt
	Cached float64 `json:"cached"` // those of them that were cached; 0 is not known, and they count like the others
	Output float64 `json:"output"` // tokens of the answer, thoughts among them
}

// checkPrices refuses what no price can be, and an order in which some could never hold.
func checkPrices(prices []price) error {
	last := ""
	for i, p := range prices {
		if p.Input <= 0 || p.Output <= 0 || p.Cached < 0 || p.Cached > p.Input || p.UpTo < 0 {
			return fmt.Errorf("price %d is none", i+1)
		}
		if _, err := time.Parse(time.DateOnly, p.From); err != nil && (p.From != "" || i > 0) {
			return fmt.Errorf("price %d: the day %q is none", i+1, p.From)
		}
		if i > 0 && p.From <= last {
			return fmt.Errorf("price %d begins no later than the one before", i+1)
		}
		last = p.From
	}
	return nil
}

// price is what a model costs on a day, nil where that is not known.
func (r *registry) price(model, day string) (p *price) {
	if entry := r.find(model); entry != nil {
		for i := range entry.Prices {
			if entry.Prices[i].From <= day {
				p = &entry.Prices[i]
			}
		}
	}
	return p
}

// cost is what an answer costs on a day, in millionths of a US dollar; not ok is a price that is not known, or known only as
// what it costs at least.
func (r *registry) cost(model, day string, u *gemini.Usage) (micro int64, ok bool) {
	prompt := u.Prompt + u.ToolUse
	if prompt+u.Candidates+u.Thoughts == 0 {
		return 0, true
	}
	p := r.price(model, day)
	if p == nil {
		return 0, false
	}
	cached, cachedPrice := min(u.Cached, prompt), p.Cached
	if cachedPrice == 0 {
		cachedPrice = p.Input
	}
	return int64(math.Round(float64(prompt-cached)*p.Input + float64(cached)*cachedPrice + float64(u.Candidates+u.Thoughts)*p.Output)), p.UpTo == 0 || prompt <= p.UpTo
}
