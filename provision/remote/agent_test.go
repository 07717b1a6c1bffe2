package remote

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net"
	"slices"
	"testing"

	"golang.org/x/crypto/ssh/agent"
)

func TestAgentPlaces(t *testing.T) {
	const pipe = `\\.\pipe\openssh-ssh-agent`
	f := func(configured, environment, system string, want ...string) {
		t.Helper()
		if got := agentPlaces(configured, environment, system); !slices.Equal(got, want) {
			t.Errorf("%q, %q, %q: %q, want %q", configured, environment, system, got, want)
		}
	}
	f("", "/run/agent.sock", "", "/run/agent.sock")
	f("", "", "")
	f("", "none", "")
	f("none", "/run/agent.sock", pipe)
	f("/run/other.sock", "/run/agent.sock", pipe, "/run/other.sock")
	f("", "", pipe, pipe)
	f("", "none", pipe)
	f("", "/tmp/ssh-abc/agent.7", pipe, "/tmp/ssh-abc/agent.7", pipe)
}

func TestIsPipe(t *testing.T) {
	f := func(place string, want bool) {
		t.Helper()
		if got := isPipe(place); got != want {
			t.Errorf("%s: %v", place, got)
		}
	}
	f(`\\.\pipe\openssh-ssh-agent`, true)
	f("//./pipe/openssh-ssh-agent", true)
	f(`\\.\PIPE\pageant.me.1234`, true)
	f("/run/user/1000/agent.sock", false)
	f(`C:\Users\me\agent.sock`, false)
	f("", false)
}

// The first place that takes a connection is the agent, whatever kind of connection it gives.
func TestFirstAgent(t *testing.T) {
	keyring := agent.NewKeyring()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := keyring.Add(agent.AddedKey{PrivateKey: private, Comment: "of the pipe"}); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	var tried []string
	dial := func(_ context.Context, place string) (net.Conn, error) {
		tried = append(tried, place)
		if place != "the pipe" {
			return nil, errors.New("nobody listens there")
		}
		laptop, far := net.Pipe()
		go func() { served <- agent.ServeAgent(keyring, far) }()
		return laptop, nil
	}
	a := firstAgent(t.Context(), []string{"a dead socket", "the pipe", "another one"}, dial)
	keys := a.keys()
	if len(keys) != 1 || keys[0].name != `agent key "of the pipe"` || !slices.Equal(tried, []string{"a dead socket", "the pipe"}) {
		t.Errorf("%d keys, tried %q", len(keys), tried)
	}
	a.close()
	<-served
	if a := firstAgent(t.Context(), []string{"a dead socket"}, dial); a != nil {
		t.Error("an agent where there is none")
	}
}
