package provision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	healthTime  = 30 * time.Second // until the adapter must answer from outside
	healthPause = 500 * time.Millisecond
)

// sshAnswers makes a new connection to the SSH port and waits for the server's greeting: the one that a deploy runs over
// stays up even behind a firewall that lets nobody in any more.
func sshAnswers(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })() // ends the reading below
	greeting := make([]byte, len("SSH-"))
	if err = conn.SetReadDeadline(time.Now().Add(healthTime)); err == nil {
		_, err = io.ReadFull(conn, greeting)
	}
	if err = errors.Join(err, conn.Close()); err == nil && string(greeting) != "SSH-" {
		err = fmt.Errorf("%s greets with %q", addr, greeting)
	}
	return err
}

type health struct {
	Status  string `json:"status"`
	Version string `json:"version"`
}

// awaitHealth asks the adapter from here, through Nginx, until it answers as the wanted version. An unhealthy adapter counts:
// its keys may rest, and that is no fault of the deploy.
func awaitHealth(ctx context.Context, url, version string) *Error {
	deadline, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: healthTime / 3}
	for {
		err := askHealth(deadline, client, url, version)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(healthPause):
		case <-deadline.Done():
			return &Error{Kind: KindRolledBack, Message: fmt.Sprintf("the adapter does not answer at %s from here", url), Err: err,
				Hint: "if it answers on the server (curl http://127.0.0.1/health), open TCP port 80 in your provider's firewall, then deploy again"}
		}
	}
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
