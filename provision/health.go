package provision

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	healthTime  = 30 * time.Second // until the adapter must answer from outside
	healthPause = 500 * time.Millisecond
)

type health struct {
	Status  string `json:"status"`
	Version string `json:"version"`
}

// beginHealth asks for the adapter's answer as the wanted version, beside what else goes on, until ctx ends. The function
// that it returns waits for what comes of it, and says where it was heard if that was not from here.
func (d *deploy) beginHealth(ctx context.Context, version string) (await func() *Error) {
	doors, asked := d.doors(), 0
	var failed *Error
	var asking sync.WaitGroup
	asking.Go(func() { asked, failed = awaitHealth(ctx, version, doors...) })
	return func() *Error {
		asking.Wait()
		if failed == nil {
			d.heardAt(ctx, doors[asked])
		}
		return failed
	}
}

// awaitHealth asks the adapter, through Nginx, until it answers as the wanted version, and returns at which door it did. An
// unhealthy adapter counts: its keys may rest, and that is no fault of the deploy.
func awaitHealth(ctx context.Context, version string, doors ...door) (int, *Error) {
	deadline, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	for {
		var first error
		for i, door := range doors {
			err := askHealth(deadline, door.client, door.url, version)
			if err == nil {
				return i, nil
			}
			if i == 0 {
				first = err
			}
		}
		select {
		case <-time.After(healthPause):
		case <-deadline.Done():
			return 0, &Error{Kind: KindRolledBack, Message: fmt.Sprintf("the adapter does not answer at %s from here", doors[0].url), Err: unheard(first), Hint: hintOf(first, doors[0].url)}
		}
	}
}

// unheard says in words why no answer came; what came instead of the adapter's answer stays as it is.
func unheard(err error) error {
	var asked *url.Error
	switch {
	case !errors.As(err, &asked):
		return err
	case asked.Timeout():
		return &silence{fmt.Sprintf("no answer within %.0f s", healthTime.Seconds())}
	case untrusted(asked) != nil:
		return untrusted(asked)
	}
	return &silence{asked.Err.Error()}
}

// untrusted is that who answered showed a certificate which does not do, or nil.
func untrusted(err error) error {
	if wrong, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return wrong
	}
	return nil
}

// hintOf says what to look at where no answer came from url.
func hintOf(err error, url string) string {
	switch {
	case untrusted(err) != nil:
		return "if the certificate is of a private CA, name its root: --acme-root FILE; if it is another server's, something else answers at this address"
	case strings.HasPrefix(url, "https:"):
		return "if it answers on the server (gemini-manage status there), open TCP ports 80 and 443 in your provider's firewall, then deploy again"
	}
	return "if it answers on the server (curl http://127.0.0.1/health), open TCP port 80 in your provider's firewall, then deploy again"
}

// nothingCame reports whether no answer came at all, not even one of somebody else.
func nothingCame(err error) bool {
	_, ok := errors.AsType[*silence](unheard(err))
	return ok
}

// silence is that nothing came back at all.
type silence struct{ message string }

func (e *silence) Error() string { return e.message }

// heardInside says what is known where the server's own look at the adapter, through Nginx, went well: what is put back
// cannot be looked at any more. closed is how a firewall of the server's own keeps clients out, as far as that is known.
func (e *Error) heardInside(port, closed string) *Error {
	if untrusted(e.Err) != nil {
		return e
	}
	e.Hint = "it answered on the server itself, but something else answers at this address: see that the address is this server's, then deploy again"
	var nothing *silence
	if !errors.As(e.Err, &nothing) {
		return e
	}
	e.Hint = "it answered on the server itself, so something in between stops TCP port " + port + ": open it in your provider's firewall, then deploy again"
	if closed != "" {
		e.Hint = "it answered on the server itself, and a firewall there may keep you out: " + closed + "\n      then deploy again"
	}
	return e
}

func askHealth(ctx context.Context, client *http.Client, url, version string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/health", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	var h health
	if err := json.Unmarshal(body, &h); err != nil || h.Status == "" {
		return fmt.Errorf("%s came instead of the adapter's answer", resp.Status)
	}
	if h.Version != version {
		return fmt.Errorf("version %s answers instead of %s", h.Version, version)
	}
	return nil
}
