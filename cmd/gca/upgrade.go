package main

import "github.com/spf13/cobra"

func newUpgrade(io *streams) *cobra.Command {
	f, p := &deployFlags{upgrade: true}, &packagesFlags{}
	cmd := &cobra.Command{
		Use:   "upgrade [user@]host[:port]",
		Short: "Bring an adapter to this gca's release, without a request lost; or its system's security updates",
		Long: `upgrade brings the adapter of a server to the release of this gca. Settings, keys, tokens, firewall and everything else of the
server stay as they are; no flag of the deploy is needed again. Where this machine has sent the release that is there, it
sends only what is new. The new release serves beside the old one before that is touched, and must answer from here, or
everything is put back. gca rollback goes back later.

` + packagesLong,
		Example: "  gca upgrade root@203.0.113.9\n  gca upgrade --dry-run root@203.0.113.9\n  gca upgrade --packages --reboot root@203.0.113.9",
		Args:    args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			p.group, p.yes, p.dryRun, p.json = group{io, &f.ssh}, f.yes, f.dryRun, f.json
			if err := p.judge(f.binary); err != nil {
				return err
			}
			if p.packages {
				return p.there(cmd.Context(), given[0])
			}
			return f.run(cmd, io, given[0])
		},
	}
	f.ssh.add(cmd)
	p.add(cmd)
	cmd.Flags().StringVar(&f.binary, "binary", "", "send this gca `FILE`, built for the server's platform, instead of the running one")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do it without asking")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would be done; exit code 20 if anything would be")
	cmd.Flags().BoolVar(&f.json, "json", false, "print progress and result as JSON lines, schema 1")
	return cmd
}
