package remote

import (
	"context"
	"fmt"
	"net"
	"os"
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

// dialAgent connects to the socket, that of SSH_AUTH_SOCK where it is empty. It
// returns nil for a dead one too: the key files are still there.
func dialAgent(ctx context.Context, path string) *agentConn {
	if path == "" {
		path = os.Getenv("SSH_AUTH_SOCK")
	}
	if path == "" || path == "none" {
		return nil
	}
	dialer := net.Dialer{Timeout: agentAnswer}
	sock, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil
	}
	return &agentConn{sock: sock, client: agent.NewClient(sock),
		cancel: context.AfterFunc(ctx, func() { sock.Close() })}
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
