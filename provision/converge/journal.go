package converge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A deploy that is under way keeps its journal in open; sealed, it gets a name
// of its own by a rename. So a journal found in open belongs to a deploy that
// died, and is undone before anything else.
const (
	gcaDir     = "/var/lib/gca"
	journalDir = gcaDir + "/journal"
	openDir    = journalDir + "/open"
	journalLog = "journal"

	failedPrefix = "failed-" // of a journal that could not be undone whole
)

// Journal records what a deploy is about to change, with what it takes to change it back.
type Journal struct {
	sys *system
	log *os.File
	n   int
	rev reversal // of the step at hand
}

// record is one line of the journal. A step has a line before it is applied, with its reversal, and one after.
type record struct {
	N        int       `json:"n"`
	Time     time.Time `json:"time"`
	Step     string    `json:"step"`
	State    string    `json:"state"` // intent, done or undone
	Reversal *reversal `json:"reversal,omitempty"`

	Wrote map[string]string `json:"wrote,omitempty"` // with done: what each path holds now, see fingerprint
}

const (
	stateIntent = "intent"
	stateDone   = "done"
	stateUndone = "undone" // Step names one action of a reversal
)

// unfinished reports whether a deploy died before its end.
func unfinished(s *reader) (bool, error) {
	st, err := s.look(openDir)
	return st.Kind != PathAbsent, err
}

