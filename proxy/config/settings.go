package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// setters holds how each setting is read; an error starts with what stands after the name.
var setters = map[string]func(*Config, string) error{
	"GEMINI_API_KEYS": func(c *Config, v string) error {
		keys, err := ParseKeyList(v)
		c.Keys = keys
		return prefixed(err)
	},
	"CLIENT_TOKENS": func(c *Config, v string) error {
		tokens, err := parseTokenList(v)
		c.Tokens = append(tokens, slices.DeleteFunc(c.Tokens, func(t Token) bool { return !t.Admin })...)
		return prefixed(err)
	},
	"ADMIN_TOKEN": func(c *Config, v string) error {
		tokens, err := parseAdminToken(v)
		c.Tokens = append(slices.DeleteFunc(c.Tokens, func(t Token) bool { return t.Admin }), tokens...)
		return prefixed(err)
	},
	"HOST":                  func(c *Config, v string) error { return host(v, &c.Host, &c.hostSet) },
	"PORT":                  func(c *Config, v string) error { return whole(v, 1, 65535, &c.Port) },
	"GEMINI_BASE_URL":       func(c *Config, v string) error { return link(v, &c.BaseURL, "https", "http") },
	"PROXY_URL":             func(c *Config, v string) error { return link(v, &c.ProxyURL, "http", "https", "socks5") },
	"MAX_FAILURES":          func(c *Config, v string) error { return whole(v, 1, 1000, &c.MaxFailures) },
	"COOLING_PERIOD":        func(c *Config, v string) error { return seconds(v, 1, 86400, &c.CoolingPeriod) },
	"REQUEST_TIMEOUT":       func(c *Config, v string) error { return seconds(v, 1, maxWait, &c.RequestTimeout) },
	"MAX_RETRIES":           func(c *Config, v string) error { return whole(v, 0, 20, &c.MaxRetries) },
	"QUEUE_TIMEOUT":         func(c *Config, v string) error { return seconds(v, 0, maxWait, &c.QueueTimeout) },
	"STREAM_IDLE_TIMEOUT":   func(c *Config, v string) error { return seconds(v, 1, maxWait, &c.StreamIdleTimeout) },
	"DRAIN_TIMEOUT":         func(c *Config, v string) error { return seconds(v, 0, 86400, &c.DrainTimeout) },
	"MAX_BODY":              func(c *Config, v string) error { return size(v, &c.MaxBody) },
	"MODEL_MAP":             func(c *Config, v string) error { return modelMap(v, &c.ModelMap) },
	"MODEL_FALLBACK":        func(c *Config, v string) error { return modelMap(v, &c.ModelFallback) },
	"HEALTH_CHECK_INTERVAL": func(c *Config, v string) error { return seconds(v, 0, 86400, &c.HealthInterval) },
	"STATE_URL":             func(c *Config, v string) error { return stateURL(v, &c.StateURL) },
	"MAX_CONCURRENT":        func(c *Config, v string) error { return whole(v, 1, MostConcurrent, &c.MaxConcurrent) },
	"FETCH_URLS":            func(c *Config, v string) error { return boolean(v, &c.FetchURLs) },
	"ALLOW_ANONYMOUS":       func(c *Config, v string) error { return boolean(v, &c.AllowAnonymous) },
	"TLS_NAME":              func(c *Config, v string) error { return tlsName(v, &c.TLSName) },
	"ACME_DIRECTORY":        func(c *Config, v string) error { return link(v, &c.ACMEDirectory, "https") },
	"BACKUP_KEEP_DAYS":      func(c *Config, v string) error { return whole(v, 1, 3650, &c.Backups.KeepDays) },
	"BACKUP_KEEP_COUNT":     func(c *Config, v string) error { return whole(v, 1, 1000, &c.Backups.KeepCount) },
	"BACKUP_TO":             func(c *Config, v string) error { return backupPlaces(v, &c.Backups.To) },
	"BACKUP_RECIPIENTS":     func(c *Config, v string) error { return backupRecipients(v, &c.Backups.Recipients) },
	"BACKUP_S3_KEY":         func(c *Config, v string) error { return word(v, &c.Backups.S3Key) },
	"BACKUP_S3_SECRET":      func(c *Config, v string) error { return secretWord(v, &c.Backups.S3Secret) },
	"BACKUP_SFTP_HOST_KEY":  func(c *Config, v string) error { return hostKey(v, &c.Backups.SFTPHostKey) },
	"LOG_LEVEL":             func(c *Config, v string) error { return level(v, &c.LogLevel) },
	"ALERT_SMTP_URL":        setAlert("ALERT_SMTP_URL"),
	"ALERT_MAIL_FROM":       setAlert("ALERT_MAIL_FROM"),
	"ALERT_MAIL_TO":         setAlert("ALERT_MAIL_TO"),
	"ALERT_WEBHOOK_URL":     setAlert("ALERT_WEBHOOK_URL"),
	"ALERT_WEBHOOK_SECRET":  setAlert("ALERT_WEBHOOK_SECRET"),
	"ALERT_SLACK_URL":       setAlert("ALERT_SLACK_URL"),
	"ALERT_TELEGRAM_TOKEN":  setAlert("ALERT_TELEGRAM_TOKEN"),
	"ALERT_TELEGRAM_CHAT":   setAlert("ALERT_TELEGRAM_CHAT"),
	"ALERT_TELEGRAM_URL":    setAlert("ALERT_TELEGRAM_URL"),
	"ALERT_FEISHU_URL":      setAlert("ALERT_FEISHU_URL"),
	"ALERT_FEISHU_SECRET":   setAlert("ALERT_FEISHU_SECRET"),
	"ALERT_DINGTALK_URL":    setAlert("ALERT_DINGTALK_URL"),
	"ALERT_DINGTALK_SECRET": setAlert("ALERT_DINGTALK_SECRET"),
	"ALERT_MIN_KEYS":        setAlert("ALERT_MIN_KEYS"),
	"ALERT_ERROR_PERCENT":   setAlert("ALERT_ERROR_PERCENT"),
	"ALERT_CERT_DAYS":       setAlert("ALERT_CERT_DAYS"),
	"ALERT_DISK_PERCENT":    setAlert("ALERT_DISK_PERCENT"),
	"ALERT_SPEND_USD":       setAlert("ALERT_SPEND_USD"),
}

