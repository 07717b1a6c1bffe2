package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// run writes until the store is closed.
func (s *SQLite) run() {
	defer close(s.ended)
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		select {
		case <-s.wake:
			if s.suspect.Load() {
				s.look()
			}
		case <-ticker.C:
			s.look()
		case <-s.stop:
			s.retry = time.Time{}
			s.flush()
			s.letGo()
			return
		}
		s.flush()
	}
}

// flush writes what waits, unless the file was found useless a moment ago.
func (s *SQLite) flush() {
	if time.Now().Before(s.retry) {
		return
	}
	s.commit.Lock()
	defer s.commit.Unlock()
	s.mu.Lock()
	b := s.waiting
	if b.empty() && s.file.Load() != nil && s.failing == nil {
		s.mu.Unlock()
		return
	}
	s.waiting = newBatch()
	s.mu.Unlock()
	s.try(b)
}

// try writes a batch, and tells those who wait for it. What could not be written waits again.
func (s *SQLite) try(b *batch) {
	err := s.write(b)
	s.mu.Lock()
	before := s.failing
	if s.failing = s.cannot(err); err != nil {
		s.waiting.absorb(b)
		s.waiting.usage.prune("", s.limits.Rows)
	}
	b.err = s.failing
	s.mu.Unlock()
	close(b.done)
	switch {
	case err == nil:
		s.retry, s.pause = time.Time{}, 0
		if before != nil {
			s.log.Info("the state is kept on disk again", "file", s.path)
		}
	default:
		s.pause = min(max(2*s.pause, period), maxPause)
		s.retry = time.Now().Add(s.pause)
		if before == nil {
			s.log.Error("the state of keys, signatures and usage is kept in memory alone for now", "error", s.cannot(err).Error())
		}
	}
}

// cannot is what people are told of an error.
func (s *SQLite) cannot(err error) error {
	if err == nil {
		return nil
	}
	hint := "look for space and permissions: df -h " + quote(filepath.Dir(s.path)) + "; ls -l " + quote(s.path)
	if errors.Is(err, errForeign) {
		hint = "give the adapter a file of its own: STATE_URL=file:///var/lib/gemini-adapter/state.db"
	}
	return fmt.Errorf("cannot keep the state in %s: %w\nhint: %s", s.path, err, hint)
}

// quote is a path as a shell takes it.
func quote(path string) string {
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// write writes a batch. A file that turns out to be damaged makes room for a new one first.
func (s *SQLite) write(b *batch) error {
	f, err := s.opened()
	if err != nil {
		return err
	}
	if err = f.write(b, s.writer); damaged(err) {
		var rescued *batch
		if f, rescued, err = s.anew(f, err); err != nil {
			return err
		}
		b.absorb(rescued)
		err = f.write(b, s.writer)
	}
	if err == nil {
		s.prune(f, len(b.signatures))
	}
	return err
}

// prune drops what is too old or too much, now and then.
func (s *SQLite) prune(f *file, puts int) {
	now := time.Now()
	if s.puts += puts; s.puts < prunePuts && now.Sub(s.pruned) < pruneEvery {
		return
	}
	s.puts, s.pruned = 0, now
	if err := f.prune(s.limits, now); err != nil {
		s.log.Warn("old state cannot be dropped", "error", s.unreadable(err).Error())
	}
}

// opened returns the file, which it opens if need be.
func (s *SQLite) opened() (*file, error) {
	if f := s.file.Load(); f != nil {
		return f, nil
	}
	f, err := openFile(s.path)
	if damaged(err) {
		f, _, err = s.anew(nil, err)
		return f, err
	}
	if err != nil {
		return nil, err
	}
	s.file.Store(f)
	s.revision.Add(1)
	return f, nil
}

// look sees what others did to the file since the last time.
func (s *SQLite) look() {
	f := s.file.Load()
	if f == nil {
		return
	}
	changed, err := f.changed()
	switch {
	case s.suspect.Swap(false) || damaged(err):
		s.swap(f, errors.Join(err, errDamaged))
	case err == nil && !f.current(s.path):
		s.swap(f, errReplaced)
	case err == nil && changed:
		s.revision.Add(1)
	}
}

var (
	errDamaged  = errors.New("a part of it cannot be read")
	errReplaced = errors.New("another file has its name")
)

// swap goes over to the file that has the name now, or to a new one.
func (s *SQLite) swap(f *file, why error) {
	s.commit.Lock()
	defer s.commit.Unlock()
	_, rescued, err := s.anew(f, why)
	if err != nil {
		s.log.Error("the state file cannot be replaced", "error", s.cannot(err).Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting.absorb(rescued)
}

// anew lets go of a file that is no good any more, renames it if it still has its name, and opens another one. It returns
// what could be read of key states and usage, unless the other one comes from somebody who has seen to that.
func (s *SQLite) anew(f *file, why error) (*file, *batch, error) {
	rescued := newBatch()
	if f != nil {
		rescued = f.rescue()
		s.file.Store(nil)
		if err := f.close(); err != nil {
			s.log.Debug("a damaged state file", "error", err.Error())
		}
	}
	switch {
	case f == nil || f.current(s.path):
		aside, err := setAside(s.path, time.Now())
		if err != nil {
			return nil, rescued, err
		}
		s.log.Error("the state file is damaged: it was renamed, and a new one begun", "file", s.path, "renamed", aside, "error", why.Error(),
			"key_states", len(rescued.keys), "usage_rows", len(rescued.usage))
	case exists(s.path):
		rescued = newBatch()
		fallthrough
	default:
		s.log.Warn("the state file is another one than before", "file", s.path)
	}
	f, err := openFile(s.path)
	if err != nil {
		return nil, rescued, err
	}
	s.file.Store(f)
	s.revision.Add(1)
	return f, rescued, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// letGo closes the file.
func (s *SQLite) letGo() {
	if f := s.file.Swap(nil); f != nil {
		if err := f.close(); err != nil {
			s.log.Error("the state file cannot be closed", "error", s.cannot(err).Error())
		}
	}
}

const damagedMark = ".damaged-"

// setAside renames a database and what belongs to it, and drops what was set aside before.
func setAside(path string, now time.Time) (string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), filepath.Base(path)+damagedMark) {
			err = errors.Join(err, os.Remove(filepath.Join(filepath.Dir(path), entry.Name())))
		}
	}
	aside := path + damagedMark + now.UTC().Format("20060102T150405Z")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if e := os.Rename(path+suffix, aside+suffix); e != nil && !(suffix != "" && errors.Is(e, os.ErrNotExist)) {
			err = errors.Join(err, e)
		}
	}
	return aside, err
}
