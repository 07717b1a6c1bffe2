package provision

import (
	"context"
	"net/http"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/remote"
)

const glanceTime = 5 * time.Second // for an adapter that serves to answer from outside

// Answers asks a server's adapter from here, once, whether it is the release. The error says what came instead.
func Answers(ctx context.Context, host remote.Host, release string) error {
	ctx, cancel := context.WithTimeout(ctx, glanceTime)
	defer cancel()
	return askHealth(ctx, outside(), converge.Site{}.URL(host.Name()), versionOf(release))
}

// Await waits until a server's adapter answers from here as the release.
func Await(ctx context.Context, host remote.Host, release string) *Error {
	_, failed := awaitHealth(ctx, versionOf(release), door{url: converge.Site{}.URL(host.Name()), client: outside()})
	return failed
}

// outside asks anew each time: after a change nothing of before counts.
func outside() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: healthTime / 3}
}
