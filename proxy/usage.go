package proxy

import (
	"log/slog"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/store"
)

const (
	maxUsageModels = 200     // a day; names of models may come from clients
	otherModels    = "other" // what the rest counts as
)

// usage counts what clients use, by day, token, key and model. It is in the store at most a second later, where other
// processes find it.
type usage struct {
	store    store.Store
	registry *registry
	log      *slog.Logger

	mu     sync.Mutex
	day    string    // today, Google's
	ends   time.Time // when it does
	rows   map[store.UsageID]*store.Usage
	models map[string]bool   // of the day, those that the registry does not know
	today  map[string]*spent // by token, of all processes

	revision int64 // of the store, when today was last read from it; the flusher's alone
}

// spent is what a token used on one day.
type spent struct {
	tokens    int64 // in and out
	costMicro int64 // millionths of a US dollar
}

func (s *spent) add(other spent) {
	s.tokens += other.tokens
	s.costMicro += other.costMicro
}

func newUsage(kept store.Store, r *registry, log *slog.Logger) *usage {
	return &usage{store: kept, registry: r, log: log, rows: map[store.UsageID]*store.Usage{}}
}

// add counts a request that is over. One that never came to a model is none. It fills in what the request cost.
func (u *usage) add(a *access, status int) {
	if a.target == "" {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.turn(time.Now())
	last := bill{key: a.key, model: a.target, usage: a.usage}
	row := u.charge(a.token, &last)
	a.costMicro, a.priced = last.costMicro, last.priced
	row.Requests++
	if status >= fasthttp.StatusBadRequest && status != statusClientGone {
		row.Errors++
	}
	for i := range a.earlier {
		b := &a.earlier[i]
		u.charge(a.token, b)
		a.costMicro, a.priced = a.costMicro+b.costMicro, a.priced && b.priced
	}
	if !a.priced {
		row.Unpriced++
	}
}

// charge counts what an attempt used, and fills in what that cost. It returns the row.
func (u *usage) charge(token string, b *bill) *store.Usage {
	b.costMicro, b.priced = u.registry.cost(b.model, u.day, &b.usage)
	id := store.UsageID{Day: u.day, Token: token, Key: b.key, Model: b.model}
	row, ok := u.rows[id]
	if !ok {
		row = u.row(id)
	}
	row.Prompt += int64(b.usage.Prompt + b.usage.ToolUse)
	row.Cached += int64(b.usage.Cached)
	row.Output += int64(b.usage.Candidates)
	row.Thoughts += int64(b.usage.Thoughts)
	row.CostMicro += b.costMicro
	u.of(token).add(spent{b.usage.Billed(), b.costMicro})
	return row
}

// turn begins a new day when it is time.
func (u *usage) turn(now time.Time) {
	if now.Before(u.ends) {
		return
	}
	u.day, u.ends = keys.Day(now), keys.NextDay(now)
	u.models, u.today = map[string]bool{}, map[string]*spent{}
}

// row is the row that an attempt counts in, which may be new.
func (u *usage) row(id store.UsageID) *store.Usage {
	if u.registry.find(id.Model) == nil && !u.models[id.Model] {
		if len(u.models) < maxUsageModels && isModelID(id.Model) {
			u.models[id.Model] = true
		} else {
			id.Model = otherModels
		}
	}
	row, ok := u.rows[id]
	if !ok {
		row = &store.Usage{Day: id.Day, Token: id.Token, Key: id.Key, Model: id.Model}
		u.rows[id] = row
	}
	return row
}

func (u *usage) of(token string) *spent {
	s, ok := u.today[token]
	if !ok {
		s = &spent{}
		u.today[token] = s
	}
	return s
}

// spent is what a token used today, here and in other processes.
func (u *usage) spent(token string) spent {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.turn(time.Now())
	if s, ok := u.today[token]; ok {
		return *s
	}
	return spent{}
}

// flush hands what was counted to the store, and takes in what others wrote there. One goroutine calls it.
func (u *usage) flush() {
	if err := u.store.AddUsage(u.take()); err != nil {
		u.log.Error("cannot keep what was used", "error", err.Error())
	}
	if revision := u.store.Revision(); revision != u.revision {
		if err := u.refresh(); err != nil {
			u.log.Error("cannot read what was used", "error", err.Error())
			return
		}
		u.revision = revision
	}
}

// take returns what was counted since the last time. A row that nothing was added to since then goes.
func (u *usage) take() []store.Usage {
	u.mu.Lock()
	defer u.mu.Unlock()
	var taken []store.Usage
	for id, row := range u.rows {
		empty := store.Usage{Day: id.Day, Token: id.Token, Key: id.Key, Model: id.Model}
		if *row == empty {
			delete(u.rows, id)
			continue
		}
		taken = append(taken, *row)
		*row = empty
	}
	return taken
}

// refresh makes today anew, from the store and what it does not have yet.
func (u *usage) refresh() error {
	u.mu.Lock()
	u.turn(time.Now())
	day := u.day
	u.mu.Unlock()
	kept, err := u.store.Usage(day, day)
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.turn(time.Now()); u.day != day {
		return nil // the new one begins empty
	}
	u.today = map[string]*spent{}
	for i := range kept {
		u.count(&kept[i])
	}
	for id, row := range u.rows {
		if id.Day == day {
			u.count(row)
		}
	}
	return nil
}

func (u *usage) count(row *store.Usage) {
	s := u.of(row.Token)
	s.tokens += row.Prompt + row.Output + row.Thoughts
	s.costMicro += row.CostMicro
}
