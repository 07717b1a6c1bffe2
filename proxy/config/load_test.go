package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// load writes files into a folder and loads them beside env, which is NAME=value strings.
func load(t *testing.T, files map[string]string, env ...string) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Load(Source{Dir: dir, Env: func(name string) (string, bool) {
		for _, e := range env {
			if value, ok := strings.CutPrefix(e, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}})
}

func TestLoad_guideFile(t *testing.T) {
	cfg, err := load(t, map[string]string{EnvFile: `
# === 必需配置 ===
GEMINI_API_KEYS=key1,key2 , key3
# PROXY_URL=http://proxy-server:port
PORT=8001
HOST="127.0.0.1"   # quoted
MAX_FAILURES=4          # 密钥进入冷却前的最大失败次数
export COOLING_PERIOD='200'
REQUEST_TIMEOUT=46
MAX_RETRIES=0
HEALTH_CHECK_INTERVAL=60
`})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(len(cfg.Keys), cfg.Port, cfg.Host, cfg.MaxFailures, cfg.CoolingPeriod, cfg.RequestTimeout, cfg.MaxRetries, cfg.Unknown)
	if want := "3 8001 127.0.0.1 4 3m20s 46s 0 []\n"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestLoad_precedence(t *testing.T) {
	cfg, err := load(t, map[string]string{
		EnvFile:    "PORT=8001\nMAX_BODY=1MB\nGEMINI_API_KEYS=from-file\n",
		KeysFile:   "# mine\nkey-a label=alpha\n\nfrom-env label=x group=g\n",
		TokensFile: fmt.Sprintf("sha256:%x name=laptop role=client\n", HashToken("tok")),
	}, "PORT=9000", "GEMINI_API_KEYS=from-env", "CLIENT_TOKENS=one,two")
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Keys) != 2 || cfg.Keys[0].Secret.Reveal() != "from-env" || cfg.Keys[0].Group != "g" || cfg.Keys[0].Label != "x" || cfg.Keys[1].Label != "alpha" {
		t.Errorf("keys: got %d, first %q", len(cfg.Keys), cfg.Keys[0].Secret.Reveal())
	}
	if cfg.Port != 9000 || cfg.MaxBody != 1<<20 || cfg.Addr() != "0.0.0.0:9000" {
		t.Errorf("got port %d, body %d, %s", cfg.Port, cfg.MaxBody, cfg.Addr())
	}
	if len(cfg.Tokens) != 3 || cfg.Tokens[2].Name != "laptop" || cfg.Tokens[2].Hash != HashToken("tok") {
		t.Errorf("tokens: got %+v", cfg.Tokens)
	}
}

func TestLoad_credentialsComeFirst(t *testing.T) {
	dir, credentials := t.TempDir(), t.TempDir()
	for folder, key := range map[string]string{dir: "plain", credentials: "handed-over"} {
		if err := os.WriteFile(filepath.Join(folder, KeysFile), []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := Load(Source{Dir: dir, Credentials: credentials, Env: func(string) (string, bool) { return "", false }})
	if err != nil || len(cfg.Keys) != 1 || cfg.Keys[0].Secret.Reveal() != "handed-over" {
		t.Errorf("got %d keys, error %v", len(cfg.Keys), err)
	}
}

// A laptop's `GEMINI_API_KEYS=… gca serve` must work, and must not open the keys to the network.
func TestLoad_withoutTokensListensOnLoopback(t *testing.T) {
	cfg, err := load(t, nil, "GEMINI_API_KEYS=a")
	if err != nil || cfg.Host != "127.0.0.1" {
		t.Errorf("got host %v, error %v", cfg, err)
	}
}

// Behind Nginx loopback is no protection: everybody on the internet comes from there.
func TestLoad_behindAProxyTokensAreRequired(t *testing.T) {
	f := func(want string, env string) {
		t.Helper()
		_, err := Load(Source{BehindProxy: true, Env: func(name string) (string, bool) {
			for _, e := range strings.Fields("GEMINI_API_KEYS=a HOST=127.0.0.1 " + env) {
				if value, ok := strings.CutPrefix(e, name+"="); ok {
					return value, true
				}
			}
			return "", false
		}})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", env, err)
		}
	}
	f("there are no client tokens", "")
	f("there are no client tokens", "CLIENT_TOKENS=,")
	f("", "CLIENT_TOKENS=tok")
	f("", "ALLOW_ANONYMOUS=true")
}

func TestLoad_errors(t *testing.T) {
	f := func(want string, file string, env ...string) {
		t.Helper()
		_, err := load(t, map[string]string{EnvFile: file}, env...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f("no Gemini API keys", "")
	f(`PORT="80a": expected a whole number from 1 to 65535`, "", "GEMINI_API_KEYS=a", "PORT=80a")
	f(`line 2: MAX_RETRIES="-1": expected a whole number from 0 to 20`, "\nMAX_RETRIES=-1")
	f(`COOLING_PERIOD="5m": expected seconds`, "COOLING_PERIOD=5m")
	f(`MAX_BODY="12": expected a size`, "MAX_BODY=12")
	for _, name := range []string{"localhost", "a..example.com", "-a.example.com", "../etc/passwd", "a/b.example.com", "fe80::1%eth0", "999.1.1.1", "a b.example.com", "*.example.com", "0.0.0.0"} {
		f(`TLS_NAME="`+name+`": expected a domain name`, "TLS_NAME="+name)
	}
	f(`ACME_DIRECTORY: expected a URL that starts with https://`, "ACME_DIRECTORY=http://ca.example.com/directory")
	f(`MAX_BODY="5MK": expected a size`, "MAX_BODY=5MK")
	f(`MAX_BODY="": expected a size`, "MAX_BODY=")
	f(`QUEUE_TIMEOUT="601": expected seconds, a whole number from 0 to 600`, "QUEUE_TIMEOUT=601")
	f(`MAX_BODY="99GB": expected a size`, "MAX_BODY=99GB")
	f(`LOG_LEVEL="loud": expected debug`, "LOG_LEVEL=loud")
	f(`HOST="a b": expected an address`, "HOST=a b")
	f(`HOST="300.1.1.1": expected an address`, "HOST=300.1.1.1")
	f("PROXY_URL: expected a URL that starts with http:// or https:// or socks5://", "PROXY_URL=ftp://user:hidden@x")
	f(`MODEL_MAP: "x": expected NAME=GEMINI-MODEL`, "MODEL_MAP=x")
	f(`ALLOW_ANONYMOUS="maybe"`, "ALLOW_ANONYMOUS=maybe")
	f("line 1: expected NAME=value", "nonsense")
	f("line 2: PORT is set a second time, first on line 1", "PORT=1\nPORT=2")
	f("line 1: HOST: the quote \" is not closed", `HOST="x`)
	f("GEMINI_API_KEYS: key 2 has white space inside", "", "GEMINI_API_KEYS=good,hid den")
	f("HOST=0.0.0.0 lets others connect", "", "GEMINI_API_KEYS=a", "HOST=0.0.0.0")
}

func TestErrorsHideSecrets(t *testing.T) {
	for _, file := range []map[string]string{
		{EnvFile: "GEMINI_API_KEYS=ok,hid\tden"},
		{EnvFile: "PROXY_URL=http://user:hidden"},
		{KeysFile: "AIza hidden"},
		{KeysFile: "AIza\x01hidden"},
		{TokensFile: "hidden"},
	} {
		_, err := load(t, file, "CLIENT_TOKENS=hid den")
		if err == nil || strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "den") && !strings.Contains(err.Error(), "token") {
			t.Errorf("%v: got %v", file, err)
		}
	}
	if got := fmt.Sprintf("%v %+v %#v %s %q", NewSecret("x"), NewSecret("x"), NewSecret("x"), NewSecret("x"), NewSecret("x")); strings.Contains(got, "x") {
		t.Errorf("a secret prints as %s", got)
	}
}

func TestFormatKeys_roundTrip(t *testing.T) {
	const text = "one\ntwo label=b\nthree group=g\nfour group=g label=d\n"
	keys, err := ParseKeys(text)
	if err != nil || FormatKeys(keys) != text {
		t.Errorf("got %q, error %v", FormatKeys(keys), err)
	}
}

func TestParseEnv(t *testing.T) {
	cfg, err := ParseEnv("PORT=8123\nMAX_BODY=10MB\nDRAIN_TIMEOUT=30\n")
	if err != nil || cfg.Port != 8123 || cfg.MaxBody != 10<<20 || cfg.DrainTimeout != 30*time.Second {
		t.Errorf("got %+v, error %v", cfg, err)
	}
}

func FuzzParseEnv(f *testing.F) {
	f.Add("PORT=8000 # x\nHOST='a'\nexport MODEL_MAP=a=b")
	f.Fuzz(func(t *testing.T, text string) {
		if cfg, err := ParseEnv(text); err == nil && (cfg.Port < 1 || cfg.MaxBody < 1<<10 || cfg.BaseURL == nil) {
			t.Errorf("accepted %q as %+v", text, cfg)
		}
	})
}

// The service's own folder holds the state unless STATE_URL says otherwise; a laptop has none, and no state.
func TestLoad_stateURL(t *testing.T) {
	f := func(want, stateDir, file string, env map[string]string) {
		t.Helper()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, EnvFile), []byte("GEMINI_API_KEYS=a\n"+file), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := Load(Source{Dir: dir, StateDir: stateDir, Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
		if err != nil || cfg.Show("STATE_URL") != want {
			t.Errorf("got %q, %v; want %q", cfg.Show("STATE_URL"), err, want)
		}
	}
	f("", "", "", nil)
	f("file:///var/lib/gemini-adapter/state.db", "/var/lib/gemini-adapter", "", nil)
	f("file:///srv/x.db", "/var/lib/gemini-adapter", "STATE_URL=file:///srv/x.db\n", nil)
	f("file:///srv/y.db", "/var/lib/gemini-adapter", "STATE_URL=file:///srv/x.db\n", map[string]string{"STATE_URL": "file:///srv/y.db"})
	f("", "/var/lib/gemini-adapter", "STATE_URL=\n", nil)
}
