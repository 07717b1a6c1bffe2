package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A server's systemd and its services take a dozen inotify instances, and root may have 128 on most machines: one server too
// many, and some other's does not boot.
const (
	inotifyLimit  = "/proc/sys/fs/inotify/max_user_instances"
	inotifyServer = 18
	fewestSeats   = 4 // two tests side by side, with two servers each, must not wait for each other
	seatPause     = 200 * time.Millisecond
)

// takeSeat waits until one more server of a test may run on this machine. The seat is free again when the file is closed.
func takeSeat(ctx context.Context) (*os.File, error) {
	seats, err := countSeats()
	if err != nil {
		return nil, err
	}
	for {
		for n := range seats {
			seat, err := trySeat(filepath.Join(registryDir, fmt.Sprintf("seat%d.lock", n)))
			if err != nil || seat != nil {
				return seat, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait until one of %d servers ends: %w", seats, context.Cause(ctx))
		case <-time.After(seatPause):
		}
	}
}

func countSeats() (int, error) {
	text, err := os.ReadFile(inotifyLimit)
	if err != nil {
		return 0, err
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", inotifyLimit, err)
	}
	return max(fewestSeats, limit/inotifyServer), nil
}

// trySeat returns nil when somebody else has the seat.
func trySeat(file string) (*os.File, error) {
	if err := os.MkdirAll(registryDir, privateDir); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, privateFile)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil, f.Close()
	case err != nil:
		return nil, errors.Join(fmt.Errorf("lock %s: %w", file, err), f.Close())
	}
	return f, nil
}
