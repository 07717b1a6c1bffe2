package manage

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// ReleaseList is what `gca rollback --list` shows. The first is in force.
type ReleaseList struct {
	Schema   int                `json:"schema"` // 1
	Releases []converge.Release `json:"releases"`
	Site     converge.Site      `json:"site"` // how the adapter is reached
}

// ListReleases lists the releases that are kept on this server.
func ListReleases(read converge.SettingsReader) (*ReleaseList, error) {
	list, err := converge.Releases()
	if err == nil && len(list) == 0 {
		err = ErrNotInstalled
	}
	if err != nil {
		return nil, err
	}
	site, err := converge.Agent{ReadSettings: read}.Site()
	if err != nil { // settings that cannot be read keep nobody from going back
		site = converge.Site{}
	}
	return &ReleaseList{1, list, site}, nil
}

// Choose returns the release to go back to: the one whose name, version or beginning of a name it is, the one that was in force
// before the current one for "". What was sent and refused served nobody, and is gone back to by name alone.
func (l *ReleaseList) Choose(name string) (converge.Release, error) {
	var found []converge.Release
	for _, r := range l.Releases {
		switch {
		case r.Name == name:
			return r, l.refuseCurrent(r)
		case name == "" && !r.Current && !r.Since.IsZero(), name != "" && strings.HasPrefix(r.Name, name):
			found = append(found, r)
		}
	}
	switch {
	case len(found) == 1, len(found) > 1 && name == "":
		return found[0], l.refuseCurrent(found[0])
	case name == "":
		return converge.Release{}, fmt.Errorf("no release is kept that was in force before the current one, %s\nhint: gemini-manage rollback --list shows all that are kept; from your laptop: gca deploy --binary FILE HOST brings another one", l.current())
	}
	problem := "no release that is kept is named"
	if len(found) > 1 {
		problem = "more than one kept release is named"
	}
	return converge.Release{}, fmt.Errorf("%s %q; there are: %s", problem, name, strings.Join(l.names(), ", "))
}

func (l *ReleaseList) refuseCurrent(r converge.Release) error {
	if r.Current {
		return fmt.Errorf("%s is the release in force; there are: %s", r.Name, strings.Join(l.names(), ", "))
	}
	return nil
}

func (l *ReleaseList) names() []string {
	names := make([]string, 0, len(l.Releases))
	for _, r := range l.Releases {
		names = append(names, r.Name)
	}
	return names
}

func (l *ReleaseList) current() string {
	if len(l.Releases) > 0 && l.Releases[0].Current {
		return l.Releases[0].Name
	}
	return "of which there is none"
}

// Print shows the list, a release a line.
func (l *ReleaseList) Print(w io.Writer, now time.Time) error {
	p := &printer{w: w}
	for _, r := range l.Releases {
		since := "never in force"
		if !r.Since.IsZero() {
			since = fmt.Sprintf("%s (%s ago)", r.Since.Format("2006-01-02 15:04 UTC"), now.Sub(r.Since).Round(time.Second))
		}
		mark := " "
		if r.Current {
			mark = "*"
		}
		p.line(mark+" "+r.Name, "%s", since)
	}
	return p.err
}

// Adopt makes the running release the one in force, with the settings, keys and tokens that are there, and its own units and
// site. The error is that of [converge.Agent.Local].
func (m Machine) Adopt(ctx context.Context) (converge.Applied, error) {
	return m.apply(ctx, converge.Want{})
}
