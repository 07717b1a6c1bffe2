package alerts

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

const maxReply = 64 << 10 // bytes

// poster sends JSON.
type poster struct{ client *http.Client }

func newPoster(proxy *url.URL, roots *x509.CertPool) poster {
	t := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	if proxy != nil {
		t.Proxy = http.ProxyURL(proxy)
	}
	// What an address redirects to was not told the secret in it.
	return poster{&http.Client{Transport: t, Timeout: SendTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// post returns what came back with a 2xx.
func (p poster) post(ctx context.Context, to *url.URL, body []byte, headers map[string]string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("its address cannot be used")
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := p.client.Do(req)
	var asked *url.Error
	if errors.As(err, &asked) { // it would name the address
		err = asked.Err
	}
	if err != nil {
		return nil, unreached(err, to.Host)
	}
	reply, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, unreached(err, to.Host)
	}
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s answered %s: %s", to.Host, resp.Status, oneLine(string(reply)))
	}
	return reply, nil
}

func (p poster) postJSON(ctx context.Context, to *url.URL, body any) ([]byte, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return p.post(ctx, to, text, nil)
}

// webhookChannel sends what a program reads.
type webhookChannel struct {
	poster
	to     *url.URL
	secret config.Secret
}

// webhookBody is schema 1.
type webhookBody struct {
	Schema  int       `json:"schema"`
	Server  string    `json:"server"`
	Time    time.Time `json:"time"`
	Test    bool      `json:"test,omitempty"`
	Text    string    `json:"text"` // for people
	Notices []Notice  `json:"notices"`
	Dropped int       `json:"dropped,omitempty"`
}

func (webhookChannel) Name() string { return Webhook }

// Send signs, where there is a secret, the time and the body with a dot between, as x-gca-signature: sha256=HEX of HMAC-SHA256.
func (c webhookChannel) Send(ctx context.Context, m Message) error {
	body, err := json.Marshal(webhookBody{1, m.Server, m.Time.UTC(), m.Test, m.ShortText(), m.Notices, m.Dropped})
	if err != nil {
		return err
	}
	headers := map[string]string{}
	if secret := c.secret.Reveal(); secret != "" {
		at := strconv.FormatInt(m.Time.Unix(), 10)
		headers["X-Gca-Timestamp"] = at
		headers["X-Gca-Signature"] = "sha256=" + hex.EncodeToString(sign(secret, at+"."+string(body)))
	}
	_, err = c.post(ctx, c.to, body, headers)
	return err
}

func sign(key, text string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text)) // a hash takes everything
	return h.Sum(nil)
}

func signBase64(key, text string) string { return base64.StdEncoding.EncodeToString(sign(key, text)) }
