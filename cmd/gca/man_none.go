//go:build !man

package main

import "github.com/spf13/cobra"

// buildCommands are those of builds for other programs than users'.
func buildCommands(*streams) []*cobra.Command { return nil }
