package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/remote"
)

const bundleLong = `bundle gathers in one archive what somebody who is asked for help wants to know: versions, status, settings, alerts, the
findings of doctor, the last lines of the logs. Keys, tokens, passwords and webhooks are masked; the archive is searched for
each of them before it is written, and its files are listed. It goes nowhere by itself: look inside, then send it.`

type bundleFlags struct {
	group
	out   string
	lines int
}

func newBundle(io *streams, ssh *sshFlags) *cobra.Command {
	f := &bundleFlags{group: group{io, ssh}}
	cmd := &cobra.Command{
		Use:     f.use("bundle", ""),
		Short:   "Gather what somebody who helps wants to know, without a secret, in one archive",
		Long:    bundleLong,
		Example: f.examples("bundle", "", "-o bundle.tar.gz"),
		Args:    f.args(0, 0),
		RunE: func(cmd *cobra.Command, given []string) error {
			switch {
			case f.out == "-" && isTerminal(io.out):
				return &usageError{"an archive is nothing for a terminal\nhint: -o FILE, or a pipe behind -o -"}
			case f.lines < 1:
				return &usageError{fmt.Sprintf("--lines %d: expected 1 or more", f.lines)}
			case ssh != nil:
				return f.fromAfar(cmd.Context(), given[0])
			}
			return f.here(cmd.Context())
		},
	}
	cmd.Flags().StringVarP(&f.out, "output", "o", "", "write to `FILE`, which must not be there (- is standard output)")
	cmd.Flags().IntVarP(&f.lines, "lines", "n", 500, "take the last `N` lines of each log")
	return f.finish(cmd)
}

func (f *bundleFlags) here(ctx context.Context) error {
	b, err := manage.NewBundle(ctx, manage.BundleOptions{Version: version, Lines: f.lines, Doctor: func(ctx context.Context) ([]converge.Finding, error) {
		look, err := doctorHere()
		if err != nil {
			return nil, err
		}
		return look(ctx)
	}})
	if err != nil {
		return err
	}
	if f.out == "-" {
		return errors.Join(b.Write(f.io.out), b.Print(f.io.err))
	}
	file := f.out
	if file == "" {
		host, err := os.Hostname()
		if err != nil {
			return err
		}
		file = manage.BundleName(host, time.Now())
	}
	if err := b.Save(file); err != nil {
		return err
	}
	if err := b.Print(f.io.err); err != nil {
		return err
	}
	_, err = fmt.Fprintln(f.io.out, file)
	return err
}

// maxBundle bounds in bytes what a server may send.
const maxBundle = 64 << 20

// fromAfar has the server gather it, and keeps it here.
func (f *bundleFlags) fromAfar(ctx context.Context, target string) (err error) {
	fetch := func(w io.Writer) error {
		return f.ssh.runRemote(ctx, f.io, target, rootAlways, nil, w, "bundle", "-o", "-", "--lines", strconv.Itoa(f.lines))
	}
	if f.out == "-" {
		return fetch(manage.AtMost(f.io.out, maxBundle))
	}
	file := f.out
	if file == "" {
		host, err := remote.ParseHost(target)
		if err != nil {
			return &usageError{err.Error()}
		}
		file = manage.BundleName(host.Name(), time.Now())
	}
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("%s is there already\nhint: -o FILE names another one", file)
	}
	part, err := os.OpenFile(file+".part", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s.part is there already: another bundle is being fetched, or was cut short\nhint: rm %[1]s.part if no other one is", file)
	}
	if err != nil {
		return err
	}
	if err = errors.Join(fetch(manage.AtMost(part, maxBundle)), part.Close()); err == nil {
		err = os.Rename(part.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part.Name()))
	}
	_, err = fmt.Fprintln(f.io.out, file)
	return err
}
