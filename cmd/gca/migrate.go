package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
)

// A migration only ever adds until the new server serves: a backup is fetched, the new server becomes the same adapter, and is
// looked at. The old one serves all the while. With --drain it then finishes its answers and stops, and what it counted meanwhile
// follows. Whatever ends a migration, the old server has everything that it had, and the same command goes on.

type migrateFlags struct {
	io      *streams
	ssh     *sshFlags
	restore *restoreFlags // of the new server
	old     *backupFlags  // of the old one
	drain   bool
	yes     bool
	json    bool
}

func newMigrate(streams *streams) *cobra.Command {
	f := &migrateFlags{io: streams, ssh: &sshFlags{}, restore: &restoreFlags{}, old: &backupFlags{}}
	cmd := &cobra.Command{
		Use:   "migrate [user@]old[:port] [user@]new[:port]",
		Short: "Move an adapter to another server: settings, keys, tokens, certificate, state and usage",
		Long: `migrate backs up the old server into an encrypted archive in the current folder, makes the new one the same adapter, and sees
that it serves. Then it says what DNS has to say, while the old one goes on serving. With --drain the old one ends what is open,
stops, and what it counted meanwhile follows; if that fails, it is started again. Use it before clients come to the new one, whose
own counts would be replaced.

Nothing is lost whenever this ends: the old server keeps everything, and the same command goes on. Take it off in the end with
gca destroy. The flags of logging in hold for both servers, --host-key for the new one alone.`,
		Example: "  gca migrate root@203.0.113.9 root@198.51.100.7\n  gca migrate --drain root@203.0.113.9 root@198.51.100.7",
		Args:    args(2, 2),
		RunE:    func(cmd *cobra.Command, given []string) error { return f.run(cmd, given[0], given[1]) },
	}
	cmd.Flags().BoolVar(&f.drain, "drain", false, "stop the old adapter in the end, when its open answers are finished, and take along what it counted meanwhile")
	cmd.Flags().StringVar(&f.restore.binary, "binary", "", "send this gca `FILE`, built for the new server's platform, instead of the running one")
	cmd.Flags().StringVarP(&f.old.out, "output", "o", "", "write the archive to `FILE`")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do it without asking")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON, schema 1")
	f.ssh.add(cmd)
	return cmd
}

// migrateResult is what `migrate --json` prints.
type migrateResult struct {
	Schema  int         `json:"schema"`
	Archive string      `json:"archive"` // file, encrypted; with a drain that of after it
	URL     string      `json:"url"`     // of the new adapter
	DNS     []dnsChange `json:"dns"`     // records that have to lead to the new server
	Drained bool        `json:"drained"` // the old one is stopped
}

// dnsChange is a record that clients find the adapter by.
type dnsChange struct {
	Name string   `json:"name"`
	Now  []string `json:"now"` // addresses, as this machine sees them; none where it cannot tell
	To   string   `json:"to"`  // host of the new server
}

func (f *migrateFlags) run(cmd *cobra.Command, from, to string) error {
	ctx := cmd.Context()
	if f.old.out == "-" {
		return &usageError{"the archive of a migration stays in a file\nhint: -o FILE"}
	}
	if err := f.meet(cmd, from, to); err != nil {
		return err
	}
	s, err := f.old.sealed()
	if err != nil {
		return err
	}
	f.stage("back up %s", from)
	file, err := f.old.save(ctx, from, s)
	if err != nil {
		return err
	}
	if err := f.agree(s.archive, from, to); err != nil {
		return err
	}
	f.stage("make %s the same adapter", to)
	done, err := f.arrive(cmd, to, file, s)
	if err != nil {
		return f.kept(err, from, file)
	}
	f.stage("look whether %s serves", to)
	if err := f.serves(ctx, to); err != nil {
		return f.kept(err, from, file)
	}
	host, _, err := f.restore.ssh.parse(ctx, to, f.io)
	if err != nil {
		return err
	}
	result := migrateResult{Schema: 1, Archive: file, URL: done.URL, DNS: records(ctx, done, host.Name())}
	if f.drain {
		if result.Archive, done, err = f.drained(cmd, from, to, s); err != nil {
			return errors.Join(err, f.bringBack(ctx, from, file))
		}
		result.Drained = true
	}
	if _, err := f.restore.follow(s.archive, to, done.URL); err != nil {
		return err
	}
	return f.tell(result, done, from, to)
}

// meet reads both hosts. Two names of one server are not told apart by this, and do no harm: it would be restored to itself.
func (f *migrateFlags) meet(cmd *cobra.Command, from, to string) error {
	ctx := cmd.Context()
	there, here := *f.ssh, *f.ssh
	there.hostKey = "" // of the new one
	f.old.group, f.restore.group = group{f.io, &there}, group{f.io, &here}
	f.restore.yes, f.restore.json = true, f.json
	f.restore.again = goesOn(cmd, "gca migrate", from, to)
	old, _, err := there.parse(ctx, from, f.io)
	if err != nil {
		return err
	}
	next, _, err := here.parse(ctx, to, f.io)
	if err != nil {
		return err
	}
	if old.Addr() == next.Addr() {
		return &usageError{fmt.Sprintf("%s and %s are the same server\nhint: gca migrate OLD NEW", from, to)}
	}
	return nil
}

