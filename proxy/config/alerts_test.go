package config

import (
	"slices"
	"strings"
	"testing"
)

func TestCheck_alerts(t *testing.T) {
	f := func(name, value, want string) {
		t.Helper()
		err := Check(name, value)
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s=%s: got %v, want %q", name, value, err, want)
		}
	}
	f("ALERT_SMTP_URL", "smtps://u:p@smtp.example.com", "")
	f("ALERT_SMTP_URL", "smtp.example.com:587", "ALERT_SMTP_URL: expected a URL")
	f("ALERT_SMTP_URL", "https://smtp.example.com", "starts with smtp:// or smtps://")
	f("ALERT_SMTP_URL", "", "")
	f("ALERT_MAIL_TO", "you", "expected mail addresses")
	f("ALERT_MAIL_FROM", "a@example.com, b@example.com", "expected one address")
	f("ALERT_TELEGRAM_CHAT", "my chat", "expected the number of a chat")
	f("ALERT_TELEGRAM_CHAT", "@channel", "")
	f("ALERT_FEISHU_SECRET", "two words", "ALERT_FEISHU_SECRET: it has white space inside")
	f("ALERT_SPEND_USD", "much", "expected US dollars")
	f("ALERT_SPEND_USD", "0", "")
	f("ALERT_CERT_DAYS", "0", "from 1 to 365")
}

// A secret of the alerts is masked, known to who looks for secrets, and in no error.
func TestAlerts_Secrets(t *testing.T) {
	cfg := Default()
	for name, value := range map[string]string{
		"ALERT_SMTP_URL": "smtp://me@example.com:hidden-1@smtp.example.com:587", "ALERT_WEBHOOK_URL": "https://hook.example.com/in/hidden-2",
		"ALERT_WEBHOOK_SECRET": "hidden-3", "ALERT_SLACK_URL": "https://hooks.slack.com/services/hidden-4", "ALERT_TELEGRAM_TOKEN": "hidden-5",
		"ALERT_FEISHU_URL": "https://open.feishu.cn/hook/hidden-6", "ALERT_FEISHU_SECRET": "hidden-7",
		"ALERT_DINGTALK_URL": "https://oapi.dingtalk.com/robot/send?access_token=hidden-8", "ALERT_DINGTALK_SECRET": "hidden-9",
	} {
		if err := setters[name](cfg, value); err != nil {
			t.Fatal(err)
		}
		if text := cfg.Show(name); strings.Contains(text, "hidden") || text == "" || !IsSecret(name) {
			t.Errorf("%s shows as %q", name, text)
		}
		if err := Check(name, "hidden secret\x00 text"); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	for _, n := range "123456789" {
		if !slices.ContainsFunc(cfg.Alerts.Secrets(), func(s string) bool { return strings.Contains(s, "hidden-"+string(n)) }) {
			t.Errorf("hidden-%c is not among the secrets", n)
		}
	}
}

func TestConfig_Restarting_alerts(t *testing.T) {
	cfg, err := ParseEnv("ALERT_SLACK_URL=https://hooks.slack.com/a\n")
	if err != nil {
		t.Fatal(err)
	}
	other, err := ParseEnv("ALERT_SLACK_URL=https://hooks.slack.com/b\n")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.same("ALERT_SLACK_URL", other) || !cfg.same("ALERT_FEISHU_URL", other) {
		t.Error("what is masked is taken for the same, or what is the same for changed")
	}
}
