package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Probe is what a look at every hop of the way to an adapter found; its JSON form is schema 1. After a failure it has what was
// found until then.
type Probe struct {
	Schema   int          `json:"schema"`
	OK       bool         `json:"ok"`
	URL      string       `json:"url"`
	Address  string       `json:"address,omitempty"` // what was connected to
	Proxy    string       `json:"proxy,omitempty"`   // of the environment, without its credentials
	LookupMS float64      `json:"lookup_ms,omitempty"`
	ConnMS   float64      `json:"connect_ms,omitempty"`
	TLS      *Certificate `json:"tls,omitempty"`
	HealthMS float64      `json:"health_ms,omitempty"`
	Health   *Health      `json:"health,omitempty"`
	Who      *Who         `json:"who,omitempty"`
	Answer   *Timing      `json:"answer,omitempty"`
	Failed   *Failure     `json:"failed,omitempty"`
}

// Certificate is what the server showed.
type Certificate struct {
	Version string    `json:"version"` // TLS 1.3
	Issuer  string    `json:"issuer"`
	Expires time.Time `json:"expires"`
	MS      float64   `json:"handshake_ms"`
}

// Who is whom the adapter takes this user for.
type Who struct {
	Token string `json:"token"` // its name, "" where none is asked
	Admin bool   `json:"admin"`
}

// Timing is how fast an answer was.
type Timing struct {
	Model   string  `json:"model"`
	FirstMS float64 `json:"first_text_ms"`
	TotalMS float64 `json:"total_ms"`
	Input   int     `json:"input_tokens"`
	Output  int     `json:"output_tokens"`
}

