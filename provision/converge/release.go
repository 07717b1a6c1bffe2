package converge

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
)

// keptReleases is how many releases stay on a server, the current one among them.
const keptReleases = 3

// leave takes the uploaded release away again from a server that has no adapter. The lock must be held.
func leave(s *system, want Want) error {
	current, err := s.look(currentLink)
	if err != nil || current.Kind != PathAbsent || !sha256Pattern.MatchString(want.SHA256) || !versionPattern.MatchString(want.Version) {
		return err
	}
	if err := os.RemoveAll(s.at(ReleaseDir(want.Version, want.SHA256))); err != nil {
		return err
	}
	return errors.Join(removeIfEmpty(s.at(releasesDir)), removeIfEmpty(filepath.Dir(s.at(releasesDir))))
}

// prune removes the oldest releases, and says what it could not remove.
func prune(s *system, current string) []string {
	past, err := history(&s.reader)
	if err != nil {
		return []string{err.Error()}
	}
	keep := []string{current}
	for _, release := range slices.Backward(past) {
		if len(keep) < keptReleases && !slices.Contains(keep, release) {
			keep = append(keep, release)
		}
	}
	entries, err := os.ReadDir(s.at(releasesDir))
	if err != nil {
		return []string{err.Error()}
	}
	var notes []string
	for _, entry := range entries {
		if slices.Contains(keep, entry.Name()) {
			continue
		}
		if err := os.RemoveAll(s.at(releasesDir + "/" + entry.Name())); err != nil {
			notes = append(notes, err.Error())
		}
	}
	return notes
}
