package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
)

const holdsSecrets = "it holds keys and settings in the clear: whoever reads it can use them"

type backupFlags struct {
	group
	out        string
	logs       bool
	recipients []string
	json       bool
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
			to, err := manage.ParseRecipients(f.recipients)
			switch {
			case err != nil:
				return &usageError{err.Error()}
			case ssh != nil:
				return f.fromAfar(cmd.Context(), given[0])
			case f.out == "" && !to.None():
				return &usageError{"--recipient is for an archive that leaves this server; those in " + manage.BackupDir + " are for root alone\nhint: -o FILE, or -o -"}
			}
			return f.here(cmd.Context(), to)
		},
	}
	cmd.Long = `backup saves everything that makes this adapter in one archive: settings, keys, tokens, state, units and site, with
a list of hashes. It is read back before it gets its name. Without -o it goes to ` + manage.BackupDir + `, where archives
that are due are removed (see backup prune); a timer does this every night. Those are in the clear, for root alone; what leaves
the server should be encrypted, with --recipient.`
	cmd.Example = "  gemini-manage backup\n  gemini-manage backup -o /root/adapter.tar.gz.age --recipient age1…"
	if ssh != nil {
		cmd.Long = `backup fetches everything that makes an adapter in one archive: settings, keys, tokens, state, units and site, with a
list of hashes. The server encrypts it to the backup key of this machine, which never leaves it and is made at the first
backup: its recovery sheet is shown that once. With --recipient it is encrypted to other keys instead. It is read back before
it gets its name, where the key is here; after a broken connection nothing is left of it. Without -o it goes to the current
folder.`
		cmd.Example = "  gca backup root@203.0.113.9\n  gca backup root@203.0.113.9 --with-logs -o tokyo.tar.gz.age\n  gca backup verify tokyo.tar.gz.age"
	}
	cmd.Flags().StringVarP(&f.out, "output", "o", "", "write to `FILE` (- is standard output)")
	cmd.Flags().BoolVar(&f.logs, "with-logs", false, "take the adapter's journal and Nginx's logs as well")
	cmd.Flags().StringArrayVar(&f.recipients, "recipient", nil, "encrypt to `age1…`, the public half of a backup key (repeatable)")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON, schema 1")
	cmd.AddCommand(newBackupList(f.group), newBackupVerify(streams), newBackupPrune(f.group))
	if ssh != nil {
		cmd.AddCommand(newBackupKey(streams))
	}
	return f.finish(cmd)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// here backs up this server.
func (f *backupFlags) here(ctx context.Context, to manage.Recipients) (err error) {
	options := manage.BackupOptions{Version: version, Logs: f.logs}
	if f.out == "" {
		kept, err := manage.KeepBackup(ctx, options)
		if err != nil {
			return err
		}
		saved := &saving{archive: kept.Archive}
		return errors.Join(tellNotes(f.io, kept.Notes), saved.tell(f.io, kept.File, f.json))
	}
	b, err := manage.NewBackup(ctx, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	write := b.Write
	if !to.None() {
		write = func(w io.Writer) error { return b.WriteSealed(w, to) }
	}
	if f.out == "-" {
		return errors.Join(write(f.io.out), tellNotes(f.io, b.Notes()))
	}
	key, err := findKey("")
	if err != nil {
		return err
	}
	s := &saving{recipients: f.recipients, key: key}
	if err := manage.SaveArchive(f.out, write, s.check); err != nil {
		return err
	}
	return errors.Join(tellNotes(f.io, b.Notes()), s.tell(f.io, f.out, f.json))
}

func tellNotes(io *streams, notes []string) error {
	for _, note := range notes {
		if _, err := fmt.Fprintln(io.err, "gca: "+visible(note)); err != nil {
			return err
		}
	}
	return nil
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
