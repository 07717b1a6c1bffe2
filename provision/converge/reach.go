package converge

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Exit is one way of the adapter to Gemini.
type Exit struct {
	BaseURL string // of the API
	Proxy   Secret // URL of the proxy to go out by, which may hold a password; empty is straight
	Key     Secret // one that goes this way; empty where there is none yet
}

const (
	exitTime  = 10 * time.Second
	reachBody = 64 << 10 // bytes read of an answer
	maxExits  = 8        // that are tried

	regionWords = "location is not supported"
)

// reach tries the ways out to Gemini, side by side. Without a key it learns whether an answer comes at all.
func reach(ctx context.Context, exits []Exit) []Finding {
	exits = exits[:min(len(exits), maxExits)]
	found := make([]*Finding, len(exits))
	ctx, cancel := context.WithTimeout(ctx, exitTime)
	defer cancel()
	var wg sync.WaitGroup
	for i, exit := range exits {
		wg.Go(func() { found[i] = exit.try(ctx) })
	}
	wg.Wait()
	var all []Finding
	refused := 0
	for _, f := range found {
		if f != nil {
			all = append(all, *f)
			if f.ID == string(RefusedRegion) {
				refused++
			}
		}
	}
	for i := range all {
		if all[i].ID == string(RefusedRegion) && refused == len(exits) {
			all[i].Level = LevelRefuse // nothing can be answered by any way
		}
	}
	return all
}

// try asks for the list of models, which costs nothing.
func (e Exit) try(ctx context.Context) *Finding {
	base, err := url.Parse(e.BaseURL)
	if err != nil {
		return nil // what is no URL the settings refuse
	}
	transport := &http.Transport{DisableKeepAlives: true}
	if !e.Proxy.Empty() {
		proxy, err := url.Parse(e.Proxy.Reveal())
		if err != nil {
			return nil
		}
		transport.Proxy = http.ProxyURL(proxy)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath("v1beta/models").String()+"?pageSize=1", nil)
	if err != nil {
		return nil
	}
	if !e.Key.Empty() {
		req.Header.Set("x-goog-api-key", e.Key.Reveal())
	}
	// What an answer leads to is not told the key.
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return e.lost(base, err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, reachBody))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return e.lost(base, err)
	}
	if resp.StatusCode == http.StatusBadRequest && strings.Contains(string(body), regionWords) {
		return &Finding{ID: string(RefusedRegion), Level: LevelWarn, What: "Google refuses Gemini to this server's region" + e.by(), Means: "no key gets an answer this way",
			Cure: "rent a server in a region of https://ai.google.dev/gemini-api/docs/available-regions, or go out by a proxy there: proxy=http://HOST:PORT behind each key in --keys-file FILE"}
	}
	return nil
}

// by names the proxy, without what may be secret in its URL.
func (e Exit) by() string {
	if proxy, err := url.Parse(e.Proxy.Reveal()); err == nil && proxy.Host != "" {
		return " through the proxy " + proxy.Host
	}
	return ""
}

// lost says why no answer came.
func (e Exit) lost(base *url.URL, err error) *Finding {
	const means = "the adapter cannot ask Gemini anything"
	asked, ok := errors.AsType[*url.Error](err)
	if ok {
		err = asked.Err
	}
	lookup, noName := errors.AsType[*net.DNSError](err)
	invalid, untimely := errors.AsType[x509.CertificateInvalidError](err)
	f := &Finding{ID: "egress", Level: LevelWarn, What: fmt.Sprintf("%s cannot be reached from the server%s: %s", base.Host, e.by(), plainly(err)), Means: means,
		Cure: "curl -sS -o /dev/null -w '%{http_code}\\n' " + base.String() + "   # on the server; see what its provider and its firewall let out"}
	switch {
	case noName:
		f.ID, f.What = "dns", fmt.Sprintf("the server cannot find the address of %s", lookup.Name)
		f.Cure = "cat /etc/resolv.conf; resolvectl status   # see which name server it asks, then: getent hosts " + lookup.Name
	case untimely && invalid.Reason == x509.Expired:
		f.ID, f.Cure = "clock", "timedatectl set-ntp true && timedatectl   # certificates are good for a time"
	}
	return f
}

// plainly is an error in one line; of a time that was up, in words.
func plainly(err error) string {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %.0f s", exitTime.Seconds())
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
