// Package clienttest starts real adapters for the tests of the user's side: the whole proxy, with the fake of Gemini behind it.
package clienttest

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/url"

	"github.com/gemini-claude-adapter/gca/proxy"
	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/store"
)

// What the adapter's clients may show.
const (
	Token      = "gca-client-token-of-the-tests"
	AdminToken = "gca-admin-token-of-the-tests"
)

// Keys are what the fake accepts.
func Keys() []string { return []string{"AIzaSy-user-side-one-1111", "AIzaSy-user-side-two-2222"} }

// TB is what Start needs of a *testing.T.
type TB interface {
	fakegemini.TB
	Errorf(format string, args ...any)
}

// Adapter is one that serves until the test ends.
type Adapter struct {
	URL  string
	Fake *fakegemini.Server
}

// Start serves an adapter with two keys, the token laptop and an admin token. At the end it must have stopped in order, and the
// fake must have refused nothing.
func Start(tb TB) *Adapter {
	tb.Helper()
	fake, base := fakegemini.Start(tb, fakegemini.Options{Keys: Keys()})
	cfg := config.Default()
	var err error
	if cfg.BaseURL, err = url.Parse(base); err != nil {
		tb.Fatalf("%v", err)
	}
	cfg.Host = "127.0.0.1"
	cfg.Tokens = []config.Token{{Name: "laptop", Hash: config.HashToken(Token)}, {Name: "admin", Hash: config.HashToken(AdminToken), Admin: true}}
	for i, key := range Keys() {
		cfg.Keys = append(cfg.Keys, config.Key{Secret: config.NewSecret(key), Label: []string{"one", "two"}[i]})
	}
	log := slog.New(slog.NewJSONHandler(io.Discard, nil))
	kept := store.Open(cfg.StateURL, store.DefaultLimits(), log)
	server, err := proxy.New(cfg, proxy.Deps{Logger: log, Store: kept, Version: "1.2.3"})
	if err != nil {
		tb.Fatalf("%v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, l) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("the adapter ended with %v", err)
		}
		if err := kept.Close(); err != nil {
			tb.Errorf("%v", err)
		}
		for _, refusal := range fake.Refusals() {
			tb.Errorf("Gemini would have refused: %s", refusal.Reason)
		}
	})
	return &Adapter{"http://" + l.Addr().String(), fake}
}
