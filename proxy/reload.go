package proxy

import (
	"net/url"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// Reload puts the settings of texts in force while requests are under way: those go on with what they began with, and with the
// keys that they hold. Texts that would not do for a start change nothing; the error is a *control.Refusal, and no secret is in
// it.
func (s *Server) Reload(texts config.Texts) (control.Reloaded, error) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	env := s.deps.Env
	if env == nil {
		env = func(string) (string, bool) { return "", false }
	}
	r, err := s.settings().Reload(texts, env)
	if err != nil {
		return control.Reloaded{}, &control.Refusal{Code: control.Invalid, Message: err.Error()}
	}
	if len(r.Changed) > 0 {
		s.adopt(r.Config)
		s.log.Info("settings reloaded", "changed", strings.Join(r.Changed, ", "), "after_restart", strings.Join(r.Restart, ", "))
	}
	return control.Reloaded{Changed: r.Changed, Restart: r.Restart}, nil
}

// adopt swaps everything that was made of the settings. The keys come first: tokens that are let in anew find them.
func (s *Server) adopt(cfg *config.Config) {
	s.pool.Replace(cfg.Keys, s.poolOptions(cfg))
	s.upstream.Keep(proxiesOf(cfg.Keys))
	s.models.configure(cfg.ModelMap)
	s.upstream.Wait(cfg.RequestTimeout, cfg.StreamIdleTimeout)
	s.live.Store(cfg)
	s.tokens.Store(newGate(cfg))
	if s.deps.Level != nil {
		s.deps.Level.Set(cfg.LogLevel)
	}
}

func (s *Server) poolOptions(cfg *config.Config) keys.Options {
	return keys.Options{
		MaxFailures: cfg.MaxFailures, CoolingPeriod: cfg.CoolingPeriod, Keeper: meteredKeeper{s.deps.Store, s.meters}, Log: s.log,
	}
}

// proxiesOf lists the egress proxies that keys name.
func proxiesOf(all []config.Key) (proxies []*url.URL) {
	for _, key := range all {
		if key.Proxy != nil {
			proxies = append(proxies, key.Proxy)
		}
	}
	return proxies
}
