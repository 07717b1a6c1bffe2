package manage

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// shortestSecret is how many bytes a secret has at least that is searched for: what is shorter stands everywhere by chance.
const shortestSecret = 4

// looksSecret are credentials by their form, should one stand in a log that is none of this server's: keys of Google, tokens
// of gca, and whatever follows Bearer.
var looksSecret = regexp.MustCompile(`AIza[0-9A-Za-z_-]{20,}|\bgca-[0-9A-Za-z_-]{24,}|(?i:bearer )[0-9A-Za-z._~+/-]{12,}`)

const mask = "***"

// secretsOf are all secret texts of settings, keys and tokens, as they are written there and as they stand in JSON and URLs.
func secretsOf(texts ...config.Texts) []string {
	var all []string
	for _, one := range texts {
		all = append(all, writtenSecrets(one)...)
	}
	return variants(all)
}

func writtenSecrets(texts config.Texts) []string {
	var all []string
	values, err := config.EnvValues(texts.Env)
	if err != nil { // what cannot be read is secret whole
		for line := range strings.Lines(texts.Env) {
			_, value, _ := strings.Cut(line, "=")
			all = append(all, strings.Trim(strings.TrimSpace(value), `"'`))
		}
	}
	for name, value := range values {
		if config.IsSecret(name) {
			all = append(all, value)
			for part := range strings.SplitSeq(value, ",") {
				all = append(all, strings.TrimSpace(part))
			}
		}
		all = append(all, partsOfURL(value)...)
	}
	for line := range strings.Lines(texts.Keys) {
		for i, word := range strings.Fields(line) {
			if i == 0 && !strings.HasPrefix(word, "#") {
				all = append(all, word)
			}
			if _, proxy, ok := strings.Cut(word, "proxy="); ok {
				all = append(all, partsOfURL(proxy)...)
			}
		}
	}
	for line := range strings.Lines(texts.Tokens) {
		if hash, ok := strings.CutPrefix(strings.TrimSpace(line), "sha256:"); ok {
			all = append(all, strings.Fields(hash + " ")[0])
		}
	}
	return all
}

// partsOfURL are the password in a URL, a user without one, and, of a webhook, the path.
func partsOfURL(value string) []string {
	u, err := url.Parse(strings.TrimSpace(value))
	if err != nil || u.Host == "" {
		return nil
	}
	var all []string
	password, set := u.User.Password()
	switch {
	case set:
		all = append(all, password)
	case u.User != nil:
		all = append(all, u.User.Username())
	}
	return all
}

// variants are secrets and what they become in JSON and in URLs, the longest first, so that none is masked by half.
func variants(secrets []string) []string {
	var all []string
	for _, s := range secrets {
		if len(s) < shortestSecret {
			continue
		}
		all = append(all, s, url.QueryEscape(s), url.PathEscape(s))
		if text, err := json.Marshal(s); err == nil {
			all = append(all, string(text[1:len(text)-1]))
		}
		if u, err := url.Parse(s); err == nil && u.Host != "" && len(u.RequestURI()) > shortestSecret {
			all = append(all, strings.TrimPrefix(u.RequestURI(), "/"))
		}
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	return slices.Compact(all)
}

// mask takes secrets out of every part and looks whether any is left.
func (b *Bundle) mask(secrets []string) error {
	for i := range b.Parts {
		part := &b.Parts[i]
		for _, secret := range secrets {
			if n := bytes.Count(part.Content, []byte(secret)); n > 0 {
				b.Masked += n
				part.Content = bytes.ReplaceAll(part.Content, []byte(secret), []byte(mask))
			}
		}
		part.Content = looksSecret.ReplaceAllFunc(part.Content, func([]byte) []byte {
			b.Masked++
			return []byte(mask)
		})
	}
	for _, part := range b.Parts {
		for _, secret := range secrets {
			if bytes.Contains(part.Content, []byte(secret)) {
				return fmt.Errorf("a secret of %d characters is still in %s, so nothing was written", len(secret), part.Name)
			}
		}
	}
	return nil
}
