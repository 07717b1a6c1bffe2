package provision

import (
	"context"
	"net"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/remote"
)

const glanceTime = 5 * time.Second // for an adapter that serves to answer from outside

// Answers asks a server's adapter from here, once, whether it is the release. The error says what came instead.
func Answers(ctx context.Context, host remote.Host, site converge.Site, release string) error {
	ctx, cancel := context.WithTimeout(ctx, glanceTime)
	defer cancel()
	door := outside(host, site)
	return askHealth(ctx, door.client, door.url, versionOf(release))
}

// Await waits until a server's adapter answers from here as the release.
func Await(ctx context.Context, host remote.Host, site converge.Site, release string) *Error {
	_, failed := awaitHealth(ctx, versionOf(release), outside(host, site))
	return failed
}

// outside is where clients find an adapter.
func outside(host remote.Host, site converge.Site) door {
	d := &deploy{Options: Options{Host: host}}
	d.reachBy(site)
	return d.newDoor(new(net.Dialer).DialContext)
}
