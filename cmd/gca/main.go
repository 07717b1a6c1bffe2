// Command gca is the Gemini Claude Adapter: on a laptop it deploys and looks after a server, on the server it is the proxy,
// the converging agent and, under the name gemini-manage, the operator's tool.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"github.com/gemini-claude-adapter/gca/manage/locale"
	"github.com/gemini-claude-adapter/gca/provision/converge"
	_ "golang.org/x/crypto/x509roots/fallback" // the roots to trust where the system has none, as in a container from scratch
)

// version is the release, and part of the name of its folder on a server.
const version = "0.1.0"

func main() {
	io := &streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	ctx, stop := io.untilInterrupted()
	code := run(ctx, os.Args, io)
	stop()
	os.Exit(code)
}

// streams are the process's three: data goes to out, progress and complaints to err.
type streams struct {
	in       *os.File
	out, err io.Writer
	target   string       // what the person on a laptop called this server, "" where nobody did
	noInput  bool         // nobody is to be asked, by the flag of a command that needs no login
	lang     locale.Words // of this person
	lent     atomic.Bool  // the terminal is another program's, and Ctrl-C with it
}

// untilInterrupted is a context that ends at SIGTERM, when the terminal goes away (but under nohup), and at Ctrl-C unless that
// is another program's. A second one ends the process at once.
func (s *streams) untilInterrupted() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		for sig := range signals {
			if sig == os.Interrupt && s.lent.Load() {
				continue
			}
			signal.Stop(signals)
			cancel()
			return
		}
	}()
	return ctx, cancel
}

// run is the program: it returns the exit code.
func run(ctx context.Context, args []string, io *streams) int {
	io.lang = locale.For(os.Getenv)
	root := newRoot(io)
	if filepath.Base(args[0]) == "gemini-manage" {
		io.fromLaptop()
		root = newManageRoot(io)
	}
	root.SetArgs(args[1:])
	root.SetIn(io.in)
	root.SetOut(io.out)
	root.SetErr(io.err)
	cmd, err := root.ExecuteContextC(ctx)
	if locked, ok := errors.AsType[*converge.Refusal](err); ok && locked.Kind == converge.RefusedLocked && cmd.Name() != "deploy" {
		locked.Hint = "wait for it to end, then again: " + cmd.CommandPath()
	}
	if message := complaint(err); message != "" {
		if _, writeErr := fmt.Fprintln(io.err, root.Name()+": "+io.lang.Text(message)); writeErr != nil {
			err = errors.Join(err, writeErr)
		}
	}
	return exitCode(err)
}
