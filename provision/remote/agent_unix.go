//go:build !windows

package remote

import (
	"context"
	"net"
)

// systemAgent is where an agent listens that nobody named: nowhere.
const systemAgent = ""

func dialPlace(ctx context.Context, place string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", place)
}
