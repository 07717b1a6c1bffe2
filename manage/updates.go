package manage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// UpdateReport is what `upgrade --packages` prints; its JSON form is schema 1.
type UpdateReport struct {
	Schema  int                      `json:"schema"`
	Pending []string                 `json:"pending"`          // packages with a security update that is not installed; empty after an update
	Updated []converge.PackageChange `json:"updated"`          // by this run
	Kept    []string                 `json:"kept,omitempty"`   // updates that were left out, and why
	Unread  string                   `json:"unread,omitempty"` // what apt said of a mirror that it could not reach, whose updates are not known
	Unseen  bool                     `json:"unseen,omitempty"` // the adapter did not serve before either
	Backup  string                   `json:"backup,omitempty"` // file on the server, of before the update
	Reboot  converge.Reboot          `json:"reboot"`

	Release string        `json:"release"` // in force
	Site    converge.Site `json:"site"`    // where clients find it
}

// PendingUpdates looks which security updates of this server's system are missing. It needs root.
func (m Machine) PendingUpdates(ctx context.Context) (*UpdateReport, error) {
	if os.Geteuid() != 0 {
		return nil, ErrNotRoot
	}
	list, err := ListReleases(m.Agent.ReadSettings)
	if err != nil {
		return nil, err
	}
	pending, err := m.Agent.PendingUpdates(ctx, m.Events)
	if err != nil {
		return nil, err
	}
	r := &UpdateReport{Schema: 1, Pending: pending.Packages, Updated: []converge.PackageChange{}, Unread: pending.Complaint,
		Release: list.Releases[0].Name, Site: list.Site}
	r.Reboot, err = converge.RebootDue()
	return r, err
}

// InstallUpdates backs this server up and installs what is pending in the report, which tells what came of it, also beside an error.
// Notes are what a person should know of the backup. Errors are those of [converge.Agent.InstallUpdates], and of a backup that
// failed, before anything was changed.
func (m Machine) InstallUpdates(ctx context.Context, r *UpdateReport, o BackupOptions) (notes []string, err error) {
	kept, err := KeepBackup(ctx, o)
	var partly *CopyError
	switch {
	case errors.As(err, &partly):
		kept.Notes = append(kept.Notes, partly.Error())
	case err != nil:
		return kept.Notes, fmt.Errorf("no backup could be made, so nothing was updated: %w", err)
	}
	r.Backup = kept.File
	done, failed := m.Agent.InstallUpdates(ctx, m.Events)
	if done.Changed != nil {
		r.Updated = done.Changed
	}
	if failed == nil {
		r.Pending = []string{}
	}
	r.Kept, r.Unseen = done.Kept, done.Unseen
	r.Reboot, err = converge.RebootDue()
	return kept.Notes, errors.Join(failed, err)
}

// Print writes the report for a person who calls the server host; "" is this server.
func (r *UpdateReport) Print(w io.Writer, host string) error {
	p := &printer{w: w}
	if len(r.Pending) > 0 {
		p.line("pending", "%s: %s", count(len(r.Pending), "security update"), strings.Join(r.Pending, " "))
	}
	name := "updated"
	for _, c := range r.Updated {
		p.line(name, "%s %s", c.Name, change(c))
		name = ""
	}
	if len(r.Pending) == 0 && len(r.Updated) == 0 {
		p.line("updated", "nothing: no security update is missing")
	}
	name = "left out"
	for _, why := range r.Kept {
		p.line(name, "%s", why)
		name = ""
	}
	if r.Unread != "" {
		p.line("not read", "%s; updates from there are not known", r.Unread)
		p.line("", "cure: apt-get update   # on the server; its mirrors are in /etc/apt/sources.list and /etc/apt/sources.list.d")
	}
	if r.Backup != "" {
		p.line("backup", "%s, of before", r.Backup)
	}
	if r.Unseen && len(r.Updated) > 0 {
		p.line("adapter", "it did not serve before the update either, so nobody looked whether it does now")
	}
	r.printReboot(p, host)
	return p.err
}

func change(c converge.PackageChange) string {
	switch {
	case c.From == "":
		return c.To + ", new"
	case c.To == "":
		return c.From + ", removed"
	}
	return c.From + " → " + c.To
}

// printReboot says whether the server has to be rebooted, and how.
func (r *UpdateReport) printReboot(p *printer, host string) {
	if !r.Reboot.Due() {
		p.line("reboot", "not needed")
		return
	}
	if r.Reboot.Required {
		p.line("reboot", "needed, %s", r.Reboot.Reason())
	} else {
		p.line("reboot", "due, %s", r.Reboot.Reason())
	}
	command := "sudo gemini-manage upgrade --packages --reboot"
	if host != "" {
		command = "gca upgrade --packages --reboot " + host
	}
	p.line("", "cure: %s", command)
}
