package converge

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// LockFile is what a deploy holds the lock of (flock) while it is at work on a server. It names its holder.
const LockFile = "/run/gca.lock"

const (
	lockPatience = time.Second // for one who only looks, which takes a moment
	lockPause    = 20 * time.Millisecond
)

// takeLock makes sure that one deploy runs at a time; what says which. The kernel lets go of the lock when the process
// ends, however it ends.
func takeLock(s *system, now time.Time, what string) (release func() error, err error) {
	for {
		f, err := os.OpenFile(s.at(LockFile), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		there, err := s.hold(f, fmt.Sprintf("pid %d since %s: %s\n", os.Getpid(), now.UTC().Format(time.RFC3339), what))
		switch {
		case err != nil:
			return nil, errors.Join(err, f.Close())
		case there:
			return f.Close, nil
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}

// hold takes the lock of an open file, and writes down for whom. Not there is a file that a destroy has removed meanwhile: its
// lock keeps nobody away.
func (s *system) hold(f *os.File, text string) (there bool, err error) {
	taken, err := awaitLock(f)
	if err != nil {
		return false, err
	}
	if !taken {
		return false, lockedBy(&s.reader)
	}
	held, err := f.Stat()
	if err != nil {
		return false, err
	}
	if now, err := os.Stat(s.at(LockFile)); err != nil || !os.SameFile(now, held) {
		return false, ignoreMissing(err)
	}
	_, err = f.WriteString(text)
	return true, errors.Join(err, f.Truncate(int64(len(text))))
}

// Lock keeps deploys away from this server while something is changed beside them, until release; what says to them what that
// is. The error is a [*Refusal] that names who is at work.
func Lock(what string) (release func() error, err error) {
	return takeLock(newSystem("/"), time.Now(), what)
}

func awaitLock(f *os.File) (taken bool, err error) {
	for end := time.Now().Add(lockPatience); ; time.Sleep(lockPause) {
		if taken, err = tryLock(f); taken || err != nil || time.Now().After(end) {
			return taken, err
		}
	}
}

// lockFree is the refusal that names who holds the lock, if somebody does.
func lockFree(s *system) error {
	unlock, err := takeLock(s, time.Now(), "a look whether a deploy is at work")
	if err != nil {
		return err
	}
	return unlock()
}

// lockedBy is the refusal that names who holds the lock.
func lockedBy(s *reader) error {
	holder, err := s.readText(LockFile)
	if err != nil {
		return err
	}
	return refuse(RefusedLocked, "wait for it to end, then deploy again",
		"another deploy is at work on this server: %s", strings.TrimSpace(holder))
}

// purpose says for the lock's holder what it does, for which laptop.
func (w Want) purpose(verb string) string {
	text := verb + " " + w.Release()
	if w.Client != "" {
		text += " from " + w.Client
	}
	return text
}
