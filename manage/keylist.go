package manage

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// KeyList is what `keys list` shows; its JSON form is schema 1.
type KeyList struct {
	Schema int        `json:"schema"`
	Keys   []KeyEntry `json:"keys"`
}

// KeyEntry is one key as the running adapter knows it.
type KeyEntry struct {
	control.Key
	SuccessRate *float64 `json:"success_rate,omitempty"` // 0 to 1, of the requests since the adapter started; absent where there were none
}

// ListKeys asks the running adapter for its keys. The error is ErrNotRoot for users who may not ask, or control.ErrAbsent,
// with words.
func ListKeys(ctx context.Context) (*KeyList, error) { return hereAdapters().listKeys(ctx) }

func (all adapters) listKeys(ctx context.Context) (*KeyList, error) {
	status, err := first(all, func(one control.Client) (control.Status, error) { return one.Status(ctx) })
	if err != nil {
		return nil, err
	}
	list := &KeyList{Schema: 1, Keys: []KeyEntry{}}
	for _, key := range status.Keys {
		entry := KeyEntry{Key: key}
		if key.Requests > 0 {
			rate := 1 - float64(min(key.Failures, key.Requests))/float64(key.Requests)
			entry.SuccessRate = &rate
		}
		list.Keys = append(list.Keys, entry)
	}
	return list, nil
}

// Print writes the list for a person, with times as the clock at the wall says.
func (l *KeyList) Print(w io.Writer, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...string) error {
		_, err := fmt.Fprintln(t, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
		return err
	}
	if err := row("ID", "LABEL", "GROUP", "STATE", "REQUESTS", "SUCCESS", "REASON", "UNTIL"); err != nil {
		return err
	}
	for _, k := range l.Keys {
		rate := "-"
		if k.SuccessRate != nil {
			rate = fmt.Sprintf("%.1f%%", 100**k.SuccessRate)
		}
		err := row(k.ID, orDash(k.Label), orDash(k.Group), k.State, fmt.Sprint(k.Requests), rate, orDash(k.Reason), until(k.Until, now))
		for _, rest := range k.Rests {
			if err == nil && rest.Until.After(now) {
				err = row("", "", "", "", "", "", rest.Model+": "+rest.Reason, until(rest.Until, now))
			}
		}
		if err != nil {
			return err
		}
	}
	return t.Flush()
}

// Line is a key in a list to choose from.
func (k KeyEntry) Line(now time.Time) string {
	line := named(k.Key) + "  " + k.State
	if k.Reason != "" {
		line += ": " + k.Reason
	}
	if k.Until.After(now) {
		line += ", until " + until(k.Until, now)
	}
	return line
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// until is a time to come and how long it takes, "-" for one that is past.
func until(t, now time.Time) string {
	if !t.After(now) {
		return "-"
	}
	local, layout := t.In(now.Location()), "15:04:05"
	if local.YearDay() != now.YearDay() || local.Year() != now.Year() {
		layout = "Jan 2 15:04"
	}
	return local.Format(layout) + " (" + t.Sub(now).Round(time.Second).String() + ")"
}
