package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/store"
)

func newBackupVerify(g group) *cobra.Command {
	streams := g.io
	example := "  gemini-manage backup verify /var/backups/gemini-adapter/gca-tokyo-20261123T021400Z.tar.gz"
	if g.ssh != nil {
		example = "  gca backup verify gca-tokyo-20261123T021400Z.tar.gz.age"
	}
	var asJSON bool
	var keyFile string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Read an archive whole, and see whether an adapter would start with it; nothing is changed",
		Long: `verify reads an archive to its last byte, compares every hash, and restores it into a scratch folder, in memory where the system
has a place for that. There this gca is to accept its settings, keys and tokens, and to read its state. The folder is removed.`,
		Example: example,
		Args:    args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			key, err := findKey(keyFile)
			if err != nil {
				return err
			}
			a, err := readBackup(streams, given[0], key)
			if err != nil {
				return err
			}
			tried, err := tryOut(cmd.Context(), a)
			if err != nil {
				return asRefused(given[0], err)
			}
			return tellVerified(streams, given[0], a, tried, asJSON)
		},
	}
	keyFlag(cmd, &keyFile)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, schema 1")
	return cmd
}

func tellVerified(streams *streams, name string, a *manage.Archive, tried trial, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(streams.out).Encode(verifyResult{
			backupResult{Schema: 1, File: name, Size: a.Size, SHA256: a.SHA256, Sealed: a.Sealed, Manifest: &a.Manifest}, tried})
	}
	if err := tellArchive(streams.out, streams, a); err != nil {
		return err
	}
	_, err := fmt.Fprintf(streams.out, "whole: every file is what it was when the archive was made\nan adapter starts with it: %s, %s, usage of %s with %s\n",
		count(tried.Keys, "key"), count(tried.Tokens, "token"), count(tried.Days, "day"), count(int(tried.Requests), "request"))
	return err
}

// verifyResult is what `backup verify --json` prints.
type verifyResult struct {
	backupResult
	trial
}

// trial is what an adapter would begin with.
type trial struct {
	Keys     int   `json:"keys"`
	Tokens   int   `json:"tokens"`
	Days     int   `json:"days"`     // with usage
	Requests int64 `json:"requests"` // of all these days
}

// memoryFolder is where Linux keeps files in memory.
const memoryFolder = "/dev/shm"

// tryOut restores an archive into a scratch folder, and has this program start from there as far as the first request.
func tryOut(ctx context.Context, a *manage.Archive) (t trial, err error) {
	parent := memoryFolder
	if info, err := os.Stat(parent); err != nil || !info.IsDir() {
		parent = "" // the system's own
	}
	dir, err := os.MkdirTemp(parent, "gca-verify-") // for this user alone
	if err != nil {
		return t, fmt.Errorf("cannot restore into a scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := a.Unpack(dir); err != nil {
		return t, fmt.Errorf("cannot restore into a scratch folder: %w", err)
	}
	_, cfg, err := a.Texts()
	if err != nil {
		return t, err
	}
	t.Keys, t.Tokens = len(cfg.Keys), len(cfg.Tokens)
	if err := checkStart(ctx, dir, cfg); err != nil {
		return t, err
	}
	return t, t.readState(dir, cfg)
}

// checkStart has this program judge the settings of a folder, without those of whoever runs it.
func checkStart(ctx context.Context, dir string, cfg *config.Config) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	words := []string{"serve", "--check", "--config-dir", dir}
	if cfg.Clients() { // without, a restore makes a token first
		words = append(words, "--behind-proxy")
	}
	cmd := exec.CommandContext(ctx, program, words...)
	cmd.Args[0] = "gca"
	cmd.Env = []string{"SYSTEMROOT=" + os.Getenv("SYSTEMROOT")} // Windows starts nothing without it
	var said bytes.Buffer
	cmd.Stderr = manage.AtMost(&said, maxAnswer)
	if err := cmd.Run(); err != nil {
		return &manage.ArchiveError{Message: "this archive cannot be used: no adapter starts with it: " + strings.TrimSpace(strings.TrimPrefix(visible(said.String()), "gca: ")+" ("+err.Error()+")")}
	}
	return nil
}

// readState opens the state as an adapter does, which complains of what is not sound.
func (t *trial) readState(dir string, cfg *config.Config) error {
	name := config.StateFile
	if cfg.StateURL != nil {
		name = path.Base(cfg.StateURL.Path)
	}
	file := filepath.Join(dir, manage.UnpackedState, name)
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		return nil // an adapter that never served
	}
	var complaints bytes.Buffer
	log := slog.New(slog.NewTextHandler(&complaints, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s := store.OpenSQLite(file, store.DefaultLimits(), log)
	rows, err := s.Usage("", "~")
	if err := errors.Join(err, s.Close()); err != nil {
		return &manage.ArchiveError{Message: "this archive cannot be used: its state is not sound: " + visible(err.Error())}
	}
	if complaints.Len() > 0 {
		return &manage.ArchiveError{Message: "this archive cannot be used: its state is not sound: " + visible(strings.TrimSpace(complaints.String()))}
	}
	days := map[string]bool{}
	for _, row := range rows {
		t.Requests += row.Requests
		days[row.Day] = true
	}
	t.Days = len(days)
	return nil
}

// readBackup reads an archive (- is standard input) whole, and has its settings judged.
func readBackup(streams *streams, name string, key *manage.BackupKey) (a *manage.Archive, err error) {
	f := streams.in
	if name != "-" {
		if f, err = os.Open(name); err != nil {
			return nil, &usageError{err.Error()}
		}
		defer func() { err = errors.Join(err, f.Close()) }()
	}
	if a, err = manage.ReadArchive(f, version, key); err == nil {
		_, _, err = a.Texts()
	}
	return a, asRefused(name, err)
}
