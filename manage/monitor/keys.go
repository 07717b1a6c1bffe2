package monitor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// order is what the keys are sorted by.
type order int

const (
	byState order = iota // those that are out first, then those that rest, the first to come back before the others
	byRequests
	byFailures
	byTokens
	byName
	orders
)

// String names the order.
func (o order) String() string {
	return [...]string{"state", "requests", "failures", "tokens", "name"}[o]
}

// keyRow is one key.
type keyRow struct {
	control.Key
	today int64 // tokens
}

// name is the label with the id behind it.
func (r keyRow) name() string {
	if r.Label == "" {
		return r.ID
	}
	return r.Label + " " + r.ID
}

// keyTable is the list of keys and what the person does with it.
type keyTable struct {
	rows    []keyRow
	order   order
	reverse bool
	filter  string
	typing  bool   // a filter is being typed
	cursor  string // id of the chosen key, "" while none is
	asked   string // id of the key whose reset waits for a yes
}

// take reads how the keys stand.
func (t *keyTable) take(s *control.Stats) {
	t.rows = t.rows[:0]
	used := make(map[string]int64, len(s.KeyStats))
	for _, k := range s.KeyStats {
		used[k.ID] = k.Today.Input + k.Today.Output
	}
	for _, key := range s.Keys {
		t.rows = append(t.rows, keyRow{key, used[key.ID]})
	}
}

// shown are the rows that pass the filter, in order.
func (t *keyTable) shown() []keyRow {
	var out []keyRow
	for _, r := range t.rows {
		if text := strings.ToLower(r.name() + " " + r.State + " " + r.Reason + " " + r.Group); strings.Contains(text, strings.ToLower(t.filter)) {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, t.compare)
	if t.reverse {
		slices.Reverse(out)
	}
	return out
}

func (t *keyTable) compare(a, b keyRow) int {
	switch t.order {
	case byRequests:
		return cmp.Compare(b.Requests, a.Requests)
	case byFailures:
		return cmp.Compare(b.Failures, a.Failures)
	case byTokens:
		return cmp.Compare(b.today, a.today)
	case byName:
		return cmp.Compare(a.name(), b.name())
	}
	return cmp.Or(cmp.Compare(manage.KeyRank(a.Key), manage.KeyRank(b.Key)), a.Until.Compare(b.Until))
}

// chosen is the id of the chosen key, "" if there is none to be seen.
func (t *keyTable) chosen() string {
	if slices.ContainsFunc(t.shown(), func(r keyRow) bool { return r.ID == t.cursor }) {
		return t.cursor
	}
	return ""
}

// move chooses another key.
func (t *keyTable) move(by int) {
	rows := t.shown()
	if len(rows) == 0 {
		return
	}
	at := slices.IndexFunc(rows, func(r keyRow) bool { return r.ID == t.cursor })
	if at < 0 && by > 0 {
		by--
	}
	t.cursor = rows[min(max(0, max(0, at)+by), len(rows)-1)].ID
}

// figures is how wide the columns between name and reason are.
const figures = 9 + 4 + 7 + 7 + 7

// keys draws the table in n lines.
func (s *Screen) keys(n int) []string {
	rows := s.shown()
	longest := 0
	for _, r := range rows {
		longest = max(longest, ansi.StringWidth(oneLine(r.name())))
	}
	name := max(16, min(longest+3, (s.Width-figures)/2, 36))
	why := s.Width - name - figures - 1
	head := "KEY"
	if s.filter != "" {
		head = fmt.Sprintf("KEY %d of %d: %s", len(rows), len(s.rows), s.filter)
	}
	head = cell(head, name) + fmt.Sprintf("%-9s%4s%7s%7s%7s ", "STATE", "NOW", "SERVED", "FAILED", "TOKENS") + "WHY"
	lines := []string{s.painted(dim, cell(head, s.Width))}
	from, to := window(rows, s.cursor, n-1)
	for _, r := range rows[from:to] {
		lines = append(lines, s.keyLine(r, name, why))
	}
	if to-from < len(rows) {
		lines = append(lines, s.painted(dim, cell(fmt.Sprintf("%d of %d keys; up and down show the others", to-from, len(rows)), s.Width)))
	}
	for len(lines) < n {
		lines = append(lines, "")
	}
	return lines
}

// window is the part of the rows that fits, with the chosen one in it and room for the line about the others.
func window(rows []keyRow, cursor string, fits int) (from, to int) {
	if len(rows) <= fits {
		return 0, len(rows)
	}
	at := slices.IndexFunc(rows, func(r keyRow) bool { return r.ID == cursor })
	from = min(max(0, at-fits+2), len(rows)-fits+1)
	return from, from + fits - 1
}

func (s *Screen) keyLine(r keyRow, name, why int) string {
	paint := green
	switch manage.KeyRank(r.Key) {
	case 0:
		paint = red
	case 1, 2:
		paint = yellow
	}
	id := cell(r.name(), name-1)
	if r.ID == s.cursor {
		id = s.painted(reverse, cell("> "+r.name(), name-1))
	}
	line := id + " " + s.painted(paint, cell(r.State, 9)) + number(r.Inflight, 4) + number(r.Requests, 7) +
		number(r.Failures, 7) + number(r.today, 7) + " " + cell(s.why(r), why)
	return ansi.Truncate(line, s.Width, "")
}

// why is when a key comes back, and what keeps it away.
func (s *Screen) why(r keyRow) string {
	if left := r.Until.Sub(s.last.Time); left > 0 {
		return "back " + age(left.Round(time.Second)) + ": " + r.Reason
	}
	return r.Reason
}
