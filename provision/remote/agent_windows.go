package remote

import (
	"context"
	"net"

	"github.com/Microsoft/go-winio"
)

// systemAgent is the pipe of the agent that Windows brings, a service named ssh-agent.
const systemAgent = `\\.\pipe\openssh-ssh-agent`

func dialPlace(ctx context.Context, place string) (net.Conn, error) {
	if isPipe(place) {
		return winio.DialPipeContext(ctx, place)
	}
	return new(net.Dialer).DialContext(ctx, "unix", place)
}
