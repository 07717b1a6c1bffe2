package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/proxy"
	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
	"github.com/gemini-claude-adapter/gca/proxy/store"
)

func newServe(io *streams) *cobra.Command {
	var dir string
	var check, behindProxy, handover bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Be the adapter: answer Anthropic, OpenAI and Gemini clients from Google's Gemini API",
		Long: `serve answers Anthropic, OpenAI and Gemini clients from Google's Gemini API. Settings come from the environment and, with
--config-dir, from the files adapter.env, keys and tokens of that folder; the environment wins. Without client tokens it
listens on 127.0.0.1 alone.`,
		Example: "  GEMINI_API_KEYS=KEY1,KEY2,KEY3 gca serve\n  gca serve --config-dir /etc/gemini-adapter --check",
		Args:    args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(dir, behindProxy)
			if err != nil {
				return err
			}
			if check {
				return warnOfUnknown(io.err, cfg)
			}
			return serve(cmd.Context(), io, cfg, controlName(handover))
		},
	}
	cmd.Flags().StringVar(&dir, "config-dir", "", "read adapter.env, keys and tokens from `DIR`")
	cmd.Flags().BoolVar(&behindProxy, "behind-proxy", false, "others reach this through a proxy: client tokens are required even on loopback")
	cmd.Flags().BoolVar(&handover, "handover", false, "serve while another one on the same socket starts anew: the control socket is "+filepath.Base(control.HandoverSocket))
	cmd.Flags().BoolVar(&check, "check", false, "only check the settings: exit code 0 if they are good, else 2")
	return cmd
}

// warnOfUnknown names what has no effect: no fault, since another version may know it, but mostly a slip of the pen.
func warnOfUnknown(w io.Writer, cfg *config.Config) error {
	for _, name := range cfg.Unknown {
		if _, err := fmt.Fprintln(w, "warning: "+manage.UnknownSetting(name).Error()); err != nil {
			return err
		}
	}
	return nil
}

// explainField adds what to do about a line of keys or tokens that a later release may have written.
func explainField(err error) error {
	if !errors.Is(err, config.ErrField) {
		return err
	}
	return fmt.Errorf("%w\nhint: if a later gca wrote that line, stay with that one, or take out of the line what this one does not know", err)
}

func loadConfig(dir string, behindProxy bool) (*config.Config, error) {
	cfg, err := config.Load(config.Source{
		Env: os.LookupEnv, Dir: dir, Credentials: os.Getenv("CREDENTIALS_DIRECTORY"), StateDir: os.Getenv("STATE_DIRECTORY"), BehindProxy: behindProxy,
	})
	switch {
	case errors.Is(err, config.ErrNoKeys):
		return nil, &usageError{err.Error() + "\nhint: " + keysVariable + "=KEY1,KEY2,KEY3 gca serve; keys come from https://aistudio.google.com/apikey"}
	case err != nil:
		return nil, &usageError{explainField(err).Error()}
	}
	return cfg, nil
}

// controlName is the file of the control socket, in the unit's runtime folder.
func controlName(handover bool) string {
	if handover {
		return filepath.Base(control.HandoverSocket)
	}
	return filepath.Base(control.Socket)
}

// releaseName is the name of the folder that this program lies in, where that is a deployed release's.
func releaseName() string {
	exe, err := os.Executable()
	if err == nil {
		exe, err = filepath.EvalSymlinks(exe)
	}
	if dir := filepath.Dir(exe); err == nil && filepath.Base(filepath.Dir(dir)) == "releases" {
		return filepath.Base(dir)
	}
	return ""
}

