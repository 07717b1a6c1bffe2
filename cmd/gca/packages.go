package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/provision"
	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// packagesFlags bring the system's security updates to a server.
type packagesFlags struct {
	group
	packages bool
	reboot   bool
	yes      bool
	dryRun   bool
	json     bool
}

const packagesLong = `With --packages it brings the system's security updates instead, those that unattended-upgrades would install by itself at night:
shown and asked for first, with a backup before them and no question about changed files. Whoever holds a package manager's
lock is named and waited for, for ten minutes at most. The adapter must serve with them, or they are taken back. It says
whether a reboot is needed, and by what; with --reboot it is done, and waited for until the adapter serves again.`

func (f *packagesFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.packages, "packages", false, "bring the system's security updates, with a backup before them")
	cmd.Flags().BoolVar(&f.reboot, "reboot", false, "with --packages: reboot where that brings something in force, and wait until the adapter serves again")
}

// newUpgradeHere is the command of the server itself.
func newUpgradeHere(streams *streams) *cobra.Command {
	f := &packagesFlags{group: group{streams, nil}}
	cmd := &cobra.Command{
		Use:   "upgrade --packages",
		Short: "Bring the system's security updates, with a backup first and a say on reboots",
		Long: `upgrade --packages brings the security updates of this server's system. A newer release of the adapter comes from a laptop:
gca upgrade HOST.

` + packagesLong,
		Example: "  gemini-manage upgrade --packages --dry-run\n  sudo gemini-manage upgrade --packages --reboot --yes",
		Args:    args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.judge(""); err != nil {
				return err
			}
			if !f.packages {
				return &usageError{"a release is brought from a laptop, not from here\nhint: gca upgrade HOST there; here, for the system's security updates: gemini-manage upgrade --packages"}
			}
			return f.here(cmd.Context())
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do it without asking")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show which updates are missing; exit code 20 if any is")
	jsonFlag(cmd, &f.json)
	return f.finish(cmd)
}

// here updates this server.
func (f *packagesFlags) here(ctx context.Context) error {
	screenLine(f.io, "asking the package mirrors which updates there are")
	var r *manage.UpdateReport
	_, err := applyHere(f.io, func(m manage.Machine) (_ converge.Applied, err error) {
		r, err = m.PendingUpdates(ctx)
		return converge.Applied{}, err
	})
	if err != nil {
		return err
	}
	if f.dryRun || len(r.Pending) == 0 {
		return f.ended(r, nil, f.dryRun)
	}
	if err := f.agree(r, "this server"); err != nil {
		return err
	}
	screenLine(f.io, "backing up, then installing "+f.io.lang.Count(len(r.Pending), "security update"))
	_, err = applyHere(f.io, func(m manage.Machine) (converge.Applied, error) {
		notes, err := m.InstallUpdates(ctx, r, manage.BackupOptions{Version: version})
		return converge.Applied{}, errors.Join(err, tellNotes(f.io, notes))
	})
	return f.ended(r, err, false)
}

// ended shows what came of it on this server, and reboots it where that is due and asked for.
func (f *packagesFlags) ended(r *manage.UpdateReport, failed error, dry bool) error {
	if err := f.tell(r, ""); err != nil || failed != nil {
		return errors.Join(failed, err)
	}
	if f.reboot && !dry && r.Reboot.Due() {
		screenLine(f.io, "the server reboots now; from your laptop: gca status HOST shows when it serves again")
		if out, err := exec.Command("systemctl", "reboot").CombinedOutput(); err != nil {
			return fmt.Errorf("systemctl reboot failed: %s", strings.TrimSpace(string(out)))
		}
	}
	return packagesStatus(r, dry)
}

// packagesStatus is the exit code of a run that did not fail.
func packagesStatus(r *manage.UpdateReport, dry bool) error {
	switch {
	case dry && len(r.Pending) > 0:
		return &statusError{exitPending}
	case r.Unread != "":
		return &statusError{exitPartial}
	}
	return nil
}

