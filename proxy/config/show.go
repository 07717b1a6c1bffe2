package config

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Names returns the names of all settings, in the order in which people look for them.
func Names() []string { return slices.Clone(settingNames) }

// IsSecret reports whether a setting holds keys, tokens, or an address that lets whoever knows it send there.
func IsSecret(name string) bool {
	if s, alert := findAlert(name); alert {
		return s.secret
	}
	return name == "GEMINI_API_KEYS" || name == "CLIENT_TOKENS" || name == "ADMIN_TOKEN" || name == "BACKUP_S3_SECRET"
}

// ErrUnknown is what Check returns for a name that is no setting.
var ErrUnknown = errors.New("no such setting")

// Check judges one setting by itself. The error names the variable, the value (but for secrets) and the rule, or is ErrUnknown.
func Check(name, value string) error {
	set, known := setters[name]
	if !known {
		return ErrUnknown
	}
	if err := set(Default(), value); err != nil {
		return fmt.Errorf("%s%w", name, err)
	}
	return nil
}

// EnvValues returns what an adapter.env sets, by name, as it is written there; secrets are in the clear.
func EnvValues(text string) (map[string]string, error) {
	lines, err := parseEnvFile(text)
	if err != nil {
		return nil, err
	}
	values := make(map[string]string)
	for _, s := range lines {
		values[s.name] = s.value
	}
	return values, nil
}

// WithoutLines takes the lines that set names out of an adapter.env. Everything else stays as it is.
func WithoutLines(text string, names ...string) (string, error) {
	settings, err := parseEnvFile(text)
	if err != nil {
		return "", err
	}
	lines := strings.SplitAfter(text, "\n")
	for _, s := range settings {
		if slices.Contains(names, s.name) {
			lines[s.line-1] = ""
		}
	}
	return strings.Join(lines, ""), nil
}

// Show returns a setting as adapter.env could have it. It is empty for keys, tokens and names that are no setting; passwords
// in URLs are masked, and users without one; of alerts' secrets it shows that they are set, and where they lead.
func (c *Config) Show(name string) string {
	if s, alert := findAlert(name); alert {
		return s.show(&c.Alerts)
	}
	switch name {
	case "HOST":
		return c.Host
	case "PORT":
		return strconv.Itoa(c.Port)
	case "GEMINI_BASE_URL":
		return showURL(c.BaseURL)
	case "PROXY_URL":
		return showURL(c.ProxyURL)
	case "MAX_FAILURES":
		return strconv.Itoa(c.MaxFailures)
	case "COOLING_PERIOD":
		return showSeconds(c.CoolingPeriod)
	case "REQUEST_TIMEOUT":
		return showSeconds(c.RequestTimeout)
	case "MAX_RETRIES":
		return strconv.Itoa(c.MaxRetries)
	case "QUEUE_TIMEOUT":
		return showSeconds(c.QueueTimeout)
	case "STREAM_IDLE_TIMEOUT":
		return showSeconds(c.StreamIdleTimeout)
	case "DRAIN_TIMEOUT":
		return showSeconds(c.DrainTimeout)
	case "MAX_BODY":
		return showSize(c.MaxBody)
	case "MODEL_MAP":
		return showRules(c.ModelMap)
	case "MODEL_FALLBACK":
		return showRules(c.ModelFallback)
	case "HEALTH_CHECK_INTERVAL":
		return showSeconds(c.HealthInterval)
	case "STATE_URL":
		return showURL(c.StateURL)
	case "MAX_CONCURRENT":
		return strconv.Itoa(c.MaxConcurrent)
	case "FETCH_URLS":
		return strconv.FormatBool(c.FetchURLs)
	case "ALLOW_ANONYMOUS":
		return strconv.FormatBool(c.AllowAnonymous)
	case "TLS_NAME":
		return cmp.Or(c.TLSName, TLSOff)
	case "ACME_DIRECTORY":
		return showURL(c.ACMEDirectory)
	case "BACKUP_KEEP_DAYS":
		return strconv.Itoa(c.Backups.KeepDays)
	case "BACKUP_KEEP_COUNT":
		return strconv.Itoa(c.Backups.KeepCount)
	case "BACKUP_TO":
		return showPlaces(c.Backups.To)
	case "BACKUP_RECIPIENTS":
		return strings.Join(c.Backups.Recipients, ",")
	case "BACKUP_S3_KEY":
		return c.Backups.S3Key
	case "BACKUP_S3_SECRET":
		if c.Backups.S3Secret.Reveal() == "" {
			return ""
		}
		return "***"
	case "BACKUP_SFTP_HOST_KEY":
		return c.Backups.SFTPHostKey
	case "LOG_LEVEL":
		return strings.ToLower(c.LogLevel.String())
	}
	return ""
}

func showURL(u *url.URL) string {
	if u == nil {
		return ""
	}
	if _, password := u.User.Password(); u.User != nil && !password {
		masked := *u
		masked.User = url.User("xxxxx") // a user alone is a token
		return masked.String()
	}
	return u.Redacted()
}

func showSeconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

func showSize(n int64) string {
	for _, unit := range []struct {
		name  string
		shift int
	}{{"GB", 30}, {"MB", 20}, {"KB", 10}} {
		if n>>unit.shift<<unit.shift == n {
			return strconv.FormatInt(n>>unit.shift, 10) + unit.name
		}
	}
	return strconv.FormatInt(n, 10)
}

func showRules(rules []ModelRule) string {
	texts := make([]string, 0, len(rules))
	for _, r := range rules {
		texts = append(texts, r.Pattern+"="+r.Target)
	}
	return strings.Join(texts, ",")
}
