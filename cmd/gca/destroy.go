package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/provision"
	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/remote"
)

type destroyFlags struct {
	group
	keepBackups bool
	purge       bool
	dryRun      bool
	yes         bool
	json        bool

	server string // what a command for the server begins with, typed here
}

func newDestroy(streams *streams, ssh *sshFlags) *cobra.Command {
	f := &destroyFlags{group: group{streams, ssh}}
	cmd := &cobra.Command{
		Use:   "destroy",
		Short: "Take the adapter off a server, and put back what was there before it",
		Long: `destroy takes the adapter off this server: what deploys made goes, and what they changed is put back to what it was before the
first of them: files, user, units, firewall, kernel settings, Nginx's sites, swap. Settings, keys, tokens, usage and backups are
lost. It shows all this and asks first. What somebody else changed since is left as it is, and named. Packages that deploys
installed stay and are named, unless --purge takes them off too; what the journal and Nginx have logged stays.

After a cut the same command finishes.`,
		Example: "  gemini-manage destroy --dry-run\n  gemini-manage destroy --keep-backups",
		Args:    args(0, 0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.here(cmd.Context()) },
	}
	if ssh != nil {
		cmd.Use = "destroy [[user@]host[:port]]"
		cmd.Long = strings.Replace(cmd.Long, "off this server", "off a server (without a host, off this machine)", 1)
		cmd.Example = "  gca backup root@203.0.113.9\n  gca destroy root@203.0.113.9\n  gca destroy --purge --yes root@203.0.113.9"
		cmd.Args = args(0, 1)
		cmd.RunE = func(cmd *cobra.Command, given []string) error {
			if len(given) == 0 {
				return f.here(cmd.Context())
			}
			return f.there(cmd.Context(), given[0])
		}
	}
	cmd.Flags().BoolVar(&f.keepBackups, "keep-backups", false, "leave the archives in "+manage.BackupDir)
	cmd.Flags().BoolVar(&f.purge, "purge", false, "take off the packages that deploys installed, settings and all")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would be done, and change nothing")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do it without asking")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON, schema 1")
	return f.finish(cmd)
}

// destroyReport is what `destroy --json` prints.
type destroyReport struct {
	Schema   int               `json:"schema"`
	DryRun   bool              `json:"dry_run"`
	Folders  []converge.Folder `json:"folders"`          // that go, with all that is in them
	Back     []string          `json:"back"`             // what is put back
	Packages []string          `json:"packages"`         // that deploys installed
	Purged   bool              `json:"packages_removed"` // they go too
	Left     []string          `json:"left"`             // what others changed since
}

func (f *destroyFlags) report(d converge.Destruction) destroyReport {
	return destroyReport{1, f.dryRun, d.Folders, d.Back, d.Packages, f.purge, d.Left}
}

func (r destroyReport) nothing() bool { return len(r.Folders)+len(r.Back) == 0 }

func (f *destroyFlags) options() converge.DestroyOptions {
	o := converge.DestroyOptions{Purge: f.purge}
	if !f.keepBackups {
		o.Folders = []converge.Folder{{Path: manage.BackupDir, What: "backups"}}
	}
	return o
}

// here destroys on this machine.
func (f *destroyFlags) here(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return manage.ErrNotRoot
	}
	plan, err := converge.PlanDestroy(ctx, f.options())
	if err != nil {
		return err
	}
	report := f.report(plan)
	if f.dryRun || report.nothing() {
		return f.tell(report)
	}
	if err := f.agree(report, "this server"); err != nil {
		return err
	}
	// A screen that has gone is no reason to stop half-way.
	say := func(text string) { _, _ = fmt.Fprintln(f.io.err, "  "+text) }
	done, err := converge.Destroy(ctx, f.options(), say)
	if err != nil {
		return ofChange(err)
	}
	return f.tell(f.report(done))
}

// there destroys on a server, which does it by itself once it has begun.
func (f *destroyFlags) there(ctx context.Context, target string) error {
	report, err := f.ask(ctx, target, nil, "--dry-run")
	var bare *noAdapterError
	if errors.As(err, &bare) {
		return &provision.Error{Kind: provision.KindRefused, Message: fmt.Sprintf("there is nothing of gca on %s", bare.host),
			Hint: "the packages that an earlier destroy left were named at its end, with the command that takes them off"}
	}
	if err != nil {
		return err
	}
	report.DryRun = f.dryRun
	if f.dryRun || report.nothing() {
		return f.tell(report)
	}
	if err := f.setServer(ctx, target); err != nil {
		return err
	}
	if err := f.agree(report, target); err != nil {
		return err
	}
	if report, err = f.ask(ctx, target, strings.NewReader(""), "--yes"); err != nil {
		return err
	}
	return errors.Join(f.tell(report), f.forget(ctx, target))
}

