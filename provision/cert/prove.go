package cert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"golang.org/x/crypto/acme"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

const (
	challengeType = "http-01"
	localTime     = 10 * time.Second // for this machine's own web server
)

// tokenPattern is what a token may be, RFC 8555 section 8.3: it becomes a file's name.
var tokenPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{16,200}$`)

// prove answers one authorization: it lays the answer where the CA will look for it, and waits for the CA's verdict.
func prove(ctx context.Context, c *acme.Client, r converge.CertRequest, url string) (err error) {
	authorization, err := c.GetAuthorization(ctx, url)
	if err != nil || authorization.Status == acme.StatusValid {
		return err
	}
	i := slices.IndexFunc(authorization.Challenges, func(ch *acme.Challenge) bool { return ch.Type == challengeType })
	if i < 0 {
		return errors.New("the CA does not offer to ask by HTTP on port 80 (http-01), and gca has no other way to prove whose the name is")
	}
	challenge := authorization.Challenges[i]
	if !tokenPattern.MatchString(challenge.Token) {
		return fmt.Errorf("the CA asks with the token %.80q, which is none", challenge.Token)
	}
	answer, err := c.HTTP01ChallengeResponse(challenge.Token)
	if err != nil {
		return err
	}
	file := filepath.Join(r.Webroot, ".well-known", "acme-challenge", challenge.Token)
	if err := lay(file, answer); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(file)) }()
	if err := askHere(ctx, r, c.HTTP01ChallengePath(challenge.Token), answer); err != nil {
		return err
	}
	if _, err := c.Accept(ctx, challenge); err != nil {
		return err
	}
	_, err = c.WaitAuthorization(ctx, url)
	return err
}

// lay puts the answer where every process may read it, whatever the umask.
func lay(file, answer string) error {
	dir := filepath.Dir(file)
	err := os.MkdirAll(dir, 0o755)
	for _, d := range []string{filepath.Dir(dir), dir} {
		err = errors.Join(err, os.Chmod(d, 0o755))
	}
	return errors.Join(err, os.WriteFile(file, []byte(answer), 0o644), os.Chmod(file, 0o644))
}

// askHere sees first that this machine's own web server gives the answer: where it does not, the CA need not be bothered,
// which counts what fails.
func askHere(ctx context.Context, r converge.CertRequest, path, answer string) error {
	ctx, cancel := context.WithTimeout(ctx, localTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Local+path, nil)
	if err != nil {
		return err
	}
	req.Host = r.Name
	if ip := net.ParseIP(r.Name); ip != nil && ip.To4() == nil {
		req.Host = "[" + r.Name + "]"
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return &notServed{err.Error()}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return &notServed{err.Error()}
	}
	if resp.StatusCode != http.StatusOK || string(body) != answer {
		return &notServed{"it answered " + resp.Status + " to its question"}
	}
	return nil
}

// notServed is a web server on this machine that does not give the CA's answer.
type notServed struct{ message string }

func (e *notServed) Error() string {
	return "Nginx on this server does not pass the CA's question on: " + e.message
}
