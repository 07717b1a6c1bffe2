// Package fetch gets what clients name by URL, so that Gemini gets it as data. The addresses come from strangers, or from
// pages that a model has read: nothing that is not on the public internet is asked, and everything has a bound.
//
// Flow: Resolve walks a request; each address once through get; its data replaces the address.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	maxRedirects = 3
	maxHeader    = 64 << 10
	everywhere   = 32 // fetches of all requests together
)

// Options are a Fetcher's settings. The zero value of each has the default that is named.
type Options struct {
	Allowed   func(netip.Addr) bool // which addresses may be dialled; nil is Public ones of other machines
	MaxBytes  int64                 // of one address, 20 MB
	MaxTotal  int64                 // of all parts of a request, 50 MB: what two parts name counts twice
	MaxCount  int                   // addresses in a request, 100
	Parallel  int                   // fetches of a request at a time, 8
	Timeout   time.Duration         // of one address, redirects included, 10 s
	MaxTime   time.Duration         // of all addresses of a request, 20 s: clients bear no longer silence
	UserAgent string
}

// Fetcher gets what addresses name. It is safe for concurrent use.
type Fetcher struct {
	o      Options
	client *http.Client
	slots  chan struct{}
}

// New makes a Fetcher. It never uses a proxy, whatever the environment says, and keeps no connections.
func New(o Options) *Fetcher {
	o = o.complete()
	dialer := &net.Dialer{Timeout: o.Timeout, ControlContext: func(ctx context.Context, _, address string, _ syscall.RawConn) error {
		// here the name is resolved: what is looked at is what is dialled
		to, err := netip.ParseAddrPort(address)
		if err != nil || !o.Allowed(to.Addr()) {
			return errNotPublic
		}
		if found, ok := ctx.Value(foundKey{}).(*atomic.Bool); ok {
			found.Store(true)
		}
		return nil
	}}
	return &Fetcher{
		o:     o,
		slots: make(chan struct{}, everywhere),
		client: &http.Client{
			CheckRedirect: checkRedirect,
			Transport: &http.Transport{
				DialContext:            dialer.DialContext,
				TLSHandshakeTimeout:    o.Timeout,
				DisableKeepAlives:      true,
				DisableCompression:     true, // what is small here may be huge once unpacked
				MaxResponseHeaderBytes: maxHeader,
				ForceAttemptHTTP2:      true,
			},
		},
	}
}

func (o Options) complete() Options {
	if o.Allowed == nil {
		o.Allowed = func(a netip.Addr) bool { return Public(a) && !ours(a) }
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 20 << 20
	}
	if o.MaxTotal == 0 {
		o.MaxTotal = 50 << 20
	}
	if o.MaxCount == 0 {
		o.MaxCount = 100
	}
	if o.Parallel == 0 {
		o.Parallel = 8
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.MaxTime == 0 {
		o.MaxTime = 20 * time.Second
	}
	return o
}

// foundKey is where a fetch's context has the *atomic.Bool that tells whether its host was found on the public internet.
type foundKey struct{}

// problem is why an address gave nothing, in words for the client that hold no part of the address.
type problem struct {
	words string
	final bool // nobody else shall try: it is the request's fault, or nobody knows that the host is a public one
	large bool // it is more than there was room for
}

func (p *problem) Error() string { return p.words }

var (
	errNotPublic = &problem{words: "the address is not a public one", final: true}
	errNoHost    = &problem{words: "the host has no address", final: true}
	errScheme    = &problem{words: "expected a URL that begins with https:// or http://", final: true}
	errUser      = &problem{words: "expected a URL without a user name and a password", final: true}
	errRedirects = &problem{words: fmt.Sprintf("it redirects more than %d times", maxRedirects), final: false}
	errEncoded   = &problem{words: "the server sent it compressed", final: false}
	errEmpty     = &problem{words: "the server sent nothing", final: false}
	errSlow      = &problem{words: "it did not arrive in time", final: false}
)

// checkRedirect bounds redirects and holds them to the rules of addresses; where they lead is checked as it is dialled.
func checkRedirect(req *http.Request, via []*http.Request) error {
	req.Header.Del("Referer") // an address may be a secret of its own
	if len(via) > maxRedirects {
		return errRedirects
	}
	return checkURL(req.URL)
}

func checkURL(u *url.URL) error {
	switch {
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "":
		return errScheme
	case u.User != nil:
		return errUser
	}
	return nil
}

// medium is what an address gave.
type medium struct {
	mimeType string
	data     []byte
}

// get gets one address, limit bytes at most. The error is a *problem.
func (f *Fetcher) get(ctx context.Context, address string, limit int64) (*medium, error) {
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-ctx.Done():
		return nil, &problem{words: f.explain(ctx, ctx.Err()).words, final: true}
	}
	ctx, cancel := context.WithTimeout(ctx, f.o.Timeout)
	defer cancel()
	var found atomic.Bool
	m, err := f.do(context.WithValue(ctx, foundKey{}, &found), address, min(limit, f.o.MaxBytes))
	if err == nil {
		return m, nil
	}
	why := *f.explain(ctx, err)
	why.final = why.final || !found.Load()
	return nil, &why
}

func (f *Fetcher) do(ctx context.Context, address string, limit int64) (*medium, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errScheme
	}
	if err := checkURL(u); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errScheme
	}
	req.Header.Set("User-Agent", f.o.UserAgent)
	req.Header.Set("Accept", "*/*")
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // what was read counts
	tooLarge := &problem{words: fmt.Sprintf("it is larger than %d bytes", limit), large: true}
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, &problem{words: fmt.Sprintf("the server answered with status %d", resp.StatusCode)}
	case resp.Header.Get("Content-Encoding") != "" && !strings.EqualFold(resp.Header.Get("Content-Encoding"), "identity"):
		return nil, errEncoded
	case resp.ContentLength > limit:
		return nil, tooLarge
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(data)) > limit:
		return nil, tooLarge
	case len(data) == 0:
		return nil, errEmpty
	}
	mimeType, ok := typeOf(resp.Header.Get("Content-Type"), address, data)
	if !ok {
		return nil, &problem{words: "Gemini does not take its type (" + printable(mimeType) + "): expected an image, a PDF, text, audio or video", final: true}
	}
	return &medium{mimeType, data}, nil
}

// explain finds the words for an error, which itself may hold the address.
func (f *Fetcher) explain(ctx context.Context, err error) *problem {
	var known *problem
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &dns) && dns.IsNotFound:
		return errNoHost
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return errSlow
	case ctx.Err() != nil:
		return &problem{words: "the request was called off"}
	case errors.As(err, &dns):
		return errNoHost
	}
	return &problem{words: "the connection failed"}
}

// printable keeps a stranger's text short and plain.
func printable(s string) string {
	if len(s) > 60 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+-/_") != "" {
		return "unknown"
	}
	return s
}
