// Command lab boots throwaway Debian servers on this machine; see package lab.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

func main() {
	lab.RunHolder()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := lab.CLI(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
