package main

import (
	"context"
	"net/url"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/provision/cert"
	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/payload"
	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// newAgent is what a deploy starts on the server; nobody types it.
func newAgent(io *streams) *cobra.Command {
	var connection string
	var worker, proof, deadMan, adopt bool
	var patch string
	cmd := &cobra.Command{
		Use:    "agent",
		Short:  "Converge this server at a laptop's word (started by gca deploy)",
		Hidden: true,
		Args:   args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			self, err := payload.Self()
			if err != nil {
				return err
			}
			if patch != "" {
				return payload.ApplyPatch(self.Name, patch)
			}
			if adopt {
				_, err := applyHere(io, func(m manage.Machine) (converge.Applied, error) { return m.Adopt(cmd.Context()) })
				return err
			}
			agent := converge.Agent{Version: version, SHA256: self.SHA256, ReadSettings: readSettings, Certificates: cert.Authority{}, Connection: connection}
			switch {
			case worker:
				return agent.Work(context.WithoutCancel(cmd.Context())) // it has its own way to be stopped
			case proof:
				return agent.Prove()
			case deadMan:
				return agent.DeadMan(cmd.Context())
			}
			return agent.Run(cmd.Context(), io.in, io.out)
		},
	}
	cmd.Flags().StringVar(&connection, "ssh-connection", "", "where the laptop is: sshd's SSH_CONNECTION")
	cmd.Flags().BoolVar(&worker, "worker", false, "carry a deploy out, apart from every connection")
	cmd.Flags().BoolVar(&adopt, "adopt", false, "make this release the one in force")
	cmd.Flags().StringVar(&patch, "patch", "", "make another release in `FOLDER` out of this one and the patch that is there")
	cmd.Flags().BoolVar(&proof, "proof", false, "tell the deploy that is under way that a new login got in")
	cmd.Flags().BoolVar(&deadMan, "dead-man", false, "take the deploy back that is under way, for no new login got in")
	return cmd
}

// readSettings tells the deploy what it needs to know of the settings, as the adapter itself reads them.
func readSettings(files converge.SettingsFiles) (converge.Settings, error) {
	cfg, err := config.Texts(files).Parse()
	if err != nil {
		return converge.Settings{}, explainField(err)
	}
	name, plain := cfg.TLSName, cfg.TLSName == config.TLSOff
	if plain {
		name = ""
	}
	return converge.Settings{
		Port: cfg.Port, MaxBody: cfg.MaxBody, DrainTimeout: cfg.DrainTimeout,
		TLSName: name, PlainChosen: plain, ACMEDirectory: cfg.ACMEDirectory.String(),
		Keys: len(cfg.Keys), ClientToken: cfg.Clients(), AdminToken: cfg.HasAdmin(), Exits: exits(cfg),
	}, nil
}

// exits are the ways to Gemini, each with the first key that goes by it.
func exits(cfg *config.Config) []converge.Exit {
	proxyOf := func(own *url.URL) string {
		if own == nil {
			own = cfg.ProxyURL
		}
		if own == nil {
			return ""
		}
		return own.String()
	}
	var all []converge.Exit
	add := func(proxy, key string) {
		if !slices.ContainsFunc(all, func(e converge.Exit) bool { return e.Proxy.Reveal() == proxy }) {
			all = append(all, converge.Exit{BaseURL: cfg.BaseURL.String(), Proxy: converge.NewSecret(proxy), Key: converge.NewSecret(key)})
		}
	}
	for _, key := range cfg.Keys {
		secret := key.Secret.Reveal()
		if secret == converge.StandInKey {
			secret = ""
		}
		add(proxyOf(key.Proxy), secret)
	}
	if len(all) == 0 {
		add(proxyOf(nil), "")
	}
	return all
}
