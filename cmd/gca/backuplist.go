package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
)

func newBackupList(g group) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   g.use("list", ""),
		Short: "List the archives in " + manage.BackupDir + " on the server, and the copies at the places of BACKUP_TO, newest first",
		Args:  g.args(0, 0),
		RunE: func(cmd *cobra.Command, given []string) error {
			if g.ssh == nil {
				return listBackups(cmd.Context(), g.io, asJSON)
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

// listBackups lists what there is; a place that cannot be asked keeps nobody from seeing the rest.
func listBackups(ctx context.Context, streams *streams, asJSON bool) error {
	all, err := manage.Backups()
	if err != nil {
		return err
	}
	copies, failed := manage.Copies(ctx)
	all = append(append([]manage.Kept{}, all...), copies...)
	if asJSON {
		return errors.Join(json.NewEncoder(streams.out).Encode(backupList{1, all}), failed)
	}
	if len(all) == 0 && failed == nil {
		return tellNoBackups(streams)
	}
	for _, b := range all {
		if _, err := fmt.Fprintf(streams.out, "%s  %d bytes  %s/%s\n", b.Created.Format("2006-01-02 15:04:05 UTC"), b.Size, visible(b.Place), visible(b.File)); err != nil {
			return err
		}
	}
	return failed
}

// tellNoBackups says where else archives may be.
func tellNoBackups(streams *streams) error {
	_, err := fmt.Fprintf(streams.err, "there are no archives in %s on the server yet; what gca backup fetched is in the folder where it was run\n", manage.BackupDir)
	return err
}

func newBackupSSHKey(g group) *cobra.Command {
	cmd := &cobra.Command{
		Use:   g.use("ssh-key", ""),
		Short: "Print the line of authorized_keys that lets the server in where it keeps copies by SFTP",
		Long: `ssh-key prints the public half of the key by which the server logs in to the SFTP servers of BACKUP_TO: put the line into
~/.ssh/authorized_keys there. The key is made the first time, and never leaves the server.`,
		Example: g.examples("backup ssh-key", ""),
		Args:    g.args(0, 0),
		RunE: func(cmd *cobra.Command, given []string) error {
			if g.ssh != nil {
				return g.ssh.runRemote(cmd.Context(), g.io, given[0], rootAlways, nil, g.io.out, "backup", "ssh-key")
			}
			line, err := manage.BackupSSHKey()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(g.io.out, line)
			return err
		},
	}
	return g.finish(cmd)
}
