package main

import (
	"context"
	"encoding/json"
	"fmt"
	goio "io"
	"time"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
)

const alertsLong = `alerts shows what people are told of, and by which ways. A timer looks every two minutes; what is wrong in two looks in
a row is told once, and once more when it has been well for ten minutes. Exit code 1 means that something is wrong, or
that a way does not work.

Ways are settings: ALERT_SMTP_URL and ALERT_MAIL_TO for mail, ALERT_TELEGRAM_TOKEN and ALERT_TELEGRAM_CHAT, ALERT_SLACK_URL,
ALERT_FEISHU_URL and ALERT_DINGTALK_URL (with _SECRET where the bot signs), ALERT_WEBHOOK_URL for programs.`

func newAlerts(io *streams, ssh *sshFlags) *cobra.Command {
	g := group{io, ssh}
	var asJSON bool
	cmd := &cobra.Command{
		Use:     g.use("alerts", ""),
		Short:   "Show what people are alerted of, how that stands, and by which ways; exit code 1 if something is wrong",
		Long:    alertsLong,
		Example: g.examples("alerts", "", "--json"),
		Args:    g.args(0, 0),
		RunE: func(cmd *cobra.Command, given []string) error {
			if g.ssh == nil {
				return showAlerts(cmd.Context(), g.io, asJSON)
			}
			return g.ssh.runRemote(cmd.Context(), g.io, given[0], rootIfFree, nil, g.io.out, withJSON(asJSON, "alerts")...)
		},
	}
	jsonFlag(cmd, &asJSON)
	cmd.AddCommand(newAlertsTest(g))
	if ssh == nil {
		cmd.AddCommand(newAlertsCheck())
	}
	return g.finish(cmd)
}

// withJSON are the words of a command with its flag.
func withJSON(asJSON bool, words ...string) []string {
	if asJSON {
		words = append(words, "--json")
	}
	return words
}

func showAlerts(ctx context.Context, io *streams, asJSON bool) error {
	report, err := manage.Alerts(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		err = json.NewEncoder(io.out).Encode(report)
	} else {
		err = printReport(io, func(w goio.Writer) error { return report.Print(w, time.Now()) })
	}
	if err == nil && len(report.Problems) > 0 {
		return &statusError{exitFailed}
	}
	return err
}

func newAlertsTest(g group) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     g.use("test", ""),
		Short:   "Send a test by every way that is set, and say how it was taken",
		Long:    "test sends a test by every way that is set, and says how it was taken. Exit code 1 means that one does not work, 3 that some do not.",
		Example: g.examples("alerts test", "", "--json"),
		Args:    g.args(0, 0),
		RunE: func(cmd *cobra.Command, given []string) error {
			if g.ssh == nil {
				return tryAlerts(cmd.Context(), g.io, asJSON)
			}
			return g.ssh.runRemote(cmd.Context(), g.io, given[0], rootAlways, nil, g.io.out, withJSON(asJSON, "alerts", "test")...)
		},
	}
	jsonFlag(cmd, &asJSON)
	return g.finish(cmd)
}

func tryAlerts(ctx context.Context, io *streams, asJSON bool) error {
	good, bad := 0, 0
	trying := func(channel string, most time.Duration) error {
		_, err := fmt.Fprintf(io.err, "%-9s %s\n", channel, io.lang.Say("trying, for up to %d s", int(most.Seconds())))
		return err
	}
	err := manage.TestAlerts(ctx, trying, func(t manage.AlertTest) error {
		if t.Problem == "" {
			good++
		} else {
			bad++
		}
		if asJSON {
			return json.NewEncoder(io.out).Encode(t)
		}
		return tellAlert(io, t)
	})
	switch {
	case err != nil:
		return err
	case bad > 0 && good > 0:
		return &statusError{exitPartial}
	case bad > 0:
		return &statusError{exitFailed}
	}
	return nil
}

func tellAlert(io *streams, t manage.AlertTest) error {
	said := io.lang.Say("delivered")
	if t.Problem != "" {
		said = io.lang.Text("NOT delivered: " + t.Problem + "\nhint: " + t.Cure)
	}
	_, err := fmt.Fprintf(io.people(), "%-9s %s\n", t.Channel, said)
	return err
}

// newAlertsCheck is the timer's.
func newAlertsCheck() *cobra.Command {
	return &cobra.Command{Use: "check", Short: "Look once, and tell what changed", Hidden: true, Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return manage.CheckAlerts(cmd.Context()) }}
}
