package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

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
	cmd.Flags().StringArrayVar(&f.recipients, "recipient", nil, "encrypt to this `KEY`, age1…, the public half of a backup key (repeatable)")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON, schema 1")
	cmd.AddCommand(newBackupList(f.group), newBackupVerify(f.group), newBackupPrune(f.group))
	cmd.AddCommand(newBackupSSHKey(f.group))
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
		return f.keep(ctx, options)
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

// keep makes a backup that stays here; copies may go elsewhere.
func (f *backupFlags) keep(ctx context.Context, options manage.BackupOptions) error {
	line := newStatusLine(f.io.err)
	options.Progress = func(place string, sent, size int64) {
		// A screen that has gone is no reason to stop.
		_ = line.show(fmt.Sprintf("  %s: %.1f of %.1f MB", place, float64(sent)/1e6, float64(size)/1e6))
	}
	kept, err := manage.KeepBackup(ctx, options)
	cleared := line.clear()
	var partly *manage.CopyError
	if err != nil && !errors.As(err, &partly) {
		return err
	}
	saved := &saving{archive: kept.Archive}
	return errors.Join(err, cleared, tellNotes(f.io, kept.Notes), saved.tell(f.io, kept.File, f.json))
}

func tellNotes(io *streams, notes []string) error {
	for _, note := range notes {
		if _, err := fmt.Fprintln(io.err, "gca: "+visible(io.lang.Text(note))); err != nil {
			return err
		}
	}
	return nil
}
