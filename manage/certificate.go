package manage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// CertTimer is the unit that looks whether the certificate is due.
const CertTimer = "gemini-adapter-cert.timer"

// CertReport is what `cert status` shows; its JSON form is schema 1. Without a name the adapter speaks plain HTTP, and nothing
// else is there.
type CertReport struct {
	Schema     int                     `json:"schema"`
	Name       string                  `json:"name"` // domain name or IP address
	URL        string                  `json:"url,omitempty"`
	Issuer     string                  `json:"issuer,omitempty"`
	NotBefore  time.Time               `json:"not_before,omitzero"`
	NotAfter   time.Time               `json:"not_after,omitzero"`
	RenewAfter time.Time               `json:"renew_after,omitzero"` // from then on the timer renews it
	Timer      string                  `json:"timer,omitempty"`      // systemd's state of it
	Last       *converge.RenewalRecord `json:"last,omitempty"`       // the last attempt at a certificate
	Problems   []Problem               `json:"problems"`
}

// Certificate looks at what Nginx shows to clients, and at what renews it. Any user may.
func Certificate(ctx context.Context) (*CertReport, error) {
	if err := mustBeInstalled(ctx); err != nil {
		return nil, err
	}
	e, err := findEntrance(ctx, plainEntrance, secureEntrance)
	switch {
	case e == nil:
		return nil, fmt.Errorf("nginx does not answer on this machine: %w\nhint: systemctl status nginx", err)
	case err != nil:
		return nil, fmt.Errorf("%w\nhint: nginx -t; journalctl -u nginx -n 20", err)
	}
	return certificate(ctx, e, time.Now())
}

// certificateOf is certificate beside another error, which counts first.
func certificateOf(ctx context.Context, e *entrance, failed error) (*CertReport, error) {
	r, err := certificate(ctx, e, time.Now())
	if failed != nil {
		err = failed
	}
	return r, err
}

const (
	plainEntrance  = "127.0.0.1:80"
	secureEntrance = "127.0.0.1:443"
)

func certificate(ctx context.Context, e *entrance, now time.Time) (*CertReport, error) {
	r := &CertReport{Schema: 1, Name: e.name, Problems: []Problem{}}
	if e.name == "" {
		return r, nil
	}
	timer, err := readUnit(ctx, CertTimer)
	if err != nil {
		return nil, err
	}
	last, err := readRenewal(converge.RenewalFile)
	if err != nil {
		return nil, err
	}
	r.URL, r.Issuer, r.NotBefore, r.NotAfter, r.Timer, r.Last = e.url, e.leaf.Issuer.CommonName, e.leaf.NotBefore, e.leaf.NotAfter, timer.Active, last
	if names := e.leaf.Issuer.Organization; len(names) > 0 {
		r.Issuer = names[0]
	}
	r.RenewAfter = converge.RenewAfter(r.NotBefore, r.NotAfter)
	r.judge(now)
	if e.leaf.VerifyHostname(e.name) != nil {
		r.problem("the certificate is not for "+e.name, "sudo gemini-manage cert renew")
	}
	return r, nil
}

// judge says what keeps the certificate from being good for long.
func (r *CertReport) judge(now time.Time) {
	ends := "it ends at " + minute(r.NotAfter)
	if !now.Before(r.NotAfter) {
		ends = "it ended at " + minute(r.NotAfter) + ", and clients refuse it"
	}
	half := r.NotBefore.Add(r.NotAfter.Sub(r.NotBefore) / 2)
	switch {
	case r.Last != nil && r.Last.Problem != "" && r.Last.Name == r.Name:
		r.problem(fmt.Sprintf("the certificate was not renewed at %s: %s; %s", minute(r.Last.Time), firstLine(r.Last.Problem), ends),
			orElse(r.Last.Cure, "sudo gemini-manage cert renew"))
	case r.Timer != "active":
		r.problem("nothing renews the certificate, since "+CertTimer+" is "+r.Timer+"; "+ends, "sudo systemctl enable --now "+CertTimer)
	case now.After(half):
		r.problem("the certificate should have been renewed by now; "+ends, "sudo gemini-manage cert renew; journalctl -u gemini-adapter-cert")
	}
}

func (r *CertReport) problem(what, cure string) { r.Problems = append(r.Problems, Problem{what, cure}) }

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// readRenewal reads how the last attempt went; nil where there was none.
func readRenewal(file string) (*converge.RenewalRecord, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	last := &converge.RenewalRecord{}
	err = json.NewDecoder(io.LimitReader(f, maxHealth)).Decode(last)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return last, nil
}

// line says it in one line, for the status of everything.
func (r *CertReport) line(now time.Time) string {
	if r.Name == "" {
		return "none: plain HTTP, tokens and prompts travel unencrypted"
	}
	return fmt.Sprintf("%s, until %s (%s)", r.Name, minute(r.NotAfter), span(r.NotAfter.Sub(now)))
}

// span is a time left in days, or in hours where there are few.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "ended"
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f hours left", d.Hours())
	}
	return fmt.Sprintf("%.0f days left", d.Hours()/24)
}

// Print writes the report for a person.
func (r *CertReport) Print(w io.Writer, now time.Time) error {
	p := &printer{w: w}
	if r.Name == "" {
		p.line("certificate", "%s\n%12sfor HTTPS, from your laptop: gca deploy --domain NAME HOST", r.line(now), "")
		return p.err
	}
	p.line("certificate", "%s", r.line(now))
	p.line("address", "%s", r.URL)
	p.line("issuer", "%s", orUnknown(printable(r.Issuer)))
	p.line("renewal", "from %s on, looked at every eight hours (timer %s)", minute(r.RenewAfter), r.Timer)
	if r.Last != nil {
		how := "got one"
		if r.Last.Problem != "" {
			how = "failed"
		}
		p.line("last try", "%s, %s", minute(r.Last.Time), how)
	}
	printProblems(p, r.Problems)
	return p.err
}

// RenewCertificate gets a new certificate where the one that is there is due, or always. It needs root.
func RenewCertificate(ctx context.Context, agent converge.Agent, always bool) (converge.Renewal, error) {
	if os.Geteuid() != 0 {
		return converge.Renewal{}, ErrNotRoot
	}
	if _, err := ReadEnv(); err != nil {
		return converge.Renewal{}, err
	}
	return agent.Renew(ctx, always)
}
