package cert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"golang.org/x/crypto/acme"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// words are what a kind of problem comes to for a person: what it means, and what to do. %s is the name.
type words struct{ meaning, cure string }

// problems are RFC 8555's kinds, section 6.7, that a person can do something about.
var problems = map[string]words{
	"connection":              {"the CA could not connect to http://%s/", "let TCP port 80 in, in your provider's firewall, then the same again"},
	"dns":                     {"the CA found no usable DNS record of %s", "see that %s has an A record with this server's address, give DNS some minutes, then the same again"},
	"unauthorized":            {"what answered the CA at http://%s/ is not this server", "see that the A and AAAA records of %s lead to this server alone, and to no CDN or proxy, then the same again"},
	"incorrectResponse":       {"what answered the CA at http://%s/ is not this server", "see that the A and AAAA records of %s lead to this server alone, and to no CDN or proxy, then the same again"},
	"caa":                     {"a CAA record in the DNS of %s forbids this CA", "let the CA in there, or remove the record, then the same again"},
	"rateLimited":             {"the CA gives no more certificates for %s now: a limit of its own is reached", "wait, then the same again; a deploy that keeps what is there needs no new one"},
	"rejectedIdentifier":      {"the CA gives no certificates for %s", "gca deploy --domain NAME with a name that leads to this server, or --no-tls"},
	"unsupportedIdentifier":   {"the CA gives no certificates for names like %s", "gca deploy --domain NAME with a name that leads to this server, or --no-tls"},
	"invalidProfile":          {"the CA does not give short-lived certificates for %s", "gca deploy --domain NAME with a name that leads to this server, or --no-tls"},
	"externalAccountRequired": {"the CA wants an account that was made beforehand, which gca does not have", "use another CA: gca deploy --acme-directory URL"},
	"userActionRequired":      {"the CA wants a person to agree to something first", ""},
	"serverInternal":          {"the CA failed", "it is not your fault: try the same again later"},
}

// explain puts an error of a request into words that end with what to do.
func explain(r converge.CertRequest, err error) error {
	if err == nil {
		return nil
	}
	var problem *acme.Error
	var served *notServed
	var asked *url.Error
	switch {
	case problemOf(err, &problem):
		return told(r, problem)
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the CA at %s did not finish in time\nhint: try the same again later", host(r))
	case errors.As(err, &served):
		return fmt.Errorf("%w\nhint: nginx -T | grep -n acme-challenge   # on the server; another site of it may be in the way", err)
	case errors.As(err, &asked):
		return fmt.Errorf("the CA cannot be reached at %s: %w\nhint: see that this server can reach %s on its port, and its clock is right; or another CA with --acme-directory", r.Directory, asked.Err, host(r))
	}
	return err
}

// problemOf finds what the CA itself said of an account, an order or an authorization.
func problemOf(err error, problem **acme.Error) bool {
	var order *acme.OrderError
	var authorization *acme.AuthorizationError
	switch {
	case errors.As(err, problem):
		return true
	case errors.As(err, &order) && order.Problem != nil:
		*problem = order.Problem
		return true
	case errors.As(err, &authorization):
		return errors.As(errors.Join(authorization.Errors...), problem)
	}
	return false
}

func told(r converge.CertRequest, problem *acme.Error) error {
	kind := problem.ProblemType[strings.LastIndexByte(problem.ProblemType, ':')+1:]
	known, ok := problems[kind]
	if !ok {
		known = words{"the CA refused", "gca cert status HOST shows what is in force; try the same again later"}
		if problem.StatusCode >= 500 {
			known = problems["serverInternal"]
		}
	}
	detail := cmp.Or(problem.Detail, problem.ProblemType)
	for _, sub := range problem.Subproblems {
		detail += "; " + sub.Detail
	}
	cure := fill(known.cure, r.Name)
	if wait, limited := acme.RateLimit(problem); limited && wait > 0 {
		cure = fmt.Sprintf("wait until %s, then the same again", time.Now().Add(wait).UTC().Format("2006-01-02 15:04 UTC"))
	}
	if kind == "userActionRequired" {
		cure = "open " + problem.Instance + ", then the same again"
	}
	return fmt.Errorf("%s; its words: %s\nhint: %s", fill(known.meaning, r.Name), oneLine(detail), oneLine(cure))
}

// fill puts the name into words, as an address has it.
func fill(text, name string) string {
	if ip, err := netip.ParseAddr(name); err == nil && ip.Is6() {
		name = "[" + name + "]"
	}
	return strings.ReplaceAll(text, "%s", name)
}

const maxWords = 600 // bytes of what a CA said

// oneLine keeps what a CA said from looking like our own words.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxWords {
		text = strings.ToValidUTF8(text[:maxWords], "") + "…"
	}
	return text
}

func host(r converge.CertRequest) string {
	u, err := url.Parse(r.Directory)
	if err != nil {
		return r.Directory
	}
	if _, _, err := net.SplitHostPort(u.Host); err != nil {
		return net.JoinHostPort(u.Hostname(), "443")
	}
	return u.Host
}
