package converge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// A destroy puts the manifest in the place of an open journal, so that it is taken back like a deploy that died: from where a
// cut left it, once, and by whoever comes next. destroyMark in it tells the two apart; once it is there, the journals of the
// deploys say nothing that it does not.
const (
	destroyMark = "destroy"
	destroyDir  = journalDir + "/making" // the manifest before it is whole
)

// destroyNote is what the mark holds: what a destroy that goes on has to say.
type destroyNote struct {
	Packages []string `json:"packages"`
	Left     []string `json:"left"`
}

// destroying reports whether the open journal is a destroy's.
func destroying(s *reader) bool {
	st, err := s.look(openDir + "/" + destroyMark)
	return err == nil && st.Kind == PathFile
}

// resume is the manifest of a destroy that was cut short.
func (m *manifest) resume() error {
	text, err := m.s.readText(openDir + "/" + destroyMark)
	if err != nil {
		return err
	}
	var note destroyNote
	if err := json.Unmarshal([]byte(text), &note); err != nil {
		return fmt.Errorf("%s/%s: %w", openDir, destroyMark, err)
	}
	m.left = note.Left
	m.packages, err = stillInstalled(m.s, note.Packages)
	return err
}

// openDestroy puts the manifest in the place of an open journal. One that is there is gone on with as it was begun.
func openDestroy(ctx context.Context, s *system, o DestroyOptions) error {
	if destroying(&s.reader) {
		return nil
	}
	m, err := s.manifest(ctx)
	if err != nil || len(m.entries)+len(m.packages) == 0 {
		return err
	}
	if o.Purge && len(m.packages) > 0 {
		// Packages are the first that deploys need, so the last that go. One of them would run on without its files.
		going := []entry{{step: "package:all", act: action{Op: opPurge, Names: m.packages}}}
		if slices.Contains(m.packages, "unattended-upgrades") {
			going = append(going, entry{step: "package:unattended-upgrades", act: action{Op: opStop, Names: []string{"unattended-upgrades.service"}}})
		}
		m.entries = slices.Concat(going, m.entries)
	}
	if err := errors.Join(os.RemoveAll(s.at(destroyDir)), os.Mkdir(s.at(destroyDir), 0o700)); err != nil {
		return err
	}
	if err := m.write(s); err != nil {
		return errors.Join(err, os.RemoveAll(s.at(destroyDir)))
	}
	if err := os.Rename(s.at(destroyDir), s.at(openDir)); err != nil {
		return err
	}
	return syncDir(s.at(journalDir))
}

// write fills destroyDir.
func (m *manifest) write(s *system) error {
	if err := makeReserve(s, destroyDir); err != nil {
		return err
	}
	log, err := os.OpenFile(s.at(destroyDir+"/"+journalLog), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	j := &Journal{sys: s, log: log}
	for i, e := range m.entries {
		if err := m.writeEntry(j, i+1, e); err != nil {
			return errors.Join(err, log.Close())
		}
	}
	err = j.write(record{N: len(m.entries) + 1, Time: time.Now().UTC(), Step: "destroy", State: stateIntent, Reversal: &reversal{Settle: m.settle}})
	if err := errors.Join(err, log.Close()); err != nil {
		return err
	}
	note, err := json.Marshal(destroyNote{Packages: m.packages, Left: m.left})
	if err != nil {
		return err
	}
	root, err := s.lookup(rootUser, rootUser)
	if err == nil {
		err = s.writeFile(destroyDir+"/"+destroyMark, note, 0o600, root)
	}
	return errors.Join(err, syncDir(s.at(destroyDir)))
}

func (m *manifest) writeEntry(j *Journal, n int, e entry) error {
	a := e.act
	if a.Saved != "" {
		root, err := j.sys.lookup(rootUser, rootUser)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("%03d-0.old", n)
		if err := j.sys.copyFile(e.dir+"/"+a.Saved, destroyDir+"/"+name, 0o600, root); err != nil {
			return err
		}
		a.Saved = name
	}
	if err := j.write(record{N: n, Time: time.Now().UTC(), Step: e.step, State: stateIntent, Reversal: &reversal{Undo: []action{a}}}); err != nil {
		return err
	}
	done := record{N: n, Time: time.Now().UTC(), Step: e.step, State: stateDone}
	if e.wrote != "" {
		done.Wrote = map[string]string{a.Path: e.wrote}
	}
	return j.write(done)
}

// forgetDestroyed removes the journals whose manifest a destroy has made its own.
func forgetDestroyed(s *system) error {
	if !destroying(&s.reader) {
		return nil
	}
	names, err := sealedJournals(&s.reader)
	for _, name := range names {
		err = errors.Join(err, os.RemoveAll(s.at(journalDir+"/"+name)))
	}
	return err
}