// Failure is the hop that broke, in words.
type Failure struct {
	Hop     string `json:"hop"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

const probeQuestion = "Answer with one short sentence: does this connection work?"

func millis(d time.Duration) float64 {
	return float64(d.Round(100*time.Microsecond)) / float64(time.Millisecond)
}

// Probe looks at every hop in turn: name, network, certificate, adapter, token, and one real streamed answer of a model. found is
// told of each as soon as it is known. The error is that of the hop that broke.
func (c *Client) Probe(ctx context.Context, model string, found func(hop, text string)) (*Probe, error) {
	p := &Probe{Schema: 1, URL: c.Profile.URL}
	err := c.probe(ctx, p, model, found)
	p.OK = err == nil
	if err != nil {
		message, hint, _ := strings.Cut(err.Error(), "\nhint: ")
		p.Failed = &Failure{Hop: hopOf(err), Message: message, Hint: hint}
	}
	return p, err
}

func hopOf(err error) string {
	switch e := err.(type) {
	case *Error:
		return e.Hop
	case *ExposedError:
		return HopTLS
	}
	return HopNetwork
}

func (c *Client) probe(ctx context.Context, p *Probe, model string, found func(hop, text string)) error {
	t := &trace{}
	begun := time.Now()
	health, err := c.Health(httptrace.WithClientTrace(ctx, t.hooks()))
	p.HealthMS = millis(time.Since(begun))
	p.Proxy = proxyOf(c.Profile.URL)
	t.tell(p, found)
	if err != nil {
		return err
	}
	p.Health = &health
	found("connected", fmt.Sprintf("%s, version %s", p.URL, health.Version))
	found("status", health.Status)
	found("active keys", fmt.Sprintf("%d/%d", health.ActiveKeys, health.TotalKeys))
	who, err := c.Who(ctx)
	if err != nil {
		return err
	}
	p.Who = &who
	found(HopToken, who.String())
	answer, err := c.Ask(ctx, Simple(model, probeQuestion), func(string) {})
	if err != nil {
		return err
	}
	p.Answer = &Timing{answer.Model, millis(answer.FirstText), millis(answer.Total), answer.Input, answer.Output}
	found("answer", fmt.Sprintf("%s, first text after %s, whole after %s, %d tokens in, %d out", answer.Model,
		answer.FirstText.Round(time.Millisecond), answer.Total.Round(time.Millisecond), answer.Input, answer.Output))
	return nil
}

// String says who that is.
func (w Who) String() string {
	switch {
	case w.Admin && w.Token == "":
		return "none is asked here"
	case w.Admin:
		return "accepted: the admin token, for everything"
	case w.Token == "":
		return "none is asked"
	}
	return "accepted: " + w.Token
}

// whoReply reads both forms of /stats.
type whoReply struct {
	Health string `json:"health"` // an admin's
	Token  string `json:"token"`
}

// Who asks whom the adapter takes this user for, which costs nothing.
func (c *Client) Who(ctx context.Context) (Who, error) {
	var reply whoReply
	if err := c.get(ctx, "/stats", &reply); err != nil {
		return Who{}, err
	}
	w := Who{Token: reply.Token, Admin: reply.Health != ""}
	if w.Admin && c.Profile.Token != "" {
		w.Token = "admin"
	}
	return w, nil
}

// get asks for what is read with the token and costs nothing.
func (c *Client) get(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, shortTime, errLate)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Profile.URL+path, nil)
	if err != nil {
		return err
	}
	if err := c.authorize(req); err != nil {
		return err
	}
	resp, err := c.do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // what was read counts
	if resp.StatusCode != http.StatusOK {
		return c.statusError(resp)
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, maxStats)).Decode(into); err != nil {
		return &Error{Hop: HopAdapter, Status: resp.StatusCode, Message: fmt.Sprintf("%s%s cannot be read: %v", c.Profile.URL, path, err), Hint: "gca upgrade, should its release be another one than this"}
	}
	return nil
}

// maxStats bounds the figures of a year, by day, token, key and model, in bytes.
const maxStats = 128 << 20

// proxyOf is the proxy of the environment for an address, without its credentials.
func proxyOf(address string) string {
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return ""
	}
	proxy, err := http.ProxyFromEnvironment(req)
	if err != nil || proxy == nil {
		return ""
	}
	return (&url.URL{Scheme: proxy.Scheme, Host: proxy.Host}).String()
}

// trace takes the times of a connection's parts. Two addresses may be tried at once.
type trace struct {
	mu                         sync.Mutex
	begun                      time.Time
	lookup, connect, handshake time.Duration
	looked                     bool
	address                    string
	tls                        *tls.ConnectionState
}

func (t *trace) hooks() *httptrace.ClientTrace {
	since := func(to *time.Duration) {
		*to, t.begun = time.Since(t.begun), time.Now()
	}
	locked := func(f func()) {
		t.mu.Lock()
		defer t.mu.Unlock()
		f()
	}
	return &httptrace.ClientTrace{
		GetConn: func(string) { locked(func() { t.begun = time.Now() }) },
		DNSDone: func(i httptrace.DNSDoneInfo) { locked(func() { since(&t.lookup); t.looked = i.Err == nil }) },
		ConnectDone: func(_, address string, err error) {
			locked(func() {
				if err == nil && t.address == "" {
					since(&t.connect)
					t.address = address
				}
			})
		},
		TLSHandshakeDone: func(state tls.ConnectionState, err error) {
			locked(func() {
				if err == nil {
					since(&t.handshake)
					t.tls = &state
				}
			})
		},
	}
}

// tell says what the trace found.
func (t *trace) tell(p *Probe, found func(hop, text string)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p.Address, p.LookupMS, p.ConnMS = t.address, millis(t.lookup), millis(t.connect)
	if t.looked && t.address != "" {
		found(HopName, fmt.Sprintf("looked up in %s", t.lookup.Round(time.Millisecond)))
	}
	if t.address != "" {
		text := fmt.Sprintf("%s, reached in %s", t.address, t.connect.Round(time.Millisecond))
		if p.Proxy != "" {
			text = fmt.Sprintf("%s, the proxy of your environment, reached in %s", t.address, t.connect.Round(time.Millisecond))
		}
		found(HopNetwork, text)
	}
	if t.tls == nil || len(t.tls.PeerCertificates) == 0 {
		return
	}
	leaf := t.tls.PeerCertificates[0]
	p.TLS = &Certificate{tls.VersionName(t.tls.Version), issuer(leaf.Issuer.Organization, leaf.Issuer.CommonName), leaf.NotAfter, millis(t.handshake)}
	found(HopTLS, fmt.Sprintf("%s, certificate of %s, good for %d more days", p.TLS.Version, p.TLS.Issuer, int(time.Until(leaf.NotAfter).Hours()/24)))
}

func issuer(organization []string, name string) string {
	return cmp.Or(strings.Join(organization, ", "), name, "an unnamed authority")
}
