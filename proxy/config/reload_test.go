package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const reloadEnv = "HOST=127.0.0.1\nGEMINI_API_KEYS=a\n"

func running(t *testing.T, texts Texts, env ...string) (*Config, func(string) (string, bool)) {
	t.Helper()
	lookup := func(name string) (string, bool) {
		for _, e := range env {
			if value, ok := strings.CutPrefix(e, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}
	cfg, err := texts.load(Texts{}, Source{Env: lookup, StateDir: "/var/lib/gemini-adapter"})
	if err != nil {
		t.Fatal(err)
	}
	return cfg, lookup
}

// Every setting is either in force at once, or named as one that waits for a restart.
func TestConfig_Reload(t *testing.T) {
	now, env := running(t, Texts{Env: reloadEnv})
	f := func(name, value string, live bool) {
		t.Helper()
		r, err := now.Reload(Texts{Env: strings.ReplaceAll(reloadEnv, name+"=", "export OLD=") + name + "=" + value + "\n"}, env)
		if err != nil {
			t.Fatal(err)
		}
		changed, restart := []string{}, []string{name}
		if live {
			changed, restart = restart, changed
		}
		if !slices.Equal(r.Changed, changed) || !slices.Equal(r.Restart, restart) || r.Config.same(name, now) == live {
			t.Errorf("%s: changed %q, restart %q", name, r.Changed, r.Restart)
		}
	}
	samples := map[string]string{
		"HOST": "localhost", "PORT": "9000", "GEMINI_BASE_URL": "http://127.0.0.1:1", "PROXY_URL": "http://127.0.0.1:1",
		"REQUEST_TIMEOUT": "7", "STREAM_IDLE_TIMEOUT": "7", "DRAIN_TIMEOUT": "7", "MAX_BODY": "1MB", "STATE_URL": "file:///tmp/x",
		"GEMINI_API_KEYS": "a,b", "CLIENT_TOKENS": "x", "ADMIN_TOKEN": "y", "MAX_FAILURES": "7", "COOLING_PERIOD": "7", "MAX_RETRIES": "7",
		"HEALTH_CHECK_INTERVAL": "7", "QUEUE_TIMEOUT": "7", "MAX_CONCURRENT": "7", "MODEL_MAP": "a=b", "MODEL_FALLBACK": "a=b",
		"FETCH_URLS": "false", "ALLOW_ANONYMOUS": "true", "LOG_LEVEL": "debug", "TLS_NAME": "adapter.example.com", "ACME_DIRECTORY": "https://ca.example.com/acme",
		"BACKUP_KEEP_DAYS": "7", "BACKUP_KEEP_COUNT": "7", "BACKUP_TO": "s3://s3.example.com/b", "BACKUP_S3_KEY": "k", "BACKUP_S3_SECRET": "s",
		"BACKUP_RECIPIENTS": "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq", "BACKUP_SFTP_HOST_KEY": "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"ALERT_SMTP_URL": "smtp://smtp.example.com", "ALERT_MAIL_FROM": "a@example.com", "ALERT_MAIL_TO": "a@example.com", "ALERT_WEBHOOK_URL": "https://x.example",
		"ALERT_WEBHOOK_SECRET": "x", "ALERT_SLACK_URL": "https://x.example", "ALERT_TELEGRAM_TOKEN": "1:x", "ALERT_TELEGRAM_CHAT": "7", "ALERT_TELEGRAM_URL": "https://x.example",
		"ALERT_FEISHU_URL": "https://x.example", "ALERT_FEISHU_SECRET": "x", "ALERT_DINGTALK_URL": "https://x.example", "ALERT_DINGTALK_SECRET": "x",
		"ALERT_MIN_KEYS": "7", "ALERT_ERROR_PERCENT": "7", "ALERT_CERT_DAYS": "7", "ALERT_DISK_PERCENT": "7", "ALERT_SPEND_USD": "7",
	}
	for _, name := range Names() {
		if samples[name] == "" {
			t.Fatalf("%s has no sample here", name)
		}
		f(name, samples[name], !slices.ContainsFunc(restarting, func(s restartSetting) bool { return s.name == name }))
	}
	r, err := now.Reload(Texts{Env: "# the same in other words\n" + reloadEnv}, env)
	if err != nil || len(r.Changed)+len(r.Restart) > 0 {
		t.Errorf("the same settings: %+v, %v", r, err)
	}
}

func TestConfig_Reload_secrets(t *testing.T) {
	now, env := running(t, Texts{Env: reloadEnv + "PROXY_URL=http://u:one@127.0.0.1:1\n", Keys: "k label=x\n"})
	f := func(texts Texts, changed, restart string) {
		t.Helper()
		r, err := now.Reload(texts, env)
		if err != nil || fmt.Sprint(r.Changed) != changed || fmt.Sprint(r.Restart) != restart {
			t.Errorf("changed %v, restart %v, %v", r.Changed, r.Restart, err)
		}
	}
	const proxied = reloadEnv + "PROXY_URL=http://u:two@127.0.0.1:1\n"
	f(Texts{Env: proxied, Keys: "k label=x\n"}, "[]", "[PROXY_URL]")
	f(Texts{Env: proxied, Keys: "k label=y\n"}, "[GEMINI_API_KEYS]", "[PROXY_URL]")
	line := fmt.Sprintf("sha256:%x name=laptop\n", HashToken("tok"))
	f(Texts{Env: reloadEnv + "PROXY_URL=http://u:one@127.0.0.1:1\n", Keys: "k label=x\n", Tokens: line}, "[CLIENT_TOKENS]", "[]")
}

// The environment of the process wins over files, whenever they are read.
func TestConfig_Reload_environment(t *testing.T) {
	now, env := running(t, Texts{Env: reloadEnv}, "MAX_RETRIES=5")
	r, err := now.Reload(Texts{Env: reloadEnv + "MAX_RETRIES=1\nQUEUE_TIMEOUT=3\n"}, env)
	if err != nil || r.Config.MaxRetries != 5 || fmt.Sprint(r.Changed) != "[QUEUE_TIMEOUT]" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestConfig_Reload_refusals(t *testing.T) {
	f := func(now *Config, env func(string) (string, bool), texts Texts, want string) {
		t.Helper()
		if r, err := now.Reload(texts, env); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") || r.Config != nil {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	now, env := running(t, Texts{Env: reloadEnv})
	f(now, env, Texts{Env: "HOST=127.0.0.1\n"}, "no Gemini API keys")
	f(now, env, Texts{Env: reloadEnv + "MAX_RETRIES=many\n"}, `adapter.env line 3: MAX_RETRIES="many"`)
	f(now, env, Texts{Env: reloadEnv, Keys: "s3cret with words\n"}, "keys: line 1")
	f(now, env, Texts{Env: reloadEnv, Tokens: "s3cret\n"}, "tokens: line 1")
	now.BehindProxy = true
	f(now, env, Texts{Env: reloadEnv}, "others reach this server through Nginx")

	// without tokens an adapter would start on 127.0.0.1; one that others reach already goes on asking for them
	wide, env := running(t, Texts{Env: "GEMINI_API_KEYS=a\nCLIENT_TOKENS=x\n"})
	f(wide, env, Texts{Env: "GEMINI_API_KEYS=a\n"}, "HOST=0.0.0.0 lets others connect")
}
