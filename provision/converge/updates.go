package converge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The security updates of a server's system are those that unattended-upgrades would install by itself at night: it knows the
// origins, the packages that are held, and what its own settings leave out. It works in small steps, so one that ends half-way
// leaves whole packages, and asks about no file, by the apt.conf of a deploy. Here it is waited for, looked at, and, where the
// adapter does not serve with what it brought, taken back.

const (
	updatesTool    = "unattended-upgrade"
	updatesTime    = time.Hour
	updatesPurpose = "security updates of the system"
	updatesTold    = "Packages that will be upgraded: "
	updatesHint    = "/var/log/unattended-upgrades on the server has its log; gemini-manage doctor says whether packages were left half-way"
)

// PackageChange is a package that an update changed.
type PackageChange struct {
	Name string `json:"name"`           // with its architecture: "libssl3:amd64"
	From string `json:"from,omitempty"` // version of before; empty where it is new
	To   string `json:"to,omitempty"`   // version of now; empty where it is gone
}

// PendingUpdates are the security updates that are to be had.
type PendingUpdates struct {
	Packages  []string `json:"packages"`            // names
	Complaint string   `json:"complaint,omitempty"` // of a mirror that cannot be reached, whose updates are not known
}

// Updates is what became of them.
type Updates struct {
	Changed []PackageChange
	Kept    []string // updates that were left out, and why, in the words of unattended-upgrades
	Unseen  bool     // the adapter did not serve before either, so nothing can be said of it
}

// PendingUpdates fetches apt's lists anew and says which security updates are missing. It waits for whoever holds a package
// manager's lock, names it, and ends nobody's work. The error is a [*Refusal] where a deploy is at work.
func (a Agent) PendingUpdates(ctx context.Context, events Events) (PendingUpdates, error) {
	return a.pendingUpdates(ctx, newSystem("/"), events)
}

func (a Agent) pendingUpdates(ctx context.Context, s *system, events Events) (pending PendingUpdates, err error) {
	tell := events.Progress
	events.Progress = func(e ProgressEvent) {
		if e.Wait != nil || e.Stall != nil { // who reads which lists are fetched?
			call(tell, e)
		}
	}
	err = a.updating(ctx, s, events, func(ctx context.Context, r *run) error {
		if err := waitForCloudInit(ctx, r); err != nil {
			return err
		}
		complaint, err := aptUpdate(ctx, r)
		if err != nil {
			return err
		}
		said, err := unattended(ctx, r, "--dry-run")
		pending = PendingUpdates{toldPackages(said), complaint}
		return err
	})
	return pending, err
}

// InstallUpdates installs the security updates. Where the adapter served before and does not with them, the packages are put back
// to what they were, as far as their mirrors still have that: a [*RolledBackError]. Another error may leave a part of them
// installed, which the result names. A lost terminal and an ended ctx stop nothing that has begun.
func (a Agent) InstallUpdates(ctx context.Context, events Events) (Updates, error) {
	defer endure()()
	return a.installUpdates(ctx, newSystem("/"), events)
}

func (a Agent) installUpdates(ctx context.Context, s *system, events Events) (done Updates, err error) {
	err = a.updating(ctx, s, events, func(ctx context.Context, r *run) error {
		web, err := a.entrance(&s.reader)
		if err != nil {
			return err
		}
		done.Unseen = web.ask(ctx, &s.reader) != nil
		before, err := versions(&s.reader)
		if err != nil {
			return err
		}
		said, failed := unattended(ctx, r)
		after, err := versions(&s.reader)
		if err != nil {
			return errors.Join(failed, err)
		}
		done.Changed, done.Kept = changesOf(before, after), keptPackages(said)
		if done.Unseen || len(done.Changed) == 0 {
			return failed
		}
		sick := web.apply(context.WithoutCancel(ctx), r)
		if sick == nil {
			return failed
		}
		back := takeBackUpdates(context.WithoutCancel(ctx), r, web, done.Changed, sick)
		after, err = versions(&s.reader)
		done.Changed = changesOf(before, after)
		return errors.Join(back, err)
	})
	return done, err
}

// RebootDue says whether this server waits for a reboot.
func RebootDue() (Reboot, error) { return rebootOf(newReader("/")) }

// updating does something to the system's packages under the lock of deploys.
func (a Agent) updating(ctx context.Context, s *system, events Events, do func(context.Context, *run) error) (err error) {
	if !s.has(updatesTool) {
		return refuse(RefusedServer, "apt-get install unattended-upgrades   # on the server; a deploy does so, too",
			"unattended-upgrades is not installed on this server, which tells security updates from others")
	}
	unlock, err := takeLock(s, time.Now(), updatesPurpose)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	w := newWatch(updatesPurpose, events.tell)
	defer w.close()
	return do(withWatch(ctx, w), &run{sys: s, watch: w, certs: a.Certificates})
}

