package store

import (
	"cmp"
	"slices"
	"time"
)

// Usage is what one token made of one key and one model on one day.
type Usage struct {
	Day       string `json:"day"`       // Google's, as keys.Day has it
	Token     string `json:"token"`     // its name, "" where clients need none
	Key       string `json:"key"`       // its id, "" if no key was asked
	Model     string `json:"model"`     // that served
	Requests  int64  `json:"requests"`  // with their errors
	Errors    int64  `json:"errors"`    // statuses from 400 on, without those of clients that left
	Unpriced  int64  `json:"unpriced"`  // requests whose tokens have no known price
	Prompt    int64  `json:"prompt"`    // tokens, the cached ones among them
	Cached    int64  `json:"cached"`    // tokens
	Output    int64  `json:"output"`    // tokens, without thoughts
	Thoughts  int64  `json:"thoughts"`  // tokens
	CostMicro int64  `json:"costMicro"` // millionths of a US dollar
}

// Add adds the figures of o.
func (u *Usage) Add(o *Usage) {
	u.Requests += o.Requests
	u.Errors += o.Errors
	u.Unpriced += o.Unpriced
	u.Prompt += o.Prompt
	u.Cached += o.Cached
	u.Output += o.Output
	u.Thoughts += o.Thoughts
	u.CostMicro += o.CostMicro
}

// compare orders rows by what they are about.
func (u Usage) compare(o Usage) int {
	return cmp.Or(cmp.Compare(u.Day, o.Day), cmp.Compare(u.Token, o.Token), cmp.Compare(u.Key, o.Key), cmp.Compare(u.Model, o.Model))
}

// UsageID is what a row is about.
type UsageID struct{ Day, Token, Key, Model string }

// ID is what the row is about.
func (u *Usage) ID() UsageID { return UsageID{u.Day, u.Token, u.Key, u.Model} }

// usageTable is the sum of rows, by what they are about.
type usageTable map[UsageID]*Usage

func (t usageTable) add(rows []Usage) {
	for i := range rows {
		id := rows[i].ID()
		row, ok := t[id]
		if !ok {
			row = &Usage{Day: id.Day, Token: id.Token, Key: id.Key, Model: id.Model}
			t[id] = row
		}
		row.Add(&rows[i])
	}
}

func (t usageTable) merge(o usageTable) {
	for _, row := range o {
		t.add([]Usage{*row})
	}
}

// days returns the rows from one day to another, in order.
func (t usageTable) days(from, to string) []Usage {
	var rows []Usage
	for id, row := range t {
		if from <= id.Day && id.Day <= to {
			rows = append(rows, *row)
		}
	}
	slices.SortFunc(rows, Usage.compare)
	return rows
}

// prune drops the days before oldest, and the oldest of the others while there are more than limit rows.
func (t usageTable) prune(oldest string, limit int) {
	for id := range t {
		if id.Day < oldest {
			delete(t, id)
		}
	}
	if len(t) <= limit {
		return
	}
	for _, row := range t.days("", "~")[:len(t)-limit] {
		delete(t, row.ID())
	}
}

// oldestDay is the first day that limits let stay, give or take the hours between UTC and Los Angeles.
func oldestDay(limits Limits, now time.Time) string {
	return now.UTC().AddDate(0, 0, -limits.Days).Format(time.DateOnly)
}