// settingNames is the order in which the environment is read, so that errors come in the same order every time.
var settingNames = []string{
	"GEMINI_API_KEYS", "CLIENT_TOKENS", "ADMIN_TOKEN", "HOST", "PORT", "GEMINI_BASE_URL", "PROXY_URL", "MAX_FAILURES", "COOLING_PERIOD",
	"REQUEST_TIMEOUT", "MAX_RETRIES", "HEALTH_CHECK_INTERVAL", "QUEUE_TIMEOUT", "STREAM_IDLE_TIMEOUT", "DRAIN_TIMEOUT",
	"MAX_BODY", "MAX_CONCURRENT", "MODEL_MAP", "MODEL_FALLBACK", "STATE_URL", "FETCH_URLS", "ALLOW_ANONYMOUS", "TLS_NAME", "ACME_DIRECTORY", "LOG_LEVEL",
	"BACKUP_KEEP_DAYS", "BACKUP_KEEP_COUNT", "BACKUP_TO", "BACKUP_RECIPIENTS", "BACKUP_S3_KEY", "BACKUP_S3_SECRET", "BACKUP_SFTP_HOST_KEY",
	"ALERT_SMTP_URL", "ALERT_MAIL_FROM", "ALERT_MAIL_TO", "ALERT_WEBHOOK_URL", "ALERT_WEBHOOK_SECRET", "ALERT_SLACK_URL", "ALERT_TELEGRAM_TOKEN", "ALERT_TELEGRAM_CHAT",
	"ALERT_TELEGRAM_URL", "ALERT_FEISHU_URL", "ALERT_FEISHU_SECRET", "ALERT_DINGTALK_URL", "ALERT_DINGTALK_SECRET", "ALERT_MIN_KEYS",
	"ALERT_ERROR_PERCENT", "ALERT_CERT_DAYS", "ALERT_DISK_PERCENT", "ALERT_SPEND_USD",
}

// ErrNoKeys is what Validate says when there is nothing to talk to Gemini with.
var ErrNoKeys = errors.New("no Gemini API keys are configured")

// Validate checks what no single setting can: that there are keys, and that nobody unknown can use them. Unless HOST was
// set, a server without client tokens listens on 127.0.0.1 alone. Where there is an admin token and no other, it is the only
// one that lets anybody in from elsewhere.
func (c *Config) Validate() error {
	if len(c.Keys) == 0 {
		return ErrNoKeys
	}
	switch {
	case c.Clients() || c.AllowAnonymous:
		return nil
	case c.BehindProxy && !c.HasAdmin():
		return errors.New("there are no client tokens, and others reach this server through Nginx\nhint: gca deploy again makes a token; or set CLIENT_TOKENS, or ALLOW_ANONYMOUS=true if everybody may use your keys")
	}
	if !c.hostSet {
		c.Host = "127.0.0.1"
	}
	if ip := net.ParseIP(c.Host); !c.HasAdmin() && c.Host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("HOST=%s lets others connect, and there are no client tokens\nhint: set CLIENT_TOKENS, or HOST=127.0.0.1, or ALLOW_ANONYMOUS=true if everybody may use your keys", c.Host)
	}
	return nil
}