// entrance is the way that clients come in, on this machine.
func (a Agent) entrance(s *reader) (healthStep, error) {
	facts, err := collectFiles(s, Want{})
	if err != nil {
		return healthStep{}, err
	}
	settings, err := a.ReadSettings(facts.settingsFiles(Want{}))
	return healthStep{what: "the adapter, through Nginx,", tls: settings.TLSName}, err
}

// unattended runs unattended-upgrade when nobody else holds apt's locks, and returns what it said. It has a session of its own, since
// Ctrl-C at a terminal goes to all programs there, and a package manager that it stops leaves a broken server.
func unattended(ctx context.Context, r *run, more ...string) (string, error) {
	deadline := time.Now().Add(aptLockTime)
	for {
		if err := waitForLocks(ctx, r, deadline); err != nil {
			return "", err
		}
		said, err := r.sys.runLines(ctx, updatesTime, nil, "setsid", append([]string{"--wait", updatesTool, "--verbose"}, more...)...)
		if failed, ok := errors.AsType[*commandError](err); ok {
			failed.name, failed.args = updatesTool, more
		}
		locked := err != nil && (strings.Contains(err.Error(), "Lock could not be acquired") || strings.Contains(err.Error(), "Lock file is already taken"))
		if !locked || time.Now().After(deadline) {
			return said, updatesError(err)
		}
		if err := pause(ctx, aptRetryTime); err != nil {
			return "", err
		}
	}
}

// updatesError puts the cause first, as that of apt-get itself.
func updatesError(err error) error {
	told := aptError(err)
	if told == nil || told != err {
		return told
	}
	return withHint(err, updatesHint)
}

// toldPackages are the packages that it would install.
func toldPackages(said string) []string {
	names := []string{}
	for line := range strings.Lines(said) {
		if _, list, ok := strings.Cut(line, updatesTold); ok {
			names = append(names, strings.Fields(list)...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// keptPackages are its lines about packages that it left as they are: "Package nginx is marked to be held back."
func keptPackages(said string) []string {
	var kept []string
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		name, why, _ := strings.Cut(strings.TrimPrefix(line, "Package "), " ")
		if strings.HasPrefix(line, "Package ") && why != "" {
			kept = append(kept, name+" "+strings.TrimSuffix(why, "."))
		}
	}
	slices.Sort(kept)
	return slices.Compact(kept)
}

// changesOf compares versions by package, sorted by name.
func changesOf(before, after map[string]string) []PackageChange {
	names := slices.Collect(maps.Keys(before))
	for name := range after {
		if _, known := before[name]; !known {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var changed []PackageChange
	for _, name := range names {
		if before[name] != after[name] {
			changed = append(changed, PackageChange{name, before[name], after[name]})
		}
	}
	return changed
}

// takeBackUpdates installs the versions of before, and starts what the updates stopped. What is new stays: nothing needs it to go.
func takeBackUpdates(ctx context.Context, r *run, web healthStep, changed []PackageChange, sick error) error {
	reason, _, _ := strings.Cut(sick.Error(), "\n")
	back := RolledBack{Title: "look whether the adapter serves with the updates", Reason: reason,
		Hint: "journalctl -u nginx -u gemini-adapter -n 50   # on the server, says what does not go together with them; then hold that package: apt-mark hold NAME"}
	var wanted []string
	for _, c := range changed {
		if c.From != "" {
			wanted = append(wanted, c.Name+"="+c.From)
		}
	}
	r.progress("the adapter does not serve with these updates: putting back " + joinSome(wanted))
	args := append([]string{"--no-install-recommends", "--allow-downgrades", "install"}, wanted...)
	_, failed := apt(ctx, r, nil, args...)
	if failed != nil {
		back.FailedUndo = append(back.FailedUndo, "apt-get "+strings.Join(args, " ")+": "+failed.Error())
	}
	for _, unit := range []string{socketUnit, serviceUnit, nginxUnit} {
		if err := errors.Join(r.sys.systemctl(ctx, "reset-failed", unit), r.sys.systemctl(ctx, "start", unit)); err != nil {
			back.FailedUndo = append(back.FailedUndo, fmt.Sprintf("start %s: %v", unit, err))
		}
	}
	if len(back.FailedUndo) == 0 {
		if err := web.apply(ctx, r); err != nil {
			back.FailedUndo = append(back.FailedUndo, err.Error())
		}
	}
	return &RolledBackError{back}
}