func openJournal(s *system) (*Journal, error) {
	for _, dir := range []string{"/var/lib", gcaDir, journalDir, openDir} {
		if err := os.Mkdir(s.at(dir), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	if err := errors.Join(os.Chmod(s.at(gcaDir), 0o700), os.Chmod(s.at(journalDir), 0o700)); err != nil {
		return nil, err
	}
	if err := makeReserve(s, openDir); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(s.at(openDir+"/"+journalLog), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{openDir, journalDir, gcaDir, "/var/lib"} {
		if err := syncDir(s.at(dir)); err != nil {
			return nil, errors.Join(err, log.Close())
		}
	}
	return &Journal{sys: s, log: log}, nil
}

// intent writes what a step's reversal needs, old contents first, and only then the line that counts on them.
func (j *Journal) intent(step string, rev reversal) error {
	j.n++
	for _, list := range [][]action{rev.Undo, rev.Settle} {
		for i := range list {
			if err := j.save(&list[i], fmt.Sprintf("%03d-%d.old", j.n, i)); err != nil {
				return err
			}
		}
	}
	if err := syncDir(j.sys.at(openDir)); err != nil {
		return err
	}
	j.rev = rev
	return j.write(record{N: j.n, Time: time.Now().UTC(), Step: step, State: stateIntent, Reversal: &rev})
}

// save copies what the path holds, however large it is.
func (j *Journal) save(a *action, name string) error {
	if a.Was == nil || a.Was.Kind != PathFile {
		return nil
	}
	a.Saved = name
	root, err := j.sys.lookup(rootUser, rootUser)
	if err != nil {
		return err
	}
	return j.sys.copyFile(a.Path, openDir+"/"+name, 0o600, root)
}

// done says what the step came to, so that an undo can tell it from what others do later.
func (j *Journal) done(step string) error {
	wrote, err := j.rev.fingerprints(&j.sys.reader)
	if err != nil {
		return err
	}
	return j.write(record{N: j.n, Time: time.Now().UTC(), Step: step, State: stateDone, Wrote: wrote})
}

func (j *Journal) write(r record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := j.log.Write(append(line, '\n')); err != nil {
		return err
	}
	return j.log.Sync()
}

// seal ends a deploy well: what is left is the manifest of what was created or
// changed. The rename is the commit, and up to it an error leaves everything
// that an undo needs. Old contents that are secret do not outlive the deploy;
// the notes tell which are still there.
func (j *Journal) seal(release string, now time.Time) (notes []string, err error) {
	if err := j.log.Close(); err != nil {
		return nil, err
	}
	name := sealedName(release, now)
	if err := os.Rename(j.sys.at(openDir), j.sys.at(journalDir+"/"+name)); err != nil {
		return nil, err
	}
	if err := syncDir(j.sys.at(journalDir)); err != nil {
		notes = append(notes, err.Error())
	}
	// Who has deployed well since has put right what failed.
	failed, err := filepath.Glob(j.sys.at(journalDir + "/" + failedPrefix + "*"))
	if err != nil {
		notes = append(notes, err.Error())
	}
	for _, dir := range append(failed, name) {
		notes = append(notes, tidy(j.sys, filepath.Base(dir))...)
	}
	return notes, nil
}

// syncDir makes a rename in dir outlast a power cut.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// tidy removes the secret copies and the reserve of a sealed journal, and says what it could not remove.
func tidy(s *system, name string) (notes []string) {
	dir := journalDir + "/" + name
	if err := freeReserve(s, dir); err != nil {
		notes = append(notes, err.Error())
	}
	records, err := readJournal(&s.reader, dir)
	if err != nil {
		notes = append(notes, err.Error())
	}
	for _, r := range records {
		if r.Reversal == nil {
			continue
		}
		for _, a := range slices.Concat(r.Reversal.Undo, r.Reversal.Settle) {
			if !a.Secret || a.Saved == "" {
				continue
			}
			if err := ignoreMissing(os.Remove(s.at(dir + "/" + filepath.Base(a.Saved)))); err != nil {
				notes = append(notes, err.Error())
			}
		}
	}
	return notes
}

// sweep tidies sealed journals whose deploy died right after its commit.
func sweep(s *system) (notes []string) {
	sealed, err := sealedJournals(&s.reader)
	if err != nil {
		return []string{err.Error()}
	}
	for _, name := range sealed {
		notes = append(notes, tidy(s, name)...)
	}
	return notes
}

const sealedTime = "20060102T150405.000Z"

func sealedName(release string, now time.Time) string {
	return now.UTC().Format(sealedTime) + "_" + release
}

// sealedJournals lists the folders of the deploys that ended well, the latest last.
func sealedJournals(s *reader) ([]string, error) {
	entries, err := os.ReadDir(s.at(journalDir))
	if err := ignoreMissing(err); err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if strings.Contains(entry.Name(), "_") {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// history lists the releases that deploys ended well with, the latest last.
func history(s *reader) ([]string, error) {
	names, err := sealedJournals(s)
	for i, name := range names {
		_, names[i], _ = strings.Cut(name, "_")
	}
	return names, err
}

// readJournal reads the journal in a folder. A last line without an end was being
// written when the power went: its step had not begun. Lines that cannot be
// read are in the error, and all others are returned.
func readJournal(s *reader, dir string) ([]record, error) {
	data, err := os.ReadFile(s.at(dir + "/" + journalLog))
	if err := ignoreMissing(err); err != nil {
		return nil, err
	}
	var records []record
	var errs []error
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	n := 0
	for line := range bytes.Lines(data) {
		n++
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			errs = append(errs, fmt.Errorf("%s/%s, line %d: %w", dir, journalLog, n, err))
			continue
		}
		records = append(records, r)
	}
	return records, errors.Join(errs...)
}

// close lets go of a journal that is not sealed. A second close does nothing.
func (j *Journal) close() error {
	if err := j.log.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// undo takes everything in the open journal back, last step first, goes on
// after an error, and returns all of them. Then the journal is gone; with errors
// it is kept under a name of its own, to look at.
func undo(ctx context.Context, s *system) []error {
	if err := forgetDestroyed(s); err != nil {
		return []error{err}
	}
	errs := takeBack(ctx, s, journalDir+"/"+failedPrefix+"…")
	return append(errs, closeUndone(s, len(errs) > 0)...)
}

// undoOrLeave is undo for a process that has to end soon: what cannot be put back stays open for the next deploy.
func undoOrLeave(ctx context.Context, s *system) []error {
	if err := forgetDestroyed(s); err != nil {
		return []error{err}
	}
	if errs := takeBack(ctx, s, openDir); len(errs) > 0 {
		return errs
	}
	return closeUndone(s, false)
}

func closeUndone(s *system, failed bool) []error {
	if failed {
		name := filepath.Join(journalDir, failedPrefix+time.Now().UTC().Format(sealedTime))
		if err := os.Rename(s.at(openDir), s.at(name)); err != nil {
			return []error{err}
		}
		return nil
	}
	for _, err := range []error{os.RemoveAll(s.at(openDir)), removeIfEmpty(s.at(journalDir)), removeIfEmpty(s.at(certDir)), removeIfEmpty(s.at(gcaDir))} {
		if err != nil {
			return []error{err}
		}
	}
	return nil
}

// removeIfEmpty leaves a directory that still has something in it.
func removeIfEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		return ignoreMissing(err)
	}
	return os.Remove(dir)
}
