package converge

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Release is one that is kept on this server.
type Release struct {
	Name    string    `json:"name"`            // version-sha12
	Current bool      `json:"current"`         // it is in force
	Since   time.Time `json:"since,omitzero"`  // when a deploy last ended well with it; zero where none did
	Binary  string    `json:"binary,omitzero"` // its file
}

// Releases lists the releases of this server, the one that was in force last first; the current one is the first. It needs root.
func Releases() ([]Release, error) { return newReader("/").releases() }

func (s *reader) releases() ([]Release, error) {
	entries, err := os.ReadDir(s.at(releasesDir))
	if err := ignoreMissing(err); err != nil {
		return nil, err
	}
	current, err := s.release()
	if err != nil {
		return nil, err
	}
	since, err := s.inForce()
	if err != nil {
		return nil, err
	}
	var list []Release
	for _, entry := range entries {
		r := Release{Name: entry.Name(), Current: entry.Name() == current, Since: since[entry.Name()], Binary: filepath.Join(releasesDir, entry.Name(), "gca")}
		if st, err := s.look(r.Binary); err != nil || st.Kind != PathFile {
			continue // it was being sent
		}
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b Release) int {
		if a.Current != b.Current {
			return cmp.Compare(btoi(b.Current), btoi(a.Current))
		}
		return cmp.Or(b.Since.Compare(a.Since), strings.Compare(a.Name, b.Name))
	})
	return list, nil
}

// Site says how this server is reached, by its settings.
func (a Agent) Site() (Site, error) {
	f, err := collectFiles(newReader("/"), Want{})
	if err != nil {
		return Site{}, err
	}
	s, err := a.ReadSettings(f.settingsFiles(Want{}))
	return f.site(s, Want{}), err
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// inForce is when a deploy last ended well, by release.
func (s *reader) inForce() (map[string]time.Time, error) {
	names, err := sealedJournals(s)
	since := make(map[string]time.Time, len(names))
	for _, name := range names {
		stamp, release, _ := strings.Cut(name, "_")
		if t, err := time.Parse(sealedTime, stamp); err == nil {
			since[release] = t
		}
	}
	return since, err
}
