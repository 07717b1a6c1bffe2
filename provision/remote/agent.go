package remote

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

const (
	agentAnswer = 3 * time.Second // to list keys
	agentSign   = time.Minute     // a person may have to touch or confirm
)

// agentKey begins the names of keys that no file names.
const agentKey = "agent key"

// agentConn is a connection to the user's SSH agent; nil where there is none.
type agentConn struct {
	sock   net.Conn
	client agent.ExtendedAgent
	cancel func() bool
}

// dialAgent connects to the user's agent. It returns nil for a dead one too: the key files are still there. path is the one of
// IdentityAgent, or empty.
func dialAgent(ctx context.Context, path string) *agentConn {
	return firstAgent(ctx, agentPlaces(path, os.Getenv("SSH_AUTH_SOCK"), systemAgent), dialPlace)
}

// agentPlaces is where an agent may listen, the likeliest first. Where nothing else is set, Windows has a pipe of its own; a
// socket of Cygwin's, as Git Bash has it, cannot be dialled, and the pipe is behind it.
func agentPlaces(configured, environment, system string) []string {
	var places []string
	switch {
	case configured == "none":
		return nil
	case configured != "":
		return []string{configured}
	case environment != "" && environment != "none":
		places = append(places, environment)
	}
	if system != "" && environment != "none" {
		places = append(places, system)
	}
	return places
}

// isPipe reports whether a place is a named pipe of Windows, in either spelling.
func isPipe(place string) bool {
	return strings.HasPrefix(strings.ToLower(strings.ReplaceAll(place, "/", `\`)), `\\.\pipe\`)
}

// firstAgent is the first that takes a connection.
func firstAgent(ctx context.Context, places []string, dial func(context.Context, string) (net.Conn, error)) *agentConn {
	for _, place := range places {
		dialing, cancel := context.WithTimeout(ctx, agentAnswer)
		sock, err := dial(dialing, place)
		cancel()
		if err == nil {
			return &agentConn{sock: sock, client: agent.NewClient(sock),
				cancel: context.AfterFunc(ctx, func() { sock.Close() })}
		}
	}
	return nil
}

// keys lists what the agent holds, nothing where it does not answer in time.
func (a *agentConn) keys() []*identity {
	if a == nil || a.sock.SetDeadline(time.Now().Add(agentAnswer)) != nil {
		return nil
	}
	signers, err := a.client.Signers()
	if err != nil {
		return nil
	}
	var keys []*identity
	for _, signer := range signers {
		name := agentKey
		if key, ok := signer.PublicKey().(*agent.Key); ok && key.Comment != "" {
			name = fmt.Sprintf("%s %q", agentKey, key.Comment)
		}
		keys = append(keys, &identity{name: name, public: signer.PublicKey(), open: func() (ssh.AlgorithmSigner, error) {
			if err := a.sock.SetDeadline(time.Now().Add(agentSign)); err != nil {
				return nil, err
			}
			return asAlgorithmSigner(name, signer)
		}})
	}
	return keys
}

func (a *agentConn) close() {
	if a != nil {
		a.cancel()
		a.sock.Close()
	}
}