// agree shows what is pending, and asks.
func (f *packagesFlags) agree(r *manage.UpdateReport, where string) error {
	if f.yes {
		return nil
	}
	asker := newPrompt(f.io, f.ssh != nil && f.ssh.noInput)
	if asker == nil {
		return errNobodyToAsk
	}
	screenLine(f.io, f.io.lang.Count(len(r.Pending), "security update")+": "+strings.Join(r.Pending, " "))
	yes, err := asker.confirm("Back "+where+" up, and install these?", true)
	if err == nil && !yes {
		err = provision.ErrDeclined
	}
	return err
}

func (f *packagesFlags) tell(r *manage.UpdateReport, host string) error {
	if f.json {
		return json.NewEncoder(f.io.out).Encode(r)
	}
	return printReport(f.io, func(w io.Writer) error { return r.Print(w, host) })
}

// there updates a server, and reboots it where that is due and asked for.
func (f *packagesFlags) there(ctx context.Context, target string) error {
	r, err := f.runThere(ctx, target, "--dry-run")
	if err != nil {
		return err
	}
	if f.dryRun {
		return errors.Join(f.tell(r, target), packagesStatus(r, true))
	}
	if len(r.Pending) > 0 {
		if err := f.agree(r, target); err != nil {
			return err
		}
		if r, err = f.runThere(ctx, target, "--yes"); r == nil {
			return err
		}
	}
	rebooted := err == nil && f.reboot && r.Reboot.Due()
	if rebooted {
		if err := f.ssh.rebootThere(ctx, f.io, target, r.Site, r.Release); err != nil {
			return errors.Join(f.tell(r, target), err)
		}
		r.Reboot = converge.Reboot{}
	}
	return errors.Join(f.tell(r, target), err, packagesStatus(r, false))
}

// runThere runs the command on the server. Beside an error of an update that failed half-way there is a report.
func (f *packagesFlags) runThere(ctx context.Context, target, how string) (*manage.UpdateReport, error) {
	var out bytes.Buffer
	e := manageErrand(target, rootAlways, "upgrade", "--packages", how, "--json")
	e.stdin, e.stdout, e.after = strings.NewReader(""), manage.AtMost(&out, maxReport), "gca upgrade --packages "+target+" shows what came of it"
	former := &formerRelease{to: f.io.err, mark: "no such command: upgrade"}
	e.stderr = former
	err := f.ssh.runThere(ctx, f.io, target, e)
	var status *statusError
	if errors.As(err, &status) && (status.code == exitPending || status.code == exitPartial) {
		err = nil // the report says the same
	}
	if former.seen {
		return nil, former.refusal(target, "gemini-manage upgrade --packages")
	}
	r := &manage.UpdateReport{}
	if json.Unmarshal(out.Bytes(), r) != nil || r.Schema != 1 {
		if err == nil {
			err = fmt.Errorf("the server's answer cannot be read: %.200q", out.String())
		}
		return nil, err
	}
	return r, err
}

// formerRelease listens to a gemini-manage that may be older than what it is asked for, and keeps to itself how that complains.
type formerRelease struct {
	to   io.Writer
	mark string // what it says then
	seen bool
}

func (f *formerRelease) Write(p []byte) (int, error) {
	f.seen = f.seen || bytes.Contains(p, []byte(f.mark))
	if f.seen {
		return len(p), nil
	}
	return f.to.Write(p)
}

// refusal says that the server's release has to be brought up to date first.
func (f *formerRelease) refusal(target, lacks string) error {
	return &provision.Error{Kind: provision.KindRefused, Message: fmt.Sprintf("the release on %s is older than this gca, and has no %s yet; nothing was changed", target, lacks),
		Hint: "gca upgrade " + target + "   # then the same command again"}
}

// judge says which flags of upgrade do not go together.
func (f *packagesFlags) judge(binary string) error {
	switch {
	case f.reboot && !f.packages:
		return &usageError{"--reboot is for --packages\nhint: gca upgrade --packages --reboot HOST"}
	case f.packages && binary != "":
		return &usageError{"--packages and --binary exclude each other: one is about the system, the other about the adapter"}
	case f.dryRun && f.reboot:
		return &usageError{"--dry-run and --reboot exclude each other: nothing is changed in a dry run"}
	}
	return nil
}
