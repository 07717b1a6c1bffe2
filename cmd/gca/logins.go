package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/provision"
	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// loginFlags say who gets in: to the server, and to the adapter.
type loginFlags struct {
	firewall  string
	allowFrom []string
	harden    bool
	risks     []string
}

func (f *loginFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.firewall, "firewall", "auto", "ufw: `MODE` auto turns it on unless that cuts other programs off, strict all the same, off leaves it as it is")
	cmd.Flags().StringArrayVar(&f.allowFrom, "allow-from", nil, "let clients in from `NETWORK` alone, such as 203.0.113.0/24; may be repeated")
	cmd.Flags().BoolVar(&f.harden, "harden-ssh", false, "have sshd take keys alone; needs a login by key")
	cmd.Flags().StringArrayVar(&f.risks, "accept-risk", nil, "go on in spite of the risk `NAME`: "+strings.Join(converge.Risks(), " or "))
}

// set checks the flags and puts them into opts.
func (f *loginFlags) set(opts *provision.Options) error {
	switch f.firewall {
	case "auto", "": // an upgrade has no such flag
	case "off", "strict":
		opts.Firewall = converge.FirewallMode(f.firewall)
	default:
		return &usageError{fmt.Sprintf("--firewall %s: no such mode\nhint: auto, off or strict", f.firewall)}
	}
	for _, text := range f.allowFrom {
		network, err := converge.ParseNetwork(text)
		if err != nil {
			return &usageError{fmt.Sprintf("--allow-from: %v\nhint: --allow-from 203.0.113.0/24; 0.0.0.0/0 and ::/0 are everybody", err)}
		}
		if !slices.Contains(opts.AllowFrom, network) {
			opts.AllowFrom = append(opts.AllowFrom, network)
		}
	}
	if f.firewall == "off" && len(f.allowFrom) > 0 {
		return &usageError{"--allow-from is for the firewall, which --firewall=off leaves alone\nhint: one of the two"}
	}
	for _, risk := range f.risks {
		if !slices.Contains(converge.Risks(), risk) {
			return &usageError{fmt.Sprintf("--accept-risk %s: no such risk\nhint: %s", risk, strings.Join(converge.Risks(), " or "))}
		}
	}
	opts.Harden, opts.Risks = f.harden, f.risks
	return nil
}
