package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
)

type pruneFlags struct {
	group
	days, count int
	dryRun      bool
	json        bool
}

func newBackupPrune(g group) *cobra.Command {
	f := &pruneFlags{group: g}
	cmd := &cobra.Command{
		Use:   g.use("prune", ""),
		Short: "Remove the archives in " + manage.BackupDir + " that are due; each backup does so too",
		Long: `prune removes the archives in ` + manage.BackupDir + ` that are older than BACKUP_KEEP_DAYS (30), but for the newest seven,
and, of more than BACKUP_KEEP_COUNT (60), the oldest.`,
		Example: g.examples("backup prune", "--dry-run", "--keep-days 7"),
		Args:    g.args(0, 0),
		RunE: func(cmd *cobra.Command, given []string) error {
			if f.days < 0 || f.count < 0 {
				return &usageError{"--keep-days and --keep-count: expected 1 or more"}
			}
			if g.ssh == nil {
				return f.here()
			}
			return g.ssh.runRemote(cmd.Context(), g.io, given[0], rootAlways, nil, g.io.out, f.words()...)
		},
	}
	cmd.Flags().IntVar(&f.days, "keep-days", 0, "keep those of the last `N` days instead")
	cmd.Flags().IntVar(&f.count, "keep-count", 0, "keep the newest `N` at most instead")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "name them, and remove nothing")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON, schema 1")
	return g.finish(cmd)
}

func (f *pruneFlags) words() []string {
	words := []string{"backup", "prune", "--keep-days", strconv.Itoa(f.days), "--keep-count", strconv.Itoa(f.count)}
	if f.dryRun {
		words = append(words, "--dry-run")
	}
	if f.json {
		words = append(words, "--json")
	}
	return words
}

// pruned is what `backup prune --json` prints.
type pruned struct {
	Schema  int      `json:"schema"`
	DryRun  bool     `json:"dry_run"`
	Removed []string `json:"removed"` // names in manage.BackupDir, oldest first
}

func (f *pruneFlags) here() error {
	keep, err := manage.RetentionHere()
	if err != nil {
		return err
	}
	if f.days > 0 {
		keep.Age = time.Duration(f.days) * 24 * time.Hour
	}
	if f.count > 0 {
		keep.Count = f.count
	}
	removed, err := manage.Prune(keep, f.dryRun)
	if f.json && err == nil {
		return json.NewEncoder(f.io.out).Encode(pruned{1, f.dryRun, removed})
	}
	for _, name := range removed {
		if _, told := fmt.Fprintln(f.io.out, name); told != nil {
			return errors.Join(err, told)
		}
	}
	what := count(len(removed), "archive") + " removed"
	if f.dryRun {
		what = count(len(removed), "archive") + " would be removed"
	}
	_, told := fmt.Fprintf(f.io.err, "%s; kept are %s\n", what, keep)
	return errors.Join(err, told)
}
