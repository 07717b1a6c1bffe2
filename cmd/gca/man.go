//go:build man

package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// buildCommands is the one that writes the manual, which make man builds and no user needs.
func buildCommands(io *streams) []*cobra.Command {
	return []*cobra.Command{{
		Use:    "man DIR",
		Short:  "Write the manual pages of gca and gemini-manage",
		Hidden: true,
		Args:   args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := os.MkdirAll(given[0], 0o755); err != nil {
				return err
			}
			for _, root := range []*cobra.Command{cmd.Root(), newManageRoot(io)} {
				root.DisableAutoGenTag = true
				day := time.Unix(0, 0).UTC() // the same pages from the same source
				header := &doc.GenManHeader{Section: "1", Source: "gca " + version, Manual: "Gemini Claude Adapter", Date: &day}
				if err := doc.GenManTree(root, header, given[0]); err != nil {
					return fmt.Errorf("cannot write the manual of %s: %w", root.Name(), err)
				}
			}
			return nil
		},
	}}
}
