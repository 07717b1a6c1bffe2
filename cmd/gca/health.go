package main

import (
	"encoding/json"
	"fmt"
	"net"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// newHealth is what a container asks itself, in which there is no curl.
func newHealth(io *streams) *cobra.Command {
	var dir string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask the adapter of this machine how it is; exit code 0 if it serves",
		Long: `health asks the adapter that runs on this machine, at the address that HOST and PORT name in the environment or in
--config-dir. The exit code is 0 where it serves, also with a part of its keys resting; 1 where it cannot, since no key is
active; 6 where nothing answers. The image that gca export docker builds asks itself so.`,
		Example: "  gca health\n  PORT=8001 gca health --json",
		Args:    args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(dir, false)
			if err != nil {
				return err
			}
			c := client.NewVia(client.Profile{URL: "http://" + ownAddress(cfg)}, (&net.Dialer{}).DialContext)
			defer c.Close()
			h, err := c.Health(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				err = json.NewEncoder(io.out).Encode(h)
			} else {
				_, err = fmt.Fprintf(io.out, "%s: %d of %d keys are active, version %s\n", h.Status, h.ActiveKeys, h.TotalKeys, h.Version)
			}
			if err == nil && h.Status == "unhealthy" {
				return &statusError{exitFailed}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "config-dir", "", "read adapter.env, keys and tokens from `DIR`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what the adapter answers at /health, as JSON")
	return cmd
}

// ownAddress is where the adapter with these settings is reached from its own machine.
func ownAddress(cfg *config.Config) string {
	host := cfg.Host
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip.To4() == nil {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, strconv.Itoa(cfg.Port))
}
