// Package config is the adapter's settings: one type that is read from the environment and from the files of a
// configuration folder, validated whole, and never changed afterwards.
//
// Flow: Default -> adapter.env -> environment (which wins) -> keys and tokens files -> Validate.
package config

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"time"
)

// Config is everything that `gca serve` is told. The names in the comments are those of the environment and of adapter.env.
type Config struct {
	Host              string        // HOST: address to listen on, 0.0.0.0 by default
	Port              int           // PORT: 1-65535, 8000 by default
	BaseURL           *url.URL      // GEMINI_BASE_URL: scheme and host of the Gemini API
	ProxyURL          *url.URL      // PROXY_URL: egress proxy (http, https, socks5), nil is none
	MaxFailures       int           // MAX_FAILURES: unexplained faults in a row until a key rests, >= 1
	CoolingPeriod     time.Duration // COOLING_PERIOD: seconds that such a key rests, >= 1 s
	RequestTimeout    time.Duration // REQUEST_TIMEOUT: seconds until Gemini's first byte of one attempt, 1 to 600 s
	MaxRetries        int           // MAX_RETRIES: further attempts after a fault of the service, >= 0
	QueueTimeout      time.Duration // QUEUE_TIMEOUT: seconds that a request waits for a resting key, 0 to 600 s
	StreamIdleTimeout time.Duration // STREAM_IDLE_TIMEOUT: seconds of upstream silence that end a running answer, 1 to 600 s
	DrainTimeout      time.Duration // DRAIN_TIMEOUT: seconds that open answers get when the service stops, >= 0
	MaxBody           int64         // MAX_BODY: bytes of a request body, 1 KB to 1 GB
	ModelMap          []ModelRule   // MODEL_MAP: the first rule that matches a client's model name wins
	ModelFallback     []ModelRule   // MODEL_FALLBACK: what serves where every key is dry for a model, in the order of the rules
	HealthInterval    time.Duration // HEALTH_CHECK_INTERVAL: seconds between looks at resting and disabled keys, 0 is never
	StateURL          *url.URL      // STATE_URL: file:///…, by default in the folder that systemd keeps for the service; nil keeps state in memory alone
	MaxConcurrent     int           // MAX_CONCURRENT: requests at once, of all clients, >= 1
	FetchURLs         bool          // FETCH_URLS: get what clients name by URL, true by default; else Gemini is told the URL
	AllowAnonymous    bool          // ALLOW_ANONYMOUS: serve without client tokens although others can connect
	LogLevel          slog.Level    // LOG_LEVEL: debug, info, warn, error

	TLSName       string   // TLS_NAME: domain name or IP address of the certificate in front of a deployed adapter; TLSOff and empty are plain HTTP
	ACMEDirectory *url.URL // ACME_DIRECTORY: where certificates come from, Let's Encrypt by default

	Backups Backups // BACKUP_*: what is kept of backups
	Alerts  Alerts  // ALERT_*: who is told of trouble

	BehindProxy bool // others reach this through a proxy: client tokens are required even on loopback

	Keys   []Key   // GEMINI_API_KEYS and the file keys, in that order, without repeats
	Tokens []Token // CLIENT_TOKENS and the file tokens

	Unknown []string // names in adapter.env that this version does not know; worth a warning

	hostSet  bool
	stateDir string // Source.StateDir
}

// Key is one Gemini API key as it was configured.
type Key struct {
	Secret Secret
	Label  string
	Group  string   // keys of one Google project have the same, and share its quotas; "" is a project of its own
	Proxy  *url.URL // egress proxy of this key alone (http, https, socks5), nil is PROXY_URL
}

// Token is a client's credential, kept as its SHA-256, and what it allows.
type Token struct {
	Name   string
	Hash   [sha256.Size]byte
	Admin  bool // may see and change everything that the HTTP API shows of the adapter itself
	Limits Limits
}

// Limits bound what one token may use. Zero values are no limit. A day begins at midnight in Los Angeles, as Google's do.
type Limits struct {
	Requests   int      // a minute
	Tokens     int      // a minute, in and out
	Concurrent int      // requests at once
	DayTokens  int64    // in and out
	DayCost    int64    // millionths of a US dollar
	Models     []string // patterns of the client's model names, with * for any characters; none is all
}

// ModelRule maps a client's model name to a Gemini model. Pattern is a name with * for any characters.
type ModelRule struct {
	Pattern string
	Target  string
}

// Secret is text that must not be printed: every format verb and JSON show "***".
type Secret struct{ value string }

// NewSecret hides value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the hidden text, for the one place that sends it.
func (s Secret) Reveal() string { return s.value }

// Format prints "***" whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, "***") }

// MarshalJSON prints "***".
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"***"`), nil }

// HashToken is the form in which client tokens are kept and compared.
func HashToken(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

// Addr is the address to listen on, host:port.
func (c *Config) Addr() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// MostConcurrent is the largest MAX_CONCURRENT.
const MostConcurrent = 100_000

// Default returns the documented defaults, which are those of the guide that users of the adapter's Python predecessor know
// where both have the setting.
func Default() *Config {
	return &Config{
		Host:              "0.0.0.0",
		Port:              8000,
		BaseURL:           &url.URL{Scheme: "https", Host: "generativelanguage.googleapis.com"},
		MaxFailures:       3,
		CoolingPeriod:     300 * time.Second,
		RequestTimeout:    45 * time.Second,
		MaxRetries:        2,
		QueueTimeout:      75 * time.Second,
		StreamIdleTimeout: 300 * time.Second,
		DrainTimeout:      600 * time.Second,
		MaxBody:           50 << 20,
		HealthInterval:    60 * time.Second,
		MaxConcurrent:     1024,
		FetchURLs:         true,
		LogLevel:          slog.LevelInfo,
		ACMEDirectory:     &url.URL{Scheme: "https", Host: "acme-v02.api.letsencrypt.org", Path: "/directory"},
		Backups:           defaultBackups(),
		Alerts:            defaultAlerts(),
	}
}