func (f *migrateFlags) agree(a *manage.Archive, from, to string) error {
	ask := &restoreFlags{group: f.restore.group, yes: f.yes}
	drain := from + " goes on serving."
	if f.drain {
		drain = "Then " + from + " finishes its answers and stops."
	}
	return ask.agree(a, "", "Make "+to+" this adapter? Whatever adapter is there loses its settings, keys and tokens. "+drain)
}

// arrive makes the new server the adapter of the archive.
func (f *migrateFlags) arrive(cmd *cobra.Command, to, file string, s *saving) (restoreResult, error) {
	texts, _, err := s.archive.Texts()
	if err != nil {
		return restoreResult{}, asRefused(file, err)
	}
	return f.restore.move(cmd, to, opened{file, s.key, s.archive, texts})
}

// serves looks whether the new adapter answers where clients come in. What else is not well with it, as keys that rest or a disk
// that fills, may have come along from the old one: it is told, and keeps nobody from moving.
func (f *migrateFlags) serves(ctx context.Context, to string) error {
	var answer bytes.Buffer
	err := f.restore.ssh.runRemote(ctx, f.io, to, rootIfFree, nil, manage.AtMost(&answer, maxReport), "status", "--json")
	var unwell *statusError
	if err != nil && !(errors.As(err, &unwell) && unwell.code == exitFailed) {
		return err
	}
	var report manage.Report
	if err := json.Unmarshal(answer.Bytes(), &report); err != nil {
		return fmt.Errorf("the server's status cannot be read: %.200q", answer.String())
	}
	for _, problem := range report.Problems {
		screenLine(f.io, "  ! "+problem.What)
	}
	if report.Health == "" {
		return fmt.Errorf("%s does not serve\nhint: gca status %s, then the same command again", to, to)
	}
	return nil
}

// kept says that the old server is as it was.
func (f *migrateFlags) kept(err error, from, file string) error {
	again := "the same command goes on"
	if f.old.out != "" {
		again = "the same command, with another file behind -o, goes on"
	}
	_, told := fmt.Fprintf(f.io.err, "%s serves as before, and its backup is in %s; %s.\n", from, file, again)
	return errors.Join(err, told)
}

// bringBack starts the old adapter again, whoever interrupted the drain.
func (f *migrateFlags) bringBack(ctx context.Context, from, file string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if err := f.old.ssh.runRemote(ctx, f.io, from, rootAlways, strings.NewReader(""), io.Discard, "start"); err != nil {
		return fmt.Errorf("%s may be stopped, and could not be started from here: %w\nhint: gca start %s; its backup is in %s", from, err, from, file)
	}
	return f.kept(nil, from, file)
}

// drained stops the old adapter, and has what it counted meanwhile follow. Tokens that had to be made the first time are made anew.
func (f *migrateFlags) drained(cmd *cobra.Command, from, to string, s *saving) (file string, done restoreResult, err error) {
	ctx := cmd.Context()
	f.stage("stop %s, when its open answers are finished", from)
	if err := f.old.ssh.runRemote(ctx, f.io, from, rootAlways, strings.NewReader(""), io.Discard, "stop"); err != nil {
		return "", done, err
	}
	f.stage("bring along what it counted meanwhile")
	if f.old.out != "" {
		f.old.out += ".drained"
	}
	if file, err = f.old.save(ctx, from, s); err != nil {
		return file, done, err
	}
	done, err = f.arrive(cmd, to, file, s)
	return file, done, err
}

func (f *migrateFlags) stage(format string, args ...any) {
	screenLine(f.io, fmt.Sprintf("== "+format, args...))
}

// records are the names that clients come by.
func records(ctx context.Context, done restoreResult, host string) []dnsChange {
	changes := []dnsChange{}
	if done.TLS == "" || net.ParseIP(done.TLS) != nil {
		return changes
	}
	now, err := net.DefaultResolver.LookupHost(ctx, done.TLS)
	if err != nil {
		now = []string{}
	}
	return append(changes, dnsChange{done.TLS, now, host})
}

func (f *migrateFlags) tell(result migrateResult, done restoreResult, from, to string) error {
	if f.json {
		return json.NewEncoder(f.io.out).Encode(result)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s serves at %s, with the same keys, tokens and usage.\n", to, result.URL)
	for _, d := range result.DNS {
		now := "this machine cannot tell what it says now"
		if len(d.Now) > 0 {
			now = "now it says " + strings.Join(d.Now, ", ")
		}
		fmt.Fprintf(&b, "DNS: %s has to lead to %s; %s.\n", d.Name, d.To, now)
	}
	if len(result.DNS) == 0 {
		fmt.Fprintf(&b, "Clients need its address: gca connect %s, with the same token.\n", result.URL)
	}
	if result.Drained {
		fmt.Fprintf(&b, "%s is stopped; gca start %s would bring it back, gca destroy %s takes it off.\n", from, from, from)
	} else {
		fmt.Fprintf(&b, "%s goes on serving, and what it counts from now on stays there. When clients have moved: gca stop %s\n", from, from)
	}
	fmt.Fprintf(&b, "The backup is in %s.\n", result.Archive)
	_, err := io.WriteString(f.io.out, visible(b.String()))
	return errors.Join(err, f.restore.tell(restoreResult{ClientToken: done.ClientToken, AdminToken: done.AdminToken}))
}
