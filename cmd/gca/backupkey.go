package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/manage/client"
)

// keyFile is where this user's backup key is kept.
func keyFile() (string, error) {
	dir, err := client.Folder()
	return filepath.Join(dir, "backup-key.txt"), err
}

// keyFlag lets a command open archives with another key than this user's.
func keyFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "backup-key", "", "open an encrypted archive with the key in `FILE`, as the recovery sheet has it")
}

// findKey is the key in a file, for "" that of this user, which is nil where there is none.
func findKey(file string) (*manage.BackupKey, error) {
	if file != "" {
		key, err := manage.LoadBackupKey(file)
		if err != nil {
			return nil, &usageError{err.Error()}
		}
		return key, nil
	}
	file, err := keyFile()
	if err != nil {
		return nil, nil // a service has no home, and no key in it
	}
	key, err := manage.LoadBackupKey(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return key, err
}

// ownKey is this user's key. The first time it is made, and its recovery sheet is shown, which takes somebody to see it.
func ownKey(streams *streams) (*manage.BackupKey, error) {
	key, err := findKey("")
	if key != nil || err != nil {
		return key, err
	}
	if !isTerminal(streams.err) {
		return nil, &usageError{"there is no backup key on this machine yet, and nobody sees its recovery sheet here\n" +
			"hint: gca backup key > recovery-sheet.txt makes it, or --recipient age1… encrypts to a key that is elsewhere"}
	}
	key, sheet, err := makeKey()
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(streams.err, "\n%s\n", sheet)
	return key, err
}

func makeKey() (*manage.BackupKey, string, error) {
	file, err := keyFile()
	if err != nil {
		return nil, "", err
	}
	return manage.MakeBackupKey(file, version, time.Now())
}

// keyReport is what `backup key --json` prints.
type keyReport struct {
	Schema    int    `json:"schema"`
	File      string `json:"file"`
	Recipient string `json:"recipient"`
	Made      bool   `json:"made"`            // by this run
	Sheet     string `json:"sheet,omitempty"` // then
}

func newBackupKey(streams *streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Print the public half of this machine's backup key; the first time make it, and print its recovery sheet",
		Long: `key prints whom backups from this machine are encrypted to: the public half of its backup key, for --recipient elsewhere. The
first time the key is made, and what is printed is its recovery sheet: the one text that shows the key itself, to be printed
or put into a password manager. The key stays on this machine, in your configuration folder.`,
		Example: "  gca backup key > recovery-sheet.txt     # the first time\n  gca backup key                         # age1…",
		Args:    args(0, 0),
		RunE:    func(*cobra.Command, []string) error { return tellKey(streams, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, schema 1")
	return cmd
}

func tellKey(streams *streams, asJSON bool) error {
	key, err := findKey("")
	if err != nil {
		return err
	}
	var sheet string
	if key == nil {
		if key, sheet, err = makeKey(); err != nil {
			return err
		}
	}
	recipient := key.Recipients()[0]
	switch {
	case asJSON:
		return json.NewEncoder(streams.out).Encode(keyReport{1, key.File, recipient, sheet != "", sheet})
	case sheet != "":
		_, err = fmt.Fprint(streams.out, sheet)
		return err
	}
	_, told := fmt.Fprintf(streams.err, "the key is in %s\n", key.File)
	_, err = fmt.Fprintln(streams.out, recipient)
	return errors.Join(told, err)
}
