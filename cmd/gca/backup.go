package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/provision/remote"
)

const holdsSecrets = "it holds keys and settings in the clear: whoever reads it can use them"

type backupFlags struct {
	group
	out  string
	logs bool
	json bool
}

func newBackup(streams *streams, ssh *sshFlags) *cobra.Command {
	f := &backupFlags{group: group{streams, ssh}}
	cmd := &cobra.Command{
		Use:   f.use("backup", ""),
		Short: "Save settings, keys, tokens and state in one archive",
		Args:  f.args(0, 0),
		RunE: func(cmd *cobra.Command, given []string) error {
			if f.out == "-" && isTerminal(streams.out) {
				return &usageError{"an archive is nothing for a terminal\nhint: -o FILE, or a pipe behind -o -"}
			}
			if ssh != nil {
				return f.fromAfar(cmd.Context(), given[0])
			}
			return f.here(cmd.Context())
		},
	}
	cmd.Long = `backup saves everything that makes this adapter in one archive: settings, keys, tokens, state, units and site, with
a list of hashes. It is read back before it gets its name. Without -o it goes to ` + manage.BackupDir + `, where archives
older than 30 days are removed, but never the newest.`
	cmd.Example = "  gemini-manage backup\n  gemini-manage backup --with-logs -o /root/adapter.tar.gz"
	if ssh != nil {
		cmd.Long = `backup fetches everything that makes an adapter in one archive: settings, keys, tokens, state, units and site, with a
list of hashes. It is read back before it gets its name; after a broken connection nothing is left of it. Without -o it
goes to the current folder.`
		cmd.Example = "  gca backup root@203.0.113.9\n  gca backup root@203.0.113.9 --with-logs -o tokyo.tar.gz\n  gca backup verify tokyo.tar.gz"
	}
	cmd.Flags().StringVarP(&f.out, "output", "o", "", "write to `FILE` (- is standard output)")
	cmd.Flags().BoolVar(&f.logs, "with-logs", false, "take the adapter's journal and Nginx's logs as well")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON, schema 1")
	cmd.AddCommand(newBackupList(f.group), newBackupVerify(streams))
	return f.finish(cmd)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// here backs up this server.
func (f *backupFlags) here(ctx context.Context) (err error) {
	options := manage.BackupOptions{Version: version, Logs: f.logs}
	if f.out == "" {
		kept, err := manage.KeepBackup(ctx, options)
		if err != nil {
			return err
		}
		return errors.Join(tellNotes(f.io, kept.Notes), tellSaved(f.io, kept.File, kept.Archive, f.json))
	}
	b, err := manage.NewBackup(ctx, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if f.out == "-" {
		return errors.Join(b.Write(f.io.out), tellNotes(f.io, b.Notes()))
	}
	archive, err := b.Save(f.out)
	if err != nil {
		return err
	}
	return errors.Join(tellNotes(f.io, b.Notes()), tellSaved(f.io, f.out, archive, f.json))
}

func tellNotes(io *streams, notes []string) error {
	for _, note := range notes {
		if _, err := fmt.Fprintln(io.err, "gca: "+visible(note)); err != nil {
			return err
		}
	}
	return nil
}

// backupResult is what `backup --json` and `backup verify --json` print.
type backupResult struct {
	Schema   int             `json:"schema"`
	File     string          `json:"file"`
	Size     int64           `json:"size"`
	SHA256   string          `json:"sha256"`
	Manifest manage.Manifest `json:"manifest"`
}

func tellSaved(io *streams, file string, a *manage.Archive, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(io.out).Encode(backupResult{1, file, a.Size, a.SHA256, a.Manifest})
	}
	if err := a.Print(io.err, time.Now()); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(io.err, "saved and read back; %s\n", holdsSecrets); err != nil {
		return err
	}
	_, err := fmt.Fprintln(io.out, file)
	return err
}

// fromAfar fetches a server's backup.
func (f *backupFlags) fromAfar(ctx context.Context, target string) error {
	words := []string{"backup", "-o", "-"}
	if f.logs {
		words = append(words, "--with-logs")
	}
	fetch := func(w io.Writer) error {
		p := &byteCount{to: w, io: f.io, live: isTerminal(f.io.err)}
		err := f.ssh.runRemote(ctx, f.io, target, rootAlways, nil, p, words...)
		return errors.Join(err, p.end())
	}
	if f.out == "-" {
		return checkPassing(f.io.out, fetch)
	}
	file := f.out
	if file == "" {
		host, err := remote.ParseHost(target)
		if err != nil {
			return &usageError{err.Error()}
		}
		file = manage.ArchiveName(host.Name(), time.Now())
	}
	archive, err := manage.SaveArchive(file, version, fetch)
	if err != nil {
		return err
	}
	return tellSaved(f.io, file, archive, f.json)
}

// checkPassing reads an archive while it passes on to w.
func checkPassing(w io.Writer, fetch func(io.Writer) error) error {
	r, to := io.Pipe()
	checked := make(chan error, 1)
	go func() {
		_, err := manage.ReadArchive(r, version)
		r.CloseWithError(err) // a nil error lets nothing more in, and there is nothing more
		checked <- err
	}()
	err := fetch(io.MultiWriter(w, to))
	closed, wrong := to.CloseWithError(err), <-checked
	if err != nil { // what was read ends early then, which is no news
		return err
	}
	return errors.Join(closed, wrong)
}

// byteCount shows on a terminal how much has passed.
type byteCount struct {
	to    io.Writer
	io    *streams
	live  bool
	n     int64
	shown time.Time
}

func (b *byteCount) Write(p []byte) (int, error) {
	n, err := b.to.Write(p)
	b.n += int64(n)
	if b.live && err == nil && time.Since(b.shown) > 100*time.Millisecond {
		b.shown = time.Now()
		_, err = fmt.Fprintf(b.io.err, "\r\x1b[K  %.1f MB", float64(b.n)/1e6)
	}
	return n, err
}

// end leaves a clean line.
func (b *byteCount) end() error {
	if b.shown.IsZero() {
		return nil
	}
	_, err := fmt.Fprint(b.io.err, "\r\x1b[K")
	return err
}

func newBackupList(g group) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   g.use("list", ""),
		Short: "List the archives in " + manage.BackupDir + " on the server, newest first",
		Args:  g.args(0, 0),
		RunE: func(cmd *cobra.Command, given []string) error {
			if g.ssh == nil {
				return listBackups(g.io, asJSON)
			}
			words := []string{"backup", "list"}
			if asJSON {
				words = append(words, "--json")
			}
			return g.ssh.runRemote(cmd.Context(), g.io, given[0], rootAlways, nil, g.io.out, words...)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, schema 1")
	return g.finish(cmd)
}

// backupList is what `backup list --json` prints.
type backupList struct {
	Schema   int           `json:"schema"`
	Archives []manage.Kept `json:"archives"`
}

func listBackups(io *streams, asJSON bool) error {
	all, err := manage.Backups()
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(io.out).Encode(backupList{1, append([]manage.Kept{}, all...)})
	}
	if len(all) == 0 {
		_, err := fmt.Fprintf(io.err, "there are no archives in %s yet\n", manage.BackupDir)
		return err
	}
	for _, b := range all {
		if _, err := fmt.Fprintf(io.out, "%s  %d bytes  %s\n", b.Created.Format("2006-01-02 15:04:05 UTC"), b.Size, filepath.Join(manage.BackupDir, b.File)); err != nil {
			return err
		}
	}
	return nil
}

func newBackupVerify(io *streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Read an archive whole and compare every hash; nothing is changed",
		Args:  args(1, 1),
		RunE: func(_ *cobra.Command, given []string) error {
			a, err := readBackup(io, given[0])
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(io.out).Encode(backupResult{1, given[0], a.Size, a.SHA256, a.Manifest})
			}
			if err := a.Print(io.out, time.Now()); err != nil {
				return err
			}
			_, err = fmt.Fprintln(io.out, "whole: every file is what it was when the archive was made")
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, schema 1")
	return cmd
}

// readBackup reads an archive (- is standard input) whole, and has its settings judged.
func readBackup(streams *streams, name string) (a *manage.Archive, err error) {
	f := streams.in
	if name != "-" {
		if f, err = os.Open(name); err != nil {
			return nil, &usageError{err.Error()}
		}
		defer func() { err = errors.Join(err, f.Close()) }()
	}
	if a, err = manage.ReadArchive(f, version); err == nil {
		_, _, err = a.Texts()
	}
	return a, asRefused(name, err)
}
