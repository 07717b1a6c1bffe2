package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newRoot(io *streams) *cobra.Command {
	root := baseCommand("gca", "Claude Code and other clients in, Google's Gemini API out: deploy, run and use the adapter")
	root.Long = `gca turns a bare Debian or Ubuntu server into an adapter between Claude Code (or any Anthropic, OpenAI or Gemini client)
and Google's Gemini API, looks after it, and is the adapter itself.

Start with:
  gca deploy root@YOUR-SERVER     set a server up; prints the address and the client token
  gca ask "hello"                 ask it something
  GEMINI_API_KEYS=… gca serve     or run the adapter right here`
	root.Example = "  gca deploy root@203.0.113.9\n  gca ask \"hello\""
	root.RunE = func(*cobra.Command, []string) error {
		_, err := fmt.Fprint(io.out, nextSteps(io.lang))
		return err
	}
	ssh := &sshFlags{}
	root.AddCommand(newDeploy(io), newPlan(io), newServe(io), newAgent(io), newConnect(io), newTest(io), newAsk(io), newChat(io), newSetup(io), newPerf(io), newVersion(io), newHealth(io), newExport(io))
	root.AddCommand(newDoctor(io), newBundle(io, ssh))
	root.AddCommand(newStats(group{io, ssh}), newUsage(group{io, ssh}))
	root.AddCommand(hostVerbs(io, ssh)...)
	root.AddCommand(newMonitor(io, ssh), newConfig(io, ssh), newKeys(io, ssh), newTokens(io, ssh), newCert(io, ssh), newAlerts(io, ssh), newBackup(io, ssh), newRestore(io, ssh), newMigrate(io), newUpgrade(io), newRollback(io, ssh), newDestroy(io, ssh))
	root.AddCommand(buildCommands(io)...)
	return finish(root, group{io, ssh})
}

func newManageRoot(io *streams) *cobra.Command {
	root := baseCommand("gemini-manage", "Look after the Gemini adapter on this server")
	root.Example = "  gemini-manage status\n  sudo gemini-manage restart"
	root.AddCommand(newStats(group{io, nil}), newUsage(group{io, nil}))
	root.AddCommand(localVerbs(io)...)
	root.AddCommand(newMonitor(io, nil), newConfig(io, nil), newKeys(io, nil), newTokens(io, nil), newCert(io, nil), newAlerts(io, nil), newBackup(io, nil), newRestore(io, nil), newUpgradeHere(io), newRollback(io, nil), newDestroy(io, nil), newVersion(io))
	root.AddCommand(newDoctorHere(io), newBundle(io, nil))
	return finish(root, group{io, nil})
}

// baseCommand is a root whose mistakes on the command line are usage errors.
func baseCommand(name, short string) *cobra.Command {
	root := &cobra.Command{
		Use:           name,
		Short:         short,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noSuchCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if !cmd.HasParent() && cmd.Flags().NArg() > 0 { // the command before the flag is the first mistake
			return cmd.Args(cmd, cmd.Flags().Args())
		}
		text, _, number := strings.Cut(err.Error(), ": strconv.ParseInt:")
		if number {
			text += ": expected a whole number"
		}
		return &usageError{fmt.Sprintf("%s\nhint: %s --help", text, cmd.CommandPath())}
	})
	return root
}

// noSuchCommand refuses what is none of the commands below cmd, and names those that it may have been meant for.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	name := cmd.CommandPath()
	hint := name + " --help lists the commands"
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + name + " " + strings.Join(near, " or "+name+" ") + "?"
	}
	return &usageError{fmt.Sprintf("no such command: %s\nhint: %s", args[0], hint)}
}

// args checks the number of arguments and says what is expected.
func args(low, high int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		if len(given) < low || len(given) > high {
			what := "there is an argument too many"
			if len(given) < low {
				what = "an argument is missing"
			}
			return &usageError{fmt.Sprintf("%s: %s\nhint: usage: %s", cmd.CommandPath(), what, cmd.UseLine())}
		}
		return nil
	}
}