func serve(ctx context.Context, io *streams, cfg *config.Config, socket string) error {
	level := &slog.LevelVar{}
	level.Set(cfg.LogLevel)
	log := slog.New(slog.NewJSONHandler(io.err, &slog.HandlerOptions{Level: level}))
	if len(cfg.Unknown) > 0 {
		log.Warn("settings that this version does not use", "names", strings.Join(cfg.Unknown, ", "))
	}
	kept := store.Open(cfg.StateURL, store.DefaultLimits(), log)
	err := serveFrom(ctx, cfg, log, level, kept, socket)
	if lost := kept.Close(); lost != nil {
		log.Error("the last of the state is lost", "error", lost.Error()) // and no reason to call the stop a failure
	}
	return err
}

// serveFrom serves with an open store.
func serveFrom(ctx context.Context, cfg *config.Config, log *slog.Logger, level *slog.LevelVar, kept store.Store, socket string) error {
	proxy.TuneGarbage(os.LookupEnv)
	server, err := proxy.New(cfg, proxy.Deps{Logger: log, Store: kept, Version: version, Release: releaseName(), Env: os.LookupEnv, Level: level})
	if err != nil {
		return err
	}
	l, err := listen(cfg)
	if err != nil {
		return err
	}
	controlled, cancel := context.WithCancel(context.WithoutCancel(ctx)) // while answers go on to their end, too
	defer cancel()
	ended, err := serveControl(controlled, server, socket)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	if err := provesItself(controlled, server); err != nil {
		return errors.Join(err, l.Close())
	}
	log.Info("listening", "address", l.Addr().String(), "keys", len(cfg.Keys), "client_tokens", len(cfg.Tokens), "version", version)
	if err := tell(daemon.SdNotifyReady); err != nil {
		return errors.Join(err, l.Close())
	}
	stopping := context.AfterFunc(ctx, func() {
		log.Info("stopping: no new connections, open answers go on", "limit", cfg.DrainTimeout.String())
		if err := tell(daemon.SdNotifyStopping); err != nil {
			log.Error("cannot tell systemd", "error", err.Error())
		}
	})
	defer stopping()
	err = server.Serve(ctx, l)
	cancel()
	return errors.Join(err, <-ended)
}

// provesItself has the server answer a question of its own before it takes a client's: another one may serve on the same socket,
// which is to go on with that if this one is sick. That no key is active is an answer too.
func provesItself(ctx context.Context, server *proxy.Server) error {
	status, _, err := server.AskHealth(ctx)
	if err == nil && status != http.StatusOK && status != http.StatusServiceUnavailable {
		err = fmt.Errorf("status %d", status)
	}
	if err != nil {
		return fmt.Errorf("the adapter does not answer itself at /health, so it takes no clients: %w", err)
	}
	return nil
}

// listen takes the socket that systemd hands over, or makes one.
func listen(cfg *config.Config) (net.Listener, error) {
	handed, err := activation.Listeners()
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot take the socket from systemd: %w", err)
	case len(handed) > 1:
		return nil, fmt.Errorf("systemd handed over %d sockets, expected one", len(handed))
	case len(handed) == 1:
		return handed[0], nil
	}
	l, err := net.Listen("tcp", cfg.Addr())
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w\nhint: another program may hold the port; choose one with PORT=8001", err)
	}
	return l, nil
}

// serveControl answers the operator's tool where systemd made a runtime folder for its socket. The channel delivers how that
// ended, after ctx.
func serveControl(ctx context.Context, server *proxy.Server, socket string) (<-chan error, error) {
	ended := make(chan error, 1)
	dir := os.Getenv("RUNTIME_DIRECTORY")
	if dir == "" {
		ended <- nil
		return ended, nil
	}
	l, err := control.Listen(filepath.Join(dir, socket))
	if err != nil {
		return nil, err
	}
	go func() { ended <- control.Serve(ctx, l, server) }()
	return ended, nil
}

// tell reports a state to systemd; without systemd it does nothing.
func tell(state string) error {
	if _, err := daemon.SdNotify(false, state); err != nil {
		return fmt.Errorf("cannot tell systemd %s: %w", state, err)
	}
	return nil
}
