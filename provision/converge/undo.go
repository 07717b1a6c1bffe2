package converge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ours reports whether what lies at a path changes by itself, without a person: the adapter's own files, what is
// staged, and swap.
func ours(path string) bool {
	return path == swapFile || path == acmeWebroot || path == alertsDir || path == runtimeDir || path == stateDir || strings.HasPrefix(path, stateDir+"/") || path == nextLink || path == nextConfig
}

// fingerprint tells the content of a path from any other.
func (s *reader) fingerprint(path string) (string, error) {
	st, err := s.look(path)
	if err != nil || st.Kind != PathFile {
		return string(st.Kind) + " " + st.Target, err
	}
	sum, err := plainSHA256(s, path)
	return string(st.Kind) + " " + sum, err
}

// fingerprints are those of all paths that a step may have changed.
func (rev reversal) fingerprints(s *reader) (map[string]string, error) {
	sums := map[string]string{}
	for _, a := range rev.Undo {
		if a.Op != opPath || ours(a.Path) {
			continue
		}
		sum, err := s.fingerprint(a.Path)
		if err != nil {
			return nil, err
		}
		sums[a.Path] = sum
	}
	return sums, nil
}

// undoing is one run of taking a journal back. An earlier run may have been cut short.
type undoing struct {
	sys    *system
	kept   string // folder where the journal will lie if something fails
	log    *os.File
	wrote  map[int]map[string]string // fingerprints by the number of the step that is done, and path
	undone map[string]bool           // keys of actions that an earlier run carried out
	left   []string                  // paths that somebody changed since
	errs   []error
}

// takeBack takes what the open journal has back, last step first, and goes on after an error.
func takeBack(ctx context.Context, s *system, kept string) []error {
	u := &undoing{sys: s, kept: kept, wrote: map[int]map[string]string{}, undone: map[string]bool{}}
	u.failed(freeReserve(s, openDir))
	records, err := readJournal(&s.reader, openDir)
	u.failed(err)
	for _, r := range records {
		switch r.State {
		case stateDone:
			u.wrote[r.N] = r.Wrote
		case stateUndone:
			u.undone[r.Step] = true
		}
	}
	u.failed(u.openLog())
	for _, r := range slices.Backward(records) {
		if r.Reversal != nil {
			u.undo(ctx, r)
		}
	}
	whole := len(u.errs) == 0 // otherwise what settles the files is due again when the rest of them is back
	for _, r := range records {
		if r.Reversal != nil {
			u.carryOut(ctx, r, "settle", r.Reversal.Settle, whole)
		}
	}
	if u.log != nil {
		u.failed(u.log.Close())
	}
	return u.errs
}

func (u *undoing) failed(err error) {
	if err != nil {
		u.errs = append(u.errs, err)
	}
}

// openLog makes the journal ready to be written on, behind its last whole line.
func (u *undoing) openLog() error {
	file := u.sys.at(openDir + "/" + journalLog)
	data, err := os.ReadFile(file)
	if err != nil {
		return ignoreMissing(err)
	}
	if err := os.Truncate(file, int64(strings.LastIndexByte(string(data), '\n')+1)); err != nil {
		return err
	}
	u.log, err = os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0o600)
	return err
}

// note remembers what was carried out. Where that fails, as on a full disk, it may be carried out twice, which does no harm.
func (u *undoing) note(key string) {
	line, err := json.Marshal(record{Step: key, State: stateUndone})
	if err != nil || u.log == nil {
		return
	}
	if _, err := u.log.Write(append(line, '\n')); err == nil {
		_ = u.log.Sync()
	}
}

// undo takes one step back. What somebody changed since is found out before anything of the step is touched.
func (u *undoing) undo(ctx context.Context, r record) {
	var actions []action
	for i, a := range r.Reversal.Undo {
		theirs := false
		if !u.undone[key(r, "undo", i)] {
			var err error
			theirs, err = u.theirs(r, a)
			u.failed(err)
		}
		switch {
		case theirs && a.Path == fstab: // a line for a file that goes would keep a boot waiting
			u.failed(u.sys.dropSwapLine())
			a.Op = opNone
		case theirs:
			u.left = append(u.left, a.Path)
			u.failed(&leftError{fmt.Sprintf("%s: %s was changed after the deploy wrote it, and was left as it is; %s", r.Step, a.Path, a.before(u.kept))})
			a.Op = opNone
		}
		actions = append(actions, a)
	}
	u.carryOut(ctx, r, "undo", actions, true)
}

func key(r record, part string, i int) string { return fmt.Sprintf("%d %s %d", r.N, part, i) }

func (u *undoing) carryOut(ctx context.Context, r record, part string, actions []action, note bool) {
	for i, a := range actions {
		key := key(r, part, i)
		if u.undone[key] || a.Op == opNone || a.Op == opPath && u.holds(a.Path) {
			continue
		}
		if err := a.do(ctx, u.sys); err != nil {
			u.failed(fmt.Errorf("%s: %w", r.Step, err))
		} else if note {
			u.note(key)
		}
	}
}

// holds reports whether something that was left lies in the folder.
func (u *undoing) holds(dir string) bool {
	return slices.ContainsFunc(u.left, func(path string) bool { return strings.HasPrefix(path, dir+"/") })
}

// theirs reports whether a path holds neither what the step wrote nor what was there before.
func (u *undoing) theirs(r record, a action) (bool, error) {
	wrote, done := u.wrote[r.N][a.Path]
	if a.Op != opPath || !done {
		return false, nil
	}
	now, err := u.sys.fingerprint(a.Path)
	if err != nil || now == wrote || a.Was == nil {
		return false, err
	}
	was := string(a.Was.Kind) + " " + a.Was.Target
	if a.Was.Kind == PathFile {
		was, err = u.sys.fingerprint(openDir + "/" + filepath.Base(a.Saved))
	}
	return err == nil && now != was, err
}

// before tells what a path was, and where that lies now.
func (a action) before(kept string) string {
	switch a.Was.Kind {
	case PathFile:
		return "its content of before is in " + kept + "/" + a.Saved
	case PathLink:
		return "before it was a link to " + a.Was.Target
	case PathAbsent:
		return "before it was not there"
	}
	return "before it was a directory"
}

// leftError is something that somebody changed since, and that was therefore left.
type leftError struct{ text string }

func (e *leftError) Error() string { return e.text }

// removeMade removes what a step has made. A folder goes with the folders in it; a file that is still there is not of the
// deploy, but for what a write that was cut short left.
func removeMade(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return ignoreMissing(err)
	}
	if !info.IsDir() {
		return os.Remove(path)
	}
	entries, err := os.ReadDir(path)
	for _, entry := range entries {
		name := filepath.Join(path, entry.Name())
		if entry.IsDir() || strings.HasPrefix(entry.Name(), ".gca-") {
			err = errors.Join(err, removeMade(name))
		} else {
			err = errors.Join(err, &leftError{name + " was not written by the deploy, and was left"})
		}
	}
	if err != nil {
		return err
	}
	return os.Remove(path)
}
