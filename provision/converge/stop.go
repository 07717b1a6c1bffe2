package converge

import (
	"context"
	"errors"
	"time"
)

// Stop stops the adapter of this server, and returns when its open answers have ended; nobody new is let in from its beginning
// on. It is done under the lock of deploys, which then name command as the holder. The error is a [*Refusal] where one is at
// work.
func Stop(ctx context.Context, command string) error { return stop(ctx, newSystem("/"), command) }

func stop(ctx context.Context, s *system, command string) (err error) {
	unlock, err := takeLock(s, time.Now(), command)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	unit, err := s.readText(serviceFile)
	if err != nil {
		return err
	}
	return s.stopAll(ctx, stopTime(0, unit))
}

// stopAll stops the adapter and its socket. The socket comes first and alone: systemd would keep it open until the last answer
// has ended, with everybody who comes meanwhile in its queue, and then drop them.
func (s *system) stopAll(ctx context.Context, limit time.Duration) error {
	units, err := collectUnits(ctx, &s.reader)
	if err != nil {
		return err
	}
	if err := s.systemctl(ctx, "stop", "--job-mode=ignore-dependencies", socketUnit); err != nil {
		return err
	}
	return s.systemctlWithin(ctx, limit, "stop", allUnits(units)...)
}
