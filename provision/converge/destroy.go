package converge

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// DestroyOptions say how much a destroy takes away.
type DestroyOptions struct {
	Purge   bool     // packages that deploys installed go too
	Folders []Folder // that go whole beside the adapter's own, as that of the backups
}

// Folder is one that goes with all that is in it.
type Folder struct {
	Path  string `json:"path"`
	What  string `json:"what"` // in words
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
}

// Destruction is what a destroy takes away and takes back, or what it did.
type Destruction struct {
	Folders  []Folder // with all that is in them; they come back from nowhere
	Back     []string // what is put back to what it was before the first deploy, in words
	Packages []string // that deploys installed: they stay, unless they were to go too
	Left     []string // what somebody changed since, and is left as it is, in words
}

// ownFolders are the adapter's, in the order in which they go: the releases come last, for they can go on with a destroy that
// was cut short.
func ownFolders() []Folder {
	return []Folder{
		{Path: configDir, What: "settings, keys and tokens"},
		{Path: stateDir, What: "key states, signatures and usage"},
		{Path: "/var/lib/gca-acme", What: "answers to certificate authorities"},
		{Path: alertsDir, What: "how the alerts stand"},
		{Path: runtimeDir, What: "the control sockets"},
		{Path: gcaDir, What: "what deploys wrote down"},
		{Path: filepath.Dir(releasesDir), What: "the releases"},
	}
}

// own reports whether a path goes with one of the adapter's folders.
func own(path string) bool {
	return slices.ContainsFunc(ownFolders(), func(f Folder) bool { return path == f.Path || strings.HasPrefix(path, f.Path+"/") })
}

// PlanDestroy says what a destroy of this server's adapter would do, and changes nothing.
func PlanDestroy(ctx context.Context, o DestroyOptions) (Destruction, error) {
	return planDestroy(ctx, newReader("/"), o)
}

func planDestroy(ctx context.Context, s *reader, o DestroyOptions) (Destruction, error) {
	m, err := s.manifest(ctx)
	if err != nil {
		return Destruction{}, err
	}
	d := Destruction{Packages: m.packages, Back: m.words(), Left: m.left}
	for _, folder := range slices.Concat(o.Folders, ownFolders()) {
		there, err := s.measure(&folder)
		if err != nil {
			return Destruction{}, err
		}
		if there {
			d.Folders = append(d.Folders, folder)
		}
	}
	return d, nil
}

// measure counts what is in a folder.
func (s *reader) measure(folder *Folder) (there bool, err error) {
	err = filepath.WalkDir(s.at(folder.Path), func(_ string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // the adapter runs
			return nil
		}
		if err != nil || entry.IsDir() {
			there = there || err == nil
			return err
		}
		info, err := entry.Info()
		if err == nil {
			folder.Files++
			folder.Bytes += info.Size()
		}
		return ignoreMissing(err)
	})
	return there, err
}

// Destroy takes the adapter off this server: what deploys made goes, and what they changed is put back to what it was before
// the first of them, by their journals. What somebody changed since is left. It is carried out under the lock of deploys; one
// that was cut short is finished by the next destroy, or by the next deploy before anything else. say is told what it is at.
func Destroy(ctx context.Context, o DestroyOptions, say func(string)) (Destruction, error) {
	defer endure()()
	return destroy(ctx, newSystem("/"), o, say)
}

