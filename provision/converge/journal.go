package converge

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
)

// Journal records what a deploy is about to change, with what it takes to change it back.
type Journal struct {
	sys *system
	log *os.File
	n   int
}

// record is one line of the journal. A step has a line before it is applied, with its reversal, and one after.
type record struct {
	N        int       `json:"n"`
	Time     time.Time `json:"time"`
	Step     string    `json:"step"`
	State    string    `json:"state"` // intent or done
	Reversal *reversal `json:"reversal,omitempty"`
}

const (
	stateIntent = "intent"
	stateDone   = "done"
)

// unfinished reports whether a deploy died before its end.
func unfinished(s *system) (bool, error) {
	st, err := s.state(openDir)
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
	log, err := os.OpenFile(s.at(openDir+"/"+journalLog), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
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
	return j.write(record{N: j.n, Time: time.Now().UTC(), Step: step, State: stateIntent, Reversal: &rev})
}

func (j *Journal) save(a *action, name string) error {
	if a.Was == nil || a.Was.Kind != PathFile {
		return nil
	}
	a.Saved = name
	root, err := j.sys.lookup(rootUser, rootUser)
	if err != nil {
		return err
	}
	return j.sys.writeFile(openDir+"/"+name, a.Was.Content, 0o600, root)
}

func (j *Journal) done(step string) error {
	return j.write(record{N: j.n, Time: time.Now().UTC(), Step: step, State: stateDone})
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
// changed. Old contents that are secret do not outlive the deploy.
func (j *Journal) seal(release string, now time.Time) error {
	records, err := readJournal(j.sys)
	if err != nil {
		return err
	}
	for _, r := range records {
		if r.Reversal == nil {
			continue
		}
		for _, a := range slices.Concat(r.Reversal.Undo, r.Reversal.Settle) {
			if a.Secret && a.Saved != "" {
				if err := ignoreMissing(os.Remove(j.sys.at(openDir + "/" + a.Saved))); err != nil {
					return err
				}
			}
		}
	}
	if err := j.log.Close(); err != nil {
		return err
	}
	return os.Rename(j.sys.at(openDir), j.sys.at(journalDir+"/"+sealedName(release, now)))
}

func sealedName(release string, now time.Time) string {
	return now.UTC().Format("20060102T150405.000Z") + "_" + release
}

// history lists the releases that deploys ended well with, the latest last.
func history(s *system) ([]string, error) {
	entries, err := os.ReadDir(s.at(journalDir))
	if err := ignoreMissing(err); err != nil {
		return nil, err
	}
	var releases []string
	for _, entry := range entries {
		if _, release, ok := strings.Cut(entry.Name(), "_"); ok {
			releases = append(releases, release)
		}
	}
	return releases, nil
}

// readJournal reads the open journal. A last line without an end was being
// written when the power went: its step had not begun.
func readJournal(s *system) ([]record, error) {
	data, err := os.ReadFile(s.at(openDir + "/" + journalLog))
	if err := ignoreMissing(err); err != nil {
		return nil, err
	}
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	var records []record
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxManagedFile)
	for lines.Scan() {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("journal, line %d: %w", len(records)+1, err)
		}
		records = append(records, r)
	}
	return records, lines.Err()
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
	records, err := readJournal(s)
	if err != nil {
		return []error{err}
	}
	var errs []error
	do := func(step string, actions []action) {
		for _, a := range actions {
			if err := a.load(s); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", step, err))
			} else if err := a.do(ctx, s); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", step, err))
			}
		}
	}
	for _, r := range slices.Backward(records) {
		if r.Reversal != nil {
			do(r.Step, r.Reversal.Undo)
		}
	}
	for _, r := range records {
		if r.Reversal != nil {
			do(r.Step, r.Reversal.Settle)
		}
	}
	return append(errs, closeUndone(s, len(errs) > 0)...)
}

func (a *action) load(s *system) (err error) {
	if a.Saved == "" {
		return nil
	}
	if strings.Contains(a.Saved, "/") || a.Was == nil {
		return errors.New("the journal names " + strconv.Quote(a.Saved) + " for an old content")
	}
	a.Was.Content, err = os.ReadFile(s.at(openDir + "/" + a.Saved))
	return err
}

func closeUndone(s *system, failed bool) []error {
	if failed {
		name := filepath.Join(journalDir, "failed-"+time.Now().UTC().Format("20060102T150405.000Z"))
		if err := os.Rename(s.at(openDir), s.at(name)); err != nil {
			return []error{err}
		}
		return nil
	}
	for _, err := range []error{os.RemoveAll(s.at(openDir)), removeIfEmpty(s.at(journalDir)), removeIfEmpty(s.at(gcaDir))} {
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
