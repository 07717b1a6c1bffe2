package manage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// Reload has the running adapter put in force what its files hold now: settings, keys and tokens, as far as they take no
// restart, without a request noticing. The reply says what is new and what waits. The error is ErrNotRoot, a
// *control.Refusal for files that would not do for a start, or control.ErrAbsent, with words.
//
// It takes the lock of deploys, so that no edit or deploy that is under way is undone by texts that were read before it.
func Reload(ctx context.Context) (r control.Reloaded, err error) {
	release, err := converge.Lock("gemini-manage reload")
	if errors.Is(err, fs.ErrPermission) {
		return r, ErrNotRoot
	}
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, release()) }()
	texts, err := ReadTexts()
	if err != nil {
		return r, err
	}
	return hereAdapters().reload(ctx, texts)
}

func (all adapters) reload(ctx context.Context, texts config.Texts) (control.Reloaded, error) {
	sum := control.Reloaded{Changed: []string{}, Restart: []string{}}
	err := all.each(func(one control.Client) error {
		r, err := one.Reload(ctx, texts)
		sum.Changed, sum.Restart = union(sum.Changed, r.Changed), union(sum.Restart, r.Restart)
		return err
	})
	return sum, err
}

func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

// setUp are settings that systemd and Nginx were set up by, so that a restart of the adapter alone is too little.
var setUp = []string{"HOST", "PORT", "DRAIN_TIMEOUT", "MAX_BODY"}

// PrintReloaded writes for a person what came of a reload.
func PrintReloaded(w io.Writer, r control.Reloaded) error {
	var restart, deploy []string
	for _, name := range r.Restart {
		if slices.Contains(setUp, name) {
			deploy = append(deploy, name)
		} else {
			restart = append(restart, name)
		}
	}
	lines := []string{"nothing is new: the adapter has these settings already"}
	if len(r.Changed) > 0 {
		lines = []string{"in force: " + strings.Join(r.Changed, ", ")}
	} else if len(r.Restart) > 0 {
		lines = nil
	}
	if len(restart) > 0 {
		lines = append(lines, "after a restart: "+strings.Join(restart, ", ")+"\nhint: gemini-manage restart")
	}
	if len(deploy) > 0 {
		lines = append(lines, "not in force, since systemd and Nginx have to know: "+strings.Join(deploy, ", ")+
			"\nhint: from your laptop: gca deploy again; next time: gemini-manage config set "+deploy[0]+"=VALUE")
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}
