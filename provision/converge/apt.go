package converge

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	aptTime      = 20 * time.Minute // a slow mirror, or another package manager that has to end first
	aptLockTime  = 10 * time.Minute
	cloudTime    = 5 * time.Minute
	aptRetryTime = 3 * time.Second
	lockPoll     = 500 * time.Millisecond
	waitTell     = 3 * time.Second // between two words about a wait
	fullPatience = 10              // seconds with a full disk that apt-get is given to say so
	fullBytes    = 64 << 20        // free on a disk that counts as full: apt-get takes away what it could not write whole

	aptLists = "update" // what apt-get calls to fetch its lists
)

// aptLocks are what a package manager holds while it works; apt-get waits for the first by itself, but says nothing of its holder.
var aptLocks = [...]struct{ path, what string }{
	{"/var/lib/dpkg/lock-frontend", "the dpkg lock"},
	{"/var/lib/dpkg/lock", "the dpkg lock"},
	{"/var/lib/apt/lists/lock", "the lock of apt's lists"},
	{"/var/cache/apt/archives/lock", "the lock of apt's downloads"},
}

func aptArgs(args ...string) []string {
	return append([]string{
		"-q", "-y",
		"-o", fmt.Sprintf("DPkg::Lock::Timeout=%d", aptLockTime/time.Second),
		"-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold",
		"-o", "Dpkg::Use-Pty=0", "-o", "Acquire::Retries=2",
		"-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20",
	}, args...)
}

// apt runs apt-get when nobody else holds its locks.
func apt(ctx context.Context, r *run, line func(string), args ...string) (string, error) {
	deadline := time.Now().Add(aptLockTime)
	for {
		if err := waitForLocks(ctx, r, deadline); err != nil {
			return "", err
		}
		out, err := aptGet(ctx, r, line, args...)
		if err == nil || !isLocked(err) || time.Now().After(deadline) {
			return out, aptError(err)
		}
		// Somebody took a lock after the look at it. apt-get's own time-out does not cover that of its lists.
		if err := pause(ctx, aptRetryTime); err != nil {
			return "", err
		}
	}
}

// aptGet runs apt-get once. Its error shows the command without the options that every one has.
func aptGet(ctx context.Context, r *run, line func(string), args ...string) (string, error) {
	start := r.sys.runLines
	if args[0] == aptLists {
		start = r.sys.runKillable
	}
	out, err := start(ctx, aptTime, line, "apt-get", aptArgs(args...)...)
	if failed, ok := errors.AsType[*commandError](err); ok {
		failed.args = args
	}
	return out, err
}

// waitForLocks waits for whoever holds a package manager's lock, and names it. It ends nobody's work.
func waitForLocks(ctx context.Context, r *run, deadline time.Time) error {
	begun, told := time.Now(), time.Time{}
	for {
		what, pid, err := lockHeld(&r.sys.reader)
		if err != nil || pid == 0 {
			return err
		}
		holder := fmt.Sprintf("%s (pid %d)", programOf(&r.sys.reader, pid), pid)
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is still held by %s after %s; it was left alone\nhint: ps -fp %d   # see what it does, then deploy again",
				what, holder, aptLockTime, pid)
		}
		if time.Since(told) >= waitTell {
			told = time.Now()
			r.wait(Wait{What: what, Holder: holder, Seconds: int(time.Since(begun) / time.Second)})
		}
		if err := pause(ctx, lockPoll); err != nil {
			return err
		}
	}
}

func lockHeld(s *reader) (what string, pid int, err error) {
	for _, lock := range aptLocks {
		if pid, err = s.lockHolder(lock.path); err != nil || pid != 0 {
			return lock.what, pid, err
		}
	}
	return "", 0, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

func isLocked(err error) bool {
	text := err.Error()
	return strings.Contains(text, "Could not get lock") || strings.Contains(text, "Unable to lock")
}

// unreachable finds what apt-get says of a mirror that it could not reach: "E: Failed to fetch URL  Reason", or "W: …"
// where older lists are there to go on with.
var unreachable = regexp.MustCompile(`(?m)^[WE]: Failed to fetch (\S+)\s+(.*)$`)

// aptError puts the cause that a person can do something about first.
func aptError(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	switch {
	case noSpace(err), strings.Contains(text, "No space left on device"), strings.Contains(text, "enough free space"):
		return fmt.Errorf("the disk is full\n%w\nhint: df -h / /var   # on the server; apt-get clean frees what apt keeps", err)
	case strings.Contains(text, "dpkg was interrupted"), strings.Contains(text, "Unmet dependencies"):
		return fmt.Errorf("%w\nhint: dpkg --configure -a && apt-get -f install   # on the server, then deploy again", err)
	}
	if m := unreachable.FindStringSubmatch(text); m != nil {
		return mirrorError(m[1], m[2], err)
	}
	return err
}

func mirrorError(address, reason string, err error) error {
	host := address
	if u, parseErr := url.Parse(address); parseErr == nil && u.Host != "" {
		host = u.Host
	}
	return fmt.Errorf("the package mirror %s cannot be reached: %s\n%w\nhint: apt-get update   # on the server; its mirrors are in /etc/apt/sources.list and /etc/apt/sources.list.d",
		host, reason, err)
}

// aptUpdate refreshes the lists. Where a mirror cannot be reached apt-get goes on with the lists that it has and ends well;
// that is told, and counts only if a package cannot be had.
func aptUpdate(ctx context.Context, r *run) (complaint string, err error) {
	ctx, stop := untilFull(ctx, &r.sys.reader)
	defer stop()
	_, err = apt(ctx, r, func(line string) {
		if complaint == "" && unreachable.MatchString(line) {
			complaint = line
		}
		r.progress(line)
	}, aptLists)
	return complaint, err
}

// untilFull ends with ctx, and when /var has been full for a while: apt-get says so when it installs packages, but where it
// fetches lists it may wait for ever.
func untilFull(ctx context.Context, s *reader) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		for full := 0; full < fullPatience; {
			if pause(ctx, time.Second) != nil {
				return
			}
			if now, err := diskOf(s.at("/var")); err == nil && now.free < fullBytes {
				full++
			} else {
				full = 0
			}
		}
		cancel(syscall.ENOSPC)
	})
	return ctx, func() {
		cancel(nil)
		watching.Wait()
	}
}

// waitForCloudInit lets a first boot end. Its exit status 2 means "done, with complaints"; no other stops a deploy either.
func waitForCloudInit(ctx context.Context, r *run) error {
	if !r.sys.has("cloud-init") {
		return nil
	}
	ended := make(chan error, 1)
	go func() {
		_, err := r.sys.runLines(ctx, cloudTime, nil, "cloud-init", "status", "--wait")
		ended <- err
	}()
	begun := time.Now()
	tick := time.NewTicker(waitTell)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
			r.wait(Wait{What: "cloud-init", Holder: "the server's first boot", Seconds: int(time.Since(begun) / time.Second)})
		case err := <-ended:
			if failed, ok := errors.AsType[*commandError](err); err != nil && (!ok || !failed.exited(2)) {
				r.progress("cloud-init: " + err.Error())
			}
			return nil
		}
	}
}
