package converge

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	healthTime  = 30 * time.Second
	healthTry   = 5 * time.Second
	healthPause = 150 * time.Millisecond
	healthBody  = 64 << 10 // bytes read of an answer
)

const webCheck = "web"

// WebCheck is the ID of the step that has the adapter's answer through Nginx, on the server itself.
const WebCheck = string(KindCheck) + ":" + webCheck

// healthStep waits for the adapter's own answer at an address.
type healthStep struct {
	address string // host:port; empty is where Nginx answers
	what    string // in words
	tls     string // name of the certificate that Nginx shows; empty is plain HTTP
}

func (healthStep) before(context.Context, *run) (reversal, error) { return reversal{}, nil }

func (st healthStep) apply(ctx context.Context, r *run) error {
	waiting, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	for {
		err := st.ask(waiting, &r.sys.reader)
		if err == nil {
			return nil
		}
		select {
		case <-waiting.Done():
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return unitError(ctx, r.sys, serviceUnit, fmt.Errorf("%s is not healthy after %s: %w", st.what, healthTime, err))
		case <-time.After(healthPause):
		}
	}
}

// LocalTransport asks Nginx on this machine, at host:port, whatever DNS says. Its certificate must be for the name or the IP
// address; whether it is one that
// clients trust is for them to say, and the laptop is one.
func LocalTransport(name, address string) *http.Transport {
	return &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(state tls.ConnectionState) error {
			return state.PeerCertificates[0].VerifyHostname(name)
		}},
	}
}

// ask asks once.
func (st healthStep) ask(ctx context.Context, s *reader) error {
	_, err := st.status(ctx, s)
	return err
}

// status is what the adapter says of itself: healthy, degraded or unhealthy.
func (st healthStep) status(ctx context.Context, s *reader) (string, error) {
	address := st.address
	if address == "" {
		address = s.web
	}
	url, transport := "http://"+address, &http.Transport{DisableKeepAlives: true}
	if st.tls != "" {
		url, transport = Site{TLS: st.tls}.URL(""), LocalTransport(st.tls, s.secure)
	}
	return askHealth(ctx, &http.Client{Transport: transport, Timeout: healthTry}, url+"/health")
}

func (healthStep) check(context.Context, *run) error { return nil }

// askHealth wants the adapter's own words: 200, or 503 when it runs and has no usable key.
func askHealth(ctx context.Context, client *http.Client, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, healthBody))
	if closeErr := resp.Body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return "", err
	}
	var health struct {
		Status string `json:"status"`
	}
	known := resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusServiceUnavailable
	if err := json.Unmarshal(body, &health); err != nil || !known || health.Status == "" {
		return "", fmt.Errorf("%s answers %s, which is not the adapter", url, resp.Status)
	}
	return health.Status, nil
}