// setServer finds out what a command for the server begins with.
func (f *destroyFlags) setServer(ctx context.Context, target string) error {
	host, _, err := f.ssh.parse(ctx, target, f.io)
	if f.server = "ssh -t " + f.ssh.named(target) + " "; host.User() != "root" {
		f.server += "sudo "
	}
	return err
}

// anyTool runs the server's own binary, wherever a destroy that was cut short has left one.
const anyTool = `for gca in /usr/local/bin/gca /opt/gemini-adapter/current/gca /opt/gemini-adapter/releases/*/gca; do [ -x "$gca" ] && exec "$gca" `

// maxReport bounds a server's report in bytes.
const maxReport = 1 << 20

func (f *destroyFlags) ask(ctx context.Context, target string, stdin io.Reader, mode string) (report destroyReport, err error) {
	words := []string{"destroy", "--json", mode}
	if f.purge {
		words = append(words, "--purge")
	}
	if f.keepBackups {
		words = append(words, "--keep-backups")
	}
	var out bytes.Buffer
	err = f.ssh.runThere(ctx, f.io, target, errand{need: rootAlways, stdin: stdin, stdout: manage.AtMost(&out, maxReport),
		line: anyTool + remote.Quote(words...) + "; done; exit 127", after: "gca destroy " + f.ssh.named(target) + "\n      once more shows what is left to do"})
	if err != nil {
		return report, err
	}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil || report.Schema != 1 {
		return report, fmt.Errorf("the server's answer cannot be read: %.200q", out.String())
	}
	return report, nil
}

// agree shows what will be lost, and asks.
func (f *destroyFlags) agree(report destroyReport, where string) error {
	if f.yes {
		return nil
	}
	asker := newPrompt(f.io, f.ssh != nil && f.ssh.noInput)
	if asker == nil {
		return errNobodyToAsk
	}
	if err := report.print(f.io.err); err != nil {
		return err
	}
	yes, err := asker.confirm("Take the adapter off "+where+"? What is in these folders cannot be brought back.", false)
	if err == nil && !yes {
		err = provision.ErrDeclined
	}
	return err
}

func (f *destroyFlags) tell(report destroyReport) error {
	switch {
	case f.json:
		return json.NewEncoder(f.io.out).Encode(report)
	case report.nothing():
		_, err := fmt.Fprintln(f.io.out, "there is no adapter here: nothing to destroy")
		return err
	case f.dryRun:
		return report.print(f.io.out)
	}
	return report.printDone(f.io.out, f.server)
}

// print says what would be done.
func (r destroyReport) print(w io.Writer) error {
	var b strings.Builder
	b.WriteString("Gone for good:\n")
	for _, folder := range r.Folders {
		fmt.Fprintf(&b, "  %s (%s, %s): %s\n", folder.Path, count(folder.Files, "file"), bytesOf(folder.Bytes), folder.What)
	}
	b.WriteString("Put back as it was before the first deploy:\n")
	for _, text := range r.Back {
		fmt.Fprintf(&b, "  %s\n", text)
	}
	r.printRest(&b, "stay installed; --purge takes them off too", "are taken off", "")
	_, err := io.WriteString(w, visible(b.String()))
	return err
}

func (r destroyReport) printDone(w io.Writer, server string) error {
	var b strings.Builder
	r.printRest(&b, "stay installed; this takes them off", "were taken off", server+"apt-get purge ")
	b.WriteString("The adapter is gone, and everything else is as it was before it.\n")
	_, err := io.WriteString(w, visible(b.String()))
	return err
}

// printRest names the packages, behind the command that purges them if they stay, and what is left.
func (r destroyReport) printRest(b *strings.Builder, stay, goes, purge string) {
	if what := stay; len(r.Packages) > 0 {
		if r.Purged {
			what, purge = goes, ""
		}
		fmt.Fprintf(b, "Packages that deploys installed %s:\n  %s%s\n", what, purge, strings.Join(r.Packages, " "))
	}
	if len(r.Left) > 0 {
		fmt.Fprintf(b, "Left as it is:\n  %s\n", strings.Join(r.Left, "\n  "))
	}
}

// bytesOf is a size as a person reads it.
func bytesOf(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d bytes", n)
	case n < 10_000_000:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.0f MB", float64(n)/1e6)
}

// forget forgets the connections to the server that are saved on this machine: nothing answers there any more.
func (f *destroyFlags) forget(ctx context.Context, target string) error {
	host, _, err := f.ssh.parse(ctx, target, f.io)
	if err != nil {
		return err
	}
	profiles, err := loadProfiles()
	if err != nil {
		return err
	}
	var dead []string
	for _, name := range profiles.Names() {
		if p := profiles.Named[name]; p.Host == target || p.URL == (converge.Site{}).URL(host.Name()) || p.URL == (converge.Site{TLS: host.Name()}).URL("") {
			dead = append(dead, name)
		}
	}
	if len(dead) == 0 {
		return nil
	}
	_, err = changeProfiles(func(p *client.Profiles) error {
		for _, name := range dead {
			if err := p.Remove(name); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}
