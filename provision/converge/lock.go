package converge

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// LockFile is what a deploy holds the lock of (flock) while it is at work on a server.
const LockFile = "/run/gca.lock"

// takeLock makes sure that one deploy runs at a time. The kernel lets go of the
// lock when the process ends, however it ends.
func takeLock(s *system, now time.Time) (release func() error, err error) {
	f, err := os.OpenFile(s.at(LockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	taken, err := tryLock(f)
	if err == nil && !taken {
		holder, readErr := s.readText(LockFile)
		if err := errors.Join(readErr, f.Close()); err != nil {
			return nil, err
		}
		return nil, refuse(RefusedLocked, "wait for it to end, then deploy again",
			"another deploy is running on this server: %s", strings.TrimSpace(holder))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", LockFile, err), f.Close())
	}
	text := fmt.Sprintf("pid %d since %s\n", os.Getpid(), now.UTC().Format(time.RFC3339))
	if _, err := f.WriteString(text); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := f.Truncate(int64(len(text))); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}
