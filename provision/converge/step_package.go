package converge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	policyFile = "/usr/sbin/policy-rc.d"

	// policyText keeps services off until they are set up: Nginx would fail, and leave dpkg half-way, where its port is
	// taken, and fail2ban would begin without knowing whom it must never ban.
	policyText = "#!/bin/sh\n# Written by gca for as long as it installs packages.\ncase $1 in nginx* | fail2ban*) exit 101 ;; esac\nexit 0\n"
)

// packageStep installs packages.
type packageStep struct{ names []string }

// before refreshes apt's lists, which the simulation needs: it names every
// package that would be new, and those are what the reversal removes.
func (st packageStep) before(ctx context.Context, r *run) (reversal, error) {
	if err := waitForCloudInit(ctx, r); err != nil {
		return reversal{}, err
	}
	complaint, err := aptUpdate(ctx, r)
	if err != nil {
		return reversal{}, err
	}
	out, err := aptGet(ctx, r, nil, st.args("--simulate")...)
	if err != nil {
		if m := unreachable.FindStringSubmatch(complaint); m != nil {
			return reversal{}, mirrorError(m[1], m[2], err)
		}
		return reversal{}, aptError(err)
	}
	added, removed := parseSimulation(out)
	if len(removed) > 0 {
		return reversal{}, fmt.Errorf("apt-get would remove %s to install %s; nothing was installed\nhint: apt-get install %s",
			strings.Join(removed, ", "), strings.Join(st.names, ", "), strings.Join(st.names, " "))
	}
	rev := reversal{Undo: []action{{Op: opPurge, Names: added}}}
	policy, err := r.sys.pathReversal(policyFile, false)
	if err == nil && policy.Was.Kind == PathAbsent {
		rev.Undo = slices.Insert(rev.Undo, 0, policy)
	}
	return rev, err
}

func (st packageStep) args(more ...string) []string {
	return slices.Concat([]string{"--no-install-recommends"}, more, []string{"install"}, st.names)
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

func (st packageStep) apply(ctx context.Context, r *run) (err error) {
	now, err := r.sys.look(policyFile)
	if err != nil {
		return err
	}
	if now.Kind == PathAbsent {
		root, err := r.sys.lookup(rootUser, rootUser)
		if err != nil {
			return err
		}
		if err := r.sys.writeFile(policyFile, []byte(policyText), 0o755, root); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, ignoreMissing(os.Remove(r.sys.at(policyFile)))) }()
	}
	_, err = apt(ctx, r, r.progress, st.args()...)
	return err
}

func (st packageStep) check(_ context.Context, r *run) error {
	installed, err := collectDpkg(&r.sys.reader)
	if err != nil {
		return err
	}
	for _, name := range st.names {
		if !installed.has(name) {
			return fmt.Errorf("apt-get ended well, yet %s is not installed", name)
		}
	}
	return nil
}

// unfinishedStep completes what dpkg was stopped in. There is no way back from it, and nobody would want one.
type unfinishedStep struct{}

func (unfinishedStep) before(ctx context.Context, r *run) (reversal, error) {
	return reversal{}, waitForCloudInit(ctx, r)
}

func (unfinishedStep) apply(ctx context.Context, r *run) error {
	if err := waitForLocks(ctx, r, time.Now().Add(aptLockTime)); err != nil {
		return err
	}
	if _, err := r.sys.runLines(ctx, aptTime, r.progress, "dpkg", "--force-confdef", "--force-confold", "--configure", "-a"); err != nil {
		return fmt.Errorf("%w\nhint: dpkg --configure -a   # on the server; its last lines name the package at fault", err)
	}
	return nil
}

func (unfinishedStep) check(_ context.Context, r *run) error {
	left, err := collectDpkg(&r.sys.reader)
	if err == nil && len(left.Unfinished) > 0 {
		err = fmt.Errorf("dpkg ended well, yet %s is not whole\nhint: apt-get -f install   # on the server", joinSome(left.Unfinished))
	}
	return err
}

// purge removes packages and their settings. A half-done installation is completed first, since dpkg insists; where
// that fails, only apt-get's word counts, since to remove the package that cannot be configured is the cure.
func purge(ctx context.Context, s *system, names []string) error {
	if len(names) == 0 {
		return nil
	}
	_, configureErr := s.runLines(ctx, aptTime, nil, "dpkg", "--configure", "-a")
	needed, err := neededByOthers(ctx, s, names)
	if err != nil {
		return errors.Join(configureErr, err)
	}
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(needed, name) })
	if len(names) > 0 {
		_, err = s.runLines(ctx, aptTime, nil, "apt-get", aptArgs(append([]string{"purge"}, names...)...)...)
		// apt-get fails for a hook of somebody else's, too, when everything is done.
		if left, leftErr := unpurged(&s.reader, names); leftErr == nil && len(left) == 0 {
			err = nil
		}
	}
	if err != nil {
		return errors.Join(configureErr, err)
	}
	if len(needed) > 0 {
		return fmt.Errorf("%s stays installed, for packages that came later need it", joinSome(needed))
	}
	return nil
}

// neededByOthers are those of the packages that could not be purged alone: others, that are not among them, would go too.
func neededByOthers(ctx context.Context, s *system, names []string) (needed []string, err error) {
	if others, err := goesToo(ctx, s, names, names); err != nil || !others {
		return nil, err
	}
	for _, name := range names {
		others, err := goesToo(ctx, s, names, []string{name})
		if err != nil {
			return nil, err
		}
		if others {
			needed = append(needed, name)
		}
	}
	return needed, nil
}

// goesToo asks apt-get whether a purge would take more than the packages that are known.
func goesToo(ctx context.Context, s *system, known, purged []string) (bool, error) {
	out, err := s.runLines(ctx, aptTime, nil, "apt-get", aptArgs(append([]string{"--simulate", "purge"}, purged...)...)...)
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(out) {
		w := strings.Fields(line)
		if len(w) < 2 || w[0] != "Purg" && w[0] != "Remv" {
			continue
		}
		if name, _, _ := strings.Cut(w[1], ":"); !slices.Contains(known, name) && !slices.Contains(known, w[1]) {
			return true, nil
		}
	}
	return false, nil
}