func prefixed(err error) error {
	if err != nil {
		return fmt.Errorf(": %w", err)
	}
	return nil
}

func host(v string, dst *string, set *bool) error {
	number := strings.Trim(v, "0123456789.") == "" // what looks like an IPv4 address must be one
	if v == "" || number && net.ParseIP(v) == nil || strings.ContainsAny(v, " \t/") || strings.Contains(v, ":") && net.ParseIP(v) == nil {
		return fmt.Errorf("=%q: expected an address such as 127.0.0.1, :: or 0.0.0.0", v)
	}
	*dst, *set = v, true
	return nil
}

func whole(v string, low, high int, dst *int) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		return fmt.Errorf("=%q: expected a whole number from %d to %d", v, low, high)
	}
	*dst = n
	return nil
}

// maxWait bounds the waits within one answer, in seconds: Nginx gives up on a silent one after 900.
const maxWait = 600

func seconds(v string, low, high int, dst *time.Duration) error {
	var n int
	if err := whole(v, low, high, &n); err != nil {
		return fmt.Errorf("=%q: expected seconds, a whole number from %d to %d", v, low, high)
	}
	*dst = time.Duration(n) * time.Second
	return nil
}

func link(v string, dst **url.URL, schemes ...string) error {
	u, err := url.Parse(v)
	if err != nil || u.Host == "" {
		return fmt.Errorf(": expected a URL such as %s://host:port", schemes[0])
	}
	for _, scheme := range schemes {
		if u.Scheme == scheme {
			u.Path = strings.TrimSuffix(u.Path, "/")
			*dst = u
			return nil
		}
	}
	return fmt.Errorf(": expected a URL that starts with %s://", strings.Join(schemes, ":// or "))
}

func stateURL(v string, dst **url.URL) error {
	if v == "" {
		*dst = nil
		return nil
	}
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "file" || u.Host != "" || !strings.HasPrefix(u.Path, "/") || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("=%q: expected the URL of a file, such as file:///var/lib/gemini-adapter/state.db", v)
	}
	*dst = u
	return nil
}

func size(v string, dst *int64) error {
	number, shift := strings.TrimSuffix(strings.ToUpper(v), "B"), 0
	if end := len(number) - 1; end >= 0 && strings.IndexByte("KMG", number[end]) >= 0 {
		number, shift = number[:end], 10*(1+strings.IndexByte("KMG", number[end]))
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 32)
	if bytes := n << shift; err != nil || n < 1 || bytes < 1<<10 || bytes > 1<<30 {
		return fmt.Errorf("=%q: expected a size from 1KB to 1GB, such as 50MB", v)
	}
	*dst = n << shift
	return nil
}

func modelMap(v string, dst *[]ModelRule) error {
	var rules []ModelRule
	for _, item := range strings.Split(v, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		pattern, target, ok := strings.Cut(item, "=")
		pattern, target = strings.TrimSpace(pattern), strings.TrimSpace(target)
		if !ok || pattern == "" || target == "" {
			return fmt.Errorf(": %q: expected NAME=GEMINI-MODEL, such as claude-*=gemini-3.8-flash", item)
		}
		rules = append(rules, ModelRule{Pattern: pattern, Target: target})
	}
	*dst = rules
	return nil
}

var dnsName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// TLSOff is the TLS_NAME of who wants plain HTTP, and does not want to be reminded.
const TLSOff = "off"

// tlsName takes a name that DNS can have, or an IP address; it becomes a file's name too.
func tlsName(v string, dst *string) error {
	if v == "" || v == TLSOff {
		*dst = v
		return nil
	}
	if a, err := netip.ParseAddr(v); err == nil && a.Zone() == "" && !a.IsUnspecified() {
		*dst = a.Unmap().String()
		return nil
	}
	name := strings.ToLower(v)
	if len(name) > 253 || !dnsName.MatchString(name) || strings.Trim(name, "0123456789.") == "" {
		return fmt.Errorf("=%q: expected a domain name such as adapter.example.com, an IP address, or %s for plain HTTP", v, TLSOff)
	}
	*dst = name
	return nil
}

func boolean(v string, dst *bool) error {
	switch strings.ToLower(v) {
	case "true", "1", "yes", "on":
		*dst = true
	case "false", "0", "no", "off", "":
		*dst = false
	default:
		return fmt.Errorf("=%q: expected true or false", v)
	}
	return nil
}

func level(v string, dst *slog.Level) error {
	switch strings.ToLower(v) {
	case "debug", "info", "warn", "error":
		return dst.UnmarshalText([]byte(v))
	}
	return fmt.Errorf("=%q: expected debug, info, warn or error", v)
}
