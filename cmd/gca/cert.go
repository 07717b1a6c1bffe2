package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	goio "io"
	"time"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/provision/cert"
	"github.com/gemini-claude-adapter/gca/provision/converge"
)

func newCert(io *streams, ssh *sshFlags) *cobra.Command {
	g := group{io, ssh}
	cmd := &cobra.Command{
		Use:   "cert",
		Short: "Show and renew the certificate for HTTPS",
		Long: `cert looks after the certificate that gca deploy got for the adapter's name or IP address. systemd has it renewed before
half of its life is over; what stands in the way of that is shown here and by status, with the cure.`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCertStatus(g), newCertRenew(g))
	return cmd
}

func newCertStatus(g group) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     g.use("status", ""),
		Short:   "Show the certificate, its end, and how its renewal stands; exit code 1 if something is wrong with it",
		Long:    "status shows the certificate that Nginx serves, its end, and how its renewal stands. Exit code 1 means that something is wrong with it.",
		Example: g.examples("cert status", "", "--json"),
		Args:    g.args(0, 0),
		RunE: func(cmd *cobra.Command, given []string) error {
			if g.ssh == nil {
				return showCertificate(cmd.Context(), g.io, asJSON)
			}
			words := []string{"cert", "status"}
			if asJSON {
				words = append(words, "--json")
			}
			return g.ssh.runRemote(cmd.Context(), g.io, given[0], rootIfFree, nil, g.io.out, words...)
		},
	}
	jsonFlag(cmd, &asJSON)
	return g.finish(cmd)
}

func showCertificate(ctx context.Context, io *streams, asJSON bool) error {
	report, err := manage.Certificate(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		err = json.NewEncoder(io.words()).Encode(report)
	} else {
		err = printReport(io, func(w goio.Writer) error { return report.Print(w, time.Now()) })
	}
	if err == nil && len(report.Problems) > 0 {
		return &statusError{exitFailed}
	}
	return err
}

// renewed is what `cert renew --json` prints.
type renewed struct {
	Schema   int       `json:"schema"`
	Name     string    `json:"name"` // empty where the adapter speaks plain HTTP
	NotAfter time.Time `json:"not_after,omitzero"`
	Renewed  bool      `json:"renewed"`
}

func newCertRenew(g group) *cobra.Command {
	var due, asJSON bool
	cmd := &cobra.Command{
		Use:   g.use("renew", ""),
		Short: "Get a new certificate now",
		Long: `renew gets a new certificate from the CA, and has Nginx take it up without a connection cut. Until it is there, and if
there comes none, the one of before stays in force. CAs give few for one name in a week: there is no need to renew one
that status finds nothing wrong with.`,
		Example: g.examples("cert renew", "", "--due"),
		Args:    g.args(0, 0),
		RunE: func(cmd *cobra.Command, given []string) error {
			if g.ssh == nil {
				return renewHere(cmd.Context(), g.io, !due, asJSON)
			}
			words := []string{"cert", "renew"}
			for name, set := range map[string]bool{"--due": due, "--json": asJSON} {
				if set {
					words = append(words, name)
				}
			}
			return g.ssh.runRemote(cmd.Context(), g.io, given[0], rootAlways, nil, g.io.out, words...)
		},
	}
	cmd.Flags().BoolVar(&due, "due", false, "only where two fifths of its life are over, as the timer does")
	jsonFlag(cmd, &asJSON)
	return g.finish(cmd)
}

func renewHere(ctx context.Context, io *streams, always, asJSON bool) error {
	agent := converge.Agent{Version: version, ReadSettings: readSettings, Certificates: cert.Authority{}}
	done, err := manage.RenewCertificate(ctx, agent, always)
	var refusal *converge.Refusal
	if !always && errors.As(err, &refusal) && refusal.Kind == converge.RefusedLocked {
		_, err = fmt.Fprintln(io.err, "a deploy is at work on this server: the timer looks again later")
		return err
	}
	if err != nil {
		return ofChange(err)
	}
	if asJSON {
		return json.NewEncoder(io.out).Encode(renewed{1, done.Name, done.NotAfter, done.Renewed})
	}
	_, err = fmt.Fprintln(io.err, tellRenewal(done))
	return err
}

func tellRenewal(done converge.Renewal) string {
	until := done.NotAfter.UTC().Format("2006-01-02 15:04 UTC")
	switch {
	case done.Name == "":
		return "there is nothing to renew: the adapter speaks plain HTTP"
	case done.Renewed:
		return "a new certificate for " + done.Name + " is in force, until " + until
	case done.Reloaded:
		return "the certificate for " + done.Name + ", until " + until + ", is in force now: Nginx had not taken it up"
	}
	return "the certificate for " + done.Name + " is good until " + until + "; nothing was changed"
}