func destroy(ctx context.Context, s *system, o DestroyOptions, say func(string)) (done Destruction, err error) {
	unlock, err := takeLock(s, time.Now(), "a destroy")
	if err != nil {
		return Destruction{}, asRefusal(RefusedServer, err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	ctx = context.WithoutCancel(ctx) // what is half gone is of use to nobody
	if err := takeBackDead(ctx, s); err != nil {
		return Destruction{}, err
	}
	if done, err = planDestroy(ctx, &s.reader, o); err != nil {
		return Destruction{}, err
	}
	say("stopping the adapter")
	if err := errors.Join(s.stopTimers(ctx), s.stopAdapter(ctx)); err != nil {
		return done, err
	}
	if err := openDestroy(ctx, s, o); err != nil {
		return done, fmt.Errorf("cannot begin: %w", err)
	}
	say("putting back what was there before the first deploy")
	left, errs := takeApart(ctx, s)
	done.Left = append(done.Left, left...)
	if len(errs) > 0 {
		return done, fmt.Errorf("not everything could be put back: %w\nhint: put right what is named above, then destroy again", errors.Join(errs...))
	}
	say("removing the adapter's folders")
	return done, s.removeFolders(slices.Concat(o.Folders, ownFolders()))
}

// takeApart takes back what is in the open journal, if there is one. It stays open until nothing fails.
func takeApart(ctx context.Context, s *system) (left []string, failed []error) {
	if !destroying(&s.reader) {
		return nil, nil
	}
	if err := forgetDestroyed(s); err != nil {
		return nil, []error{err}
	}
	if left, failed = splitLeft(takeBack(ctx, s, journalDir+"/"+failedPrefix+"…")); len(failed) > 0 {
		return left, failed
	}
	return left, closeUndone(s, len(left) > 0)
}

// takeBackDead first takes a deploy back that died. What was left of a destroy is not its business.
func takeBackDead(ctx context.Context, s *system) error {
	died, err := unfinished(&s.reader)
	if err != nil || !died || destroying(&s.reader) {
		return err
	}
	if _, errs := splitLeft(undo(ctx, s)); len(errs) > 0 {
		return refuse(RefusedUndo, "put right what is named above, then destroy again",
			"an earlier deploy died half-way, and could not be taken back whole: %v", errors.Join(errs...))
	}
	return nil
}

const (
	answersTime = 30 * time.Second // for answers that are under way, before they are cut off
	endPause    = 200 * time.Millisecond
)

// stopTimers stops what would begin something meanwhile, and what it has begun: a user whose process runs cannot be removed.
func (s *system) stopTimers(ctx context.Context) error {
	units, err := collectUnits(ctx, &s.reader)
	if err != nil {
		return err
	}
	for _, t := range timers() {
		if units[t.unit].Loaded {
			err = errors.Join(err, s.systemctl(ctx, "stop", t.unit, t.service))
		}
	}
	return err
}

// stopAdapter stops its units, whoever still reads an answer.
func (s *system) stopAdapter(ctx context.Context) error {
	units, err := collectUnits(ctx, &s.reader)
	if err != nil {
		return err
	}
	var running []string
	for _, unit := range []string{socketUnit, handoverUnit, serviceUnit} {
		if u := units[unit]; u.Active || u.Ending {
			running = append(running, unit)
		}
	}
	if len(running) == 0 {
		return nil
	}
	if err := s.systemctl(ctx, "stop", append([]string{"--no-block"}, running...)...); err != nil {
		return err
	}
	for begun := time.Now(); time.Since(begun) < answersTime; {
		if units, err = collectUnits(ctx, &s.reader); err != nil {
			return err
		}
		if !slices.ContainsFunc(running, func(unit string) bool { return units[unit].Active || units[unit].Ending }) {
			return nil
		}
		if err := pause(ctx, endPause); err != nil {
			return err
		}
	}
	if err := s.systemctl(ctx, "kill", append([]string{"--signal=SIGKILL"}, running...)...); err != nil {
		return err
	}
	return s.systemctl(ctx, "stop", running...)
}

// removeFolders removes what nothing else needs any more. Of the journals those stay that hold what was left. The lock goes last:
// who deploys again meanwhile would have its release removed.
func (s *system) removeFolders(folders []Folder) error {
	if err := os.RemoveAll(s.at(runDir)); err != nil {
		return err
	}
	for _, folder := range folders {
		if folder.Path != gcaDir {
			if err := os.RemoveAll(s.at(folder.Path)); err != nil {
				return err
			}
			continue
		}
		entries, err := os.ReadDir(s.at(gcaDir))
		if err := ignoreMissing(err); err != nil {
			return err
		}
		for _, entry := range entries {
			if path := gcaDir + "/" + entry.Name(); path != journalDir {
				err = errors.Join(err, os.RemoveAll(s.at(path)))
			}
		}
		if err := errors.Join(ignoreMissing(err), removeIfEmpty(s.at(journalDir)), removeIfEmpty(s.at(gcaDir))); err != nil {
			return err
		}
	}
	return ignoreMissing(os.Remove(s.at(LockFile)))
}

// splitLeft parts what was left, since somebody changed it, from what failed.
func splitLeft(errs []error) (left []string, failed []error) {
	for _, err := range errs {
		if e, ok := errors.AsType[*leftError](err); ok {
			left = append(left, e.Error())
		} else {
			failed = append(failed, err)
		}
	}
	return left, failed
}
