package config

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	if len(Names()) != len(setters) {
		t.Errorf("%d names for %d settings", len(Names()), len(setters))
	}
	for _, name := range Names() {
		if setters[name] == nil {
			t.Errorf("%s is no setting", name)
		}
	}
}

// What is shown of a setting is what sets it.
func TestConfig_Show(t *testing.T) {
	f := func(name, value, want string) {
		t.Helper()
		cfg := Default()
		if err := setters[name](cfg, value); err != nil {
			t.Fatal(err)
		}
		if got := cfg.Show(name); got != want {
			t.Errorf("%s=%s shows as %q, want %q", name, value, got, want)
		}
	}
	f("HOST", "127.0.0.1", "127.0.0.1")
	f("PORT", "9000", "9000")
	f("GEMINI_BASE_URL", "https://u:p@x.example/", "https://u:xxxxx@x.example")
	f("PROXY_URL", "socks5://u:p@x.example:1080", "socks5://u:xxxxx@x.example:1080")
	f("PROXY_URL", "http://token@x.example:1080", "http://xxxxx@x.example:1080")
	f("MAX_FAILURES", "4", "4")
	f("COOLING_PERIOD", "30", "30")
	f("REQUEST_TIMEOUT", "31", "31")
	f("MAX_RETRIES", "5", "5")
	f("QUEUE_TIMEOUT", "32", "32")
	f("STREAM_IDLE_TIMEOUT", "33", "33")
	f("DRAIN_TIMEOUT", "34", "34")
	f("MAX_BODY", "1g", "1GB")
	f("MAX_BODY", "5000", "5000")
	f("MAX_BODY", "2048K", "2MB")
	f("MODEL_MAP", "a*=b, c=d", "a*=b,c=d")
	f("ALLOW_ANONYMOUS", "yes", "true")
	f("LOG_LEVEL", "WARN", "warn")
	f("TLS_NAME", "Adapter.Example.COM", "adapter.example.com")
	f("TLS_NAME", "xn--fiqs8s.example", "xn--fiqs8s.example")
	f("TLS_NAME", "203.0.113.9", "203.0.113.9")
	f("TLS_NAME", "2001:0DB8::0009", "2001:db8::9")
	f("TLS_NAME", "::ffff:203.0.113.9", "203.0.113.9")
	f("TLS_NAME", "", "off")
	f("ACME_DIRECTORY", "https://ca.example.com/acme/directory", "https://ca.example.com/acme/directory")
	f("GEMINI_API_KEYS", "secret-key", "")
	f("CLIENT_TOKENS", "secret-token", "")
	f("MODEL_FALLBACK", "a=b, a=c", "a=b,a=c")
	f("HEALTH_CHECK_INTERVAL", "0", "0")
	f("STATE_URL", "file:///tmp/state.db", "file:///tmp/state.db")
	f("MAX_CONCURRENT", "7", "7")
	f("BACKUP_KEEP_DAYS", "7", "7")
	f("BACKUP_KEEP_COUNT", "7", "7")
	f("BACKUP_TO", "s3://s3.example.com/b/p?region=x, sftp://me@example.com:2222/~/b", "s3://s3.example.com/b/p?region=x,sftp://me@example.com:2222/~/b")
	f("BACKUP_S3_KEY", "AKIA1", "AKIA1")
	f("BACKUP_S3_SECRET", "s3cret", "***")
	f("ALERT_SMTP_URL", "smtp://me@example.com:app-password@smtp.example.com:587", "smtp://smtp.example.com:587/***")
	f("ALERT_SLACK_URL", "https://hooks.slack.com/services/T0/B0/xyz", "https://hooks.slack.com/***")
	f("ALERT_DINGTALK_URL", "https://oapi.dingtalk.com/robot/send?access_token=xyz", "https://oapi.dingtalk.com/***")
	f("ALERT_TELEGRAM_TOKEN", "123:abc", "***")
	f("ALERT_TELEGRAM_CHAT", "-1001234567890", "-1001234567890")
	f("ALERT_MAIL_TO", "Owner <a@example.com>, b@example.com", "a@example.com,b@example.com")
	f("ALERT_SPEND_USD", "2.50", "2.5")
	empty := []string{"BACKUP_TO", "BACKUP_RECIPIENTS", "BACKUP_S3_KEY", "BACKUP_SFTP_HOST_KEY", "PROXY_URL", "MODEL_MAP", "MODEL_FALLBACK", "STATE_URL", "ALERT_MAIL_FROM", "ALERT_MAIL_TO", "ALERT_TELEGRAM_CHAT"}
	for _, name := range Names() {
		text := Default().Show(name)
		if text == "" && !slices.Contains(empty, name) && !IsSecret(name) {
			t.Errorf("the default of %s does not show", name)
		}
		if err := Check(name, text); err != nil && name != "PROXY_URL" {
			t.Errorf("the default of %s is refused: %v", name, err)
		}
	}
}

func TestCheck(t *testing.T) {
	f := func(name, value, want string) {
		t.Helper()
		if err := Check(name, value); err == nil || err.Error() != want {
			t.Errorf("%s=%s: got %v, want %q", name, value, err, want)
		}
	}
	f("PORT", "99999", `PORT="99999": expected a whole number from 1 to 65535`)
	f("GEMINI_API_KEYS", "one,secret part", "GEMINI_API_KEYS: key 2 has white space inside")
	if err := Check("PROT", "1"); !errors.Is(err, ErrUnknown) {
		t.Errorf("PROT: %v", err)
	}
}

func TestEnvValues(t *testing.T) {
	const text = "# a comment\nPORT=9000 # here too\nexport NEW=\"x y\"\n\nMAX_RETRIES=1"
	values, err := EnvValues(text)
	if err != nil || len(values) != 3 || values["PORT"] != "9000" || values["NEW"] != "x y" || values["MAX_RETRIES"] != "1" {
		t.Errorf("got %v, %v", values, err)
	}
	if _, err := EnvValues("nonsense"); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("nonsense gives %v", err)
	}
	got, err := WithoutLines(text, "PORT", "MAX_RETRIES", "HOST")
	if err != nil || got != "# a comment\nexport NEW=\"x y\"\n\n" {
		t.Errorf("without two lines: %q, %v", got, err)
	}
	cfg, err := ParseEnv(text)
	if err != nil || !slices.Equal(cfg.Unknown, []string{"NEW"}) {
		t.Errorf("unknown are %v, %v", cfg.Unknown, err)
	}
}
