package converge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	aptTime      = 20 * time.Minute // a slow mirror, or another package manager that has to end first
	aptLockTime  = 10 * time.Minute
	cloudTime    = 5 * time.Minute
	aptRetryTime = 3 * time.Second
)

// packageStep installs packages.
type packageStep struct{ names []string }

func aptArgs(args ...string) []string {
	return append([]string{
		"-q", "-y",
		"-o", fmt.Sprintf("DPkg::Lock::Timeout=%d", aptLockTime/time.Second),
		"-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold",
		"-o", "Dpkg::Use-Pty=0", "-o", "Acquire::Retries=3",
	}, args...)
}

// before refreshes apt's lists, which the simulation needs: it names every
// package that would be new, and those are what the reversal removes.
func (st packageStep) before(ctx context.Context, r *run) (reversal, error) {
	waitForCloudInit(ctx, r)
	if err := aptUpdate(ctx, r); err != nil {
		return reversal{}, err
	}
	out, err := r.sys.runLines(ctx, aptTime, nil, "apt-get", aptArgs(append([]string{"--no-install-recommends", "--simulate", "install"}, st.names...)...)...)
	if err != nil {
		return reversal{}, err
	}
	added, removed := parseSimulation(out)
	if len(removed) > 0 {
		return reversal{}, fmt.Errorf("apt-get would remove %s to install %s; nothing was installed\nhint: apt-get install %s",
			strings.Join(removed, ", "), strings.Join(st.names, ", "), strings.Join(st.names, " "))
	}
	return reversal{Undo: []action{{Op: opPurge, Names: added}}}, nil
}

// parseSimulation reads apt-get's "Inst name [old] (new …)" and "Remv name" lines;
// a package with an old version is an upgrade, and stays.
func parseSimulation(out string) (added, removed []string) {
	for line := range strings.Lines(out) {
		w := strings.Fields(line)
		switch {
		case len(w) > 2 && w[0] == "Inst" && !strings.HasPrefix(w[2], "["):
			added = append(added, w[1])
		case len(w) > 1 && w[0] == "Remv":
			removed = append(removed, w[1])
		}
	}
	return added, removed
}

func (st packageStep) apply(ctx context.Context, r *run) error {
	_, err := r.sys.runLines(ctx, aptTime, r.progress, "apt-get",
		aptArgs(append([]string{"--no-install-recommends", "install"}, st.names...)...)...)
	return err
}

func (st packageStep) check(ctx context.Context, r *run) error {
	installed, err := installedPackages(ctx, &r.sys.reader)
	if err != nil {
		return err
	}
	for _, name := range st.names {
		if !slices.Contains(installed, name) {
			return fmt.Errorf("apt-get ended well, yet %s is not installed", name)
		}
	}
	return nil
}

// waitForCloudInit lets a first boot end. Its exit status 2 means "done, with complaints"; no other stops a deploy either.
func waitForCloudInit(ctx context.Context, r *run) {
	if !r.sys.has("cloud-init") {
		return
	}
	r.progress("waiting for cloud-init")
	if _, err := r.sys.runLines(ctx, cloudTime, nil, "cloud-init", "status", "--wait"); err != nil {
		if failed, ok := errors.AsType[*commandError](err); !ok || !failed.exited(2) {
			r.progress(err.Error())
		}
	}
}

// aptUpdate refreshes the lists. apt-get's own lock time-out does not cover their lock.
func aptUpdate(ctx context.Context, r *run) error {
	deadline := time.Now().Add(aptLockTime)
	for {
		_, err := r.sys.runLines(ctx, aptTime, r.progress, "apt-get", aptArgs("update")...)
		if err == nil || !isLocked(err) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(aptRetryTime):
		}
	}
}

func isLocked(err error) bool {
	text := err.Error()
	return strings.Contains(text, "Could not get lock") || strings.Contains(text, "Unable to lock")
}

// purge removes packages and their settings. A half-done installation is completed first, since dpkg insists; where
// that fails, only apt-get's word counts, since to remove the package that cannot be configured is the cure.
func purge(ctx context.Context, s *system, names []string) error {
	if len(names) == 0 {
		return nil
	}
	_, configureErr := s.runLines(ctx, aptTime, nil, "dpkg", "--configure", "-a")
	_, err := s.runLines(ctx, aptTime, nil, "apt-get", aptArgs(append([]string{"purge"}, names...)...)...)
	if err != nil {
		return errors.Join(configureErr, err)
	}
	return nil
}
