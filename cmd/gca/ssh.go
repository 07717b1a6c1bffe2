package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/provision/remote"
)

// sshFlags say how a server is reached.
type sshFlags struct {
	identity  string
	port      int
	hostKey   string
	acceptNew bool
	noInput   bool
}

func (f *sshFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.identity, "identity", "i", "", "private key `FILE` to log in with")
	cmd.Flags().IntVarP(&f.port, "port", "p", 0, "SSH `PORT`, if it is not part of the host")
	cmd.Flags().StringVar(&f.hostKey, "host-key", "", "expect this host key, as `SHA256:…`; on first use it is stored")
	cmd.Flags().BoolVar(&f.acceptNew, "accept-new-host-key", false, "store the key of a server never seen before without asking")
	cmd.Flags().BoolVar(&f.noInput, "no-input", false, "never ask; a missing answer is an error")
}

// parse reads the host argument and the flags.
func (f *sshFlags) parse(text string, io *streams) (remote.Host, remote.Options, error) {
	host, err := remote.ParseHost(text)
	if err == nil && f.port != 0 {
		host, err = host.WithPort(f.port)
	}
	if err != nil {
		return remote.Host{}, remote.Options{}, &usageError{err.Error()}
	}
	opts := remote.Options{IdentityFile: f.identity, AcceptNew: f.acceptNew}
	if f.hostKey != "" {
		if opts.HostKey, err = remote.ParseFingerprint(f.hostKey); err != nil {
			return remote.Host{}, remote.Options{}, &usageError{err.Error()}
		}
	}
	if p := newPrompt(io, f.noInput); p != nil {
		opts.Prompts = remote.Prompts{
			ConfirmHostKey: func(host, keyType, fingerprint string) (bool, error) {
				return p.confirm(fmt.Sprintf("%s is not known yet. Its %s key is %s. Is that right?", host, keyType, fingerprint), false)
			},
			Passphrase: func(file string) ([]byte, error) {
				text, err := p.secret("Passphrase of " + file)
				return []byte(text), err
			},
		}
	}
	return host, opts, nil
}

const manageTool = "/usr/local/bin/gemini-manage"

// runRemote runs gemini-manage on the server with the streams of this process. Its exit code becomes ours.
func (f *sshFlags) runRemote(ctx context.Context, io *streams, target string, verb ...string) (err error) {
	host, opts, err := f.parse(target, io)
	if err != nil {
		return err
	}
	conn, err := remote.Dial(ctx, host, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	line := "[ -x " + manageTool + " ] || exit 127; exec " + remote.Quote(append([]string{manageTool}, verb...)...)
	err = conn.Run(ctx, remote.Cmd{Line: line, Stdout: io.out, Stderr: io.err})
	var exit *remote.ExitError
	switch {
	case errors.As(err, &exit) && exit.Status == 127:
		return fmt.Errorf("no adapter is installed on %s\nhint: gca deploy %s", host, target)
	case errors.As(err, &exit):
		return &statusError{exit.Status}
	}
	return err
}
