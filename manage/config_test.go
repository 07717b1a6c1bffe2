package manage

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

func TestNoSettingsIn(t *testing.T) {
	current := filepath.Join(t.TempDir(), "current")
	if err := noSettingsIn(current); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("where there is no release: %v", err)
	}
	if err := os.Symlink("releases/gone", current); err != nil {
		t.Fatal(err)
	}
	if err := noSettingsIn(current); !errors.Is(err, errSettingsGone) || !strings.Contains(err.Error(), "hint: from your laptop: gca restore ") {
		t.Errorf("where there is one: %v", err)
	}
}

func TestConfig(t *testing.T) {
	const text = "PORT=9000 # ours\nGEMINI_API_KEYS=AIza-a-long-key-of-google-1234,short\nCLIENT_TOKENS=tok-secret\nPROXY_URL=http://me:pass-secret@proxy:1\nTIMEZONE_CHECK=60\nGEMINI_API_KEY=AIza-misspelt-secret\n"
	const keyFile = "AIza-a-key-of-the-file-5678 label=tokyo\n"
	r, err := Config(config.Texts{Env: text, Keys: keyFile, Tokens: "sha256:" + strings.Repeat("ab", 32) + " name=laptop\nsha256:" + strings.Repeat("cd", 32) + "\n"})
	if err != nil {
		t.Fatal(err)
	}
	f := func(name, value string, source ConfigSource) {
		t.Helper()
		one, err := r.Find(name)
		if err != nil || !slices.Contains(one.Settings, ConfigEntry{name, value, source}) {
			t.Errorf("%s: got %+v, %v; want %q, %s", name, one, err, value, source)
		}
	}
	f("PORT", "9000", FromFile)
	f("MAX_BODY", "50MB", FromDefault)
	f("GEMINI_API_KEYS", "79e954ab-1234,f9b0078b", FromFile)
	f("GEMINI_API_KEYS", keys.ID(config.NewSecret("AIza-a-key-of-the-file-5678")), FromKeys)
	f("CLIENT_TOKENS", "1 hidden", FromFile)
	f("CLIENT_TOKENS", "laptop,token-cdcdcdcd", FromTokens)
	f("PROXY_URL", "http://me:xxxxx@proxy:1", FromFile)
	f("TIMEZONE_CHECK", "", FromNobody)
	f("GEMINI_API_KEY", "", FromNobody)
	if _, err := r.Find("PROT"); err == nil || !strings.Contains(err.Error(), "PROT: no such setting\nhint: the settings are GEMINI_API_KEYS, ") {
		t.Errorf("PROT: %v", err)
	}
	if _, err := r.Find("port"); err == nil || !strings.Contains(err.Error(), "did you mean PORT?") {
		t.Errorf("port: %v", err)
	}
	var out bytes.Buffer
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"PORT=9000\n", "MAX_BODY=50MB  (default)\n", "GEMINI_API_KEYS=79e954ab-1234,f9b0078b\nGEMINI_API_KEYS=", "-5678  (file keys)\n", "CLIENT_TOKENS=laptop,token-cdcdcdcd  (file tokens)\n", "TIMEZONE_CHECK=  (no setting of this release; what it is set to is not shown)\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "secret") || strings.Contains(out.String(), "AIza") {
		t.Errorf("a secret shows:\n%s", &out)
	}
	alone, err := Config(config.Texts{Keys: keyFile})
	if err != nil {
		t.Fatal(err)
	}
	if one, err := alone.Find("GEMINI_API_KEYS"); err != nil || len(one.Settings) != 1 || one.Settings[0].Source != FromKeys {
		t.Errorf("keys of the file alone: %+v, %v", one, err)
	}
	if _, err := Config(config.Texts{Env: "PORT=x"}); err == nil || !strings.Contains(err.Error(), `line 1: PORT="x": expected a whole number`) {
		t.Errorf("PORT=x: %v", err)
	}
}

func TestCheckEnv(t *testing.T) {
	f := func(before, text, want string) {
		t.Helper()
		err := CheckEnv(before, text)
		if want == "" && err != nil || want != "" && (!errors.Is(err, ErrSettings) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q after %q: got %v, want %q", text, before, err, want)
		}
	}
	f("", "PORT=9000\n", "")
	f("", "PORT=0\n", `line 1: PORT="0": expected a whole number from 1 to 65535`)
	f("", "PORT 9000\n", "line 1: expected NAME=value")
	f("", "PROT=9000\n", "PROT: no such setting")
	f("PROT=1\n", "PROT=9000\n", "")
	f("nonsense", "PORT=9000\n", "")
	f("", "HOST=0.0.0.0\n", "expected 127.0.0.1")
	f("HOST=0.0.0.0\n", "HOST=0.0.0.0\n", "")
	f("", "ADMIN_TOKEN=short\n", "ADMIN_TOKEN is easily guessed: expected 16 characters or more")
	f("", "CLIENT_TOKENS=a-token-of-many-letters,s3cret\n", "token 2 is easily guessed: expected 16 characters or more\nhint: openssl rand -hex 16")
	f("CLIENT_TOKENS=short\n", "CLIENT_TOKENS=short\nPORT=9000\n", "")
}

func TestParseAssignment(t *testing.T) {
	f := func(word string, want Assignment) {
		t.Helper()
		if got, err := ParseAssignment(word); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", word, got, err)
		}
	}
	f("PORT=9000", Assignment{"PORT", "9000", Given})
	f("MODEL_MAP=claude-*=gemini-3.8-flash", Assignment{"MODEL_MAP", "claude-*=gemini-3.8-flash", Given})
	f("PORT=", Assignment{"PORT", "", Absent})
	f("GEMINI_API_KEYS=", Assignment{"GEMINI_API_KEYS", "", Absent})
	f("GEMINI_API_KEYS=-", Assignment{"GEMINI_API_KEYS", "", Asked})
	f("PROXY_URL=-", Assignment{"PROXY_URL", "", Asked})
	f("PROXY_URL=http://proxy:1", Assignment{"PROXY_URL", "http://proxy:1", Given})

	refused := func(word, want string) {
		t.Helper()
		if got, err := ParseAssignment(word); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %+v, %v; want %q", word, got, err, want)
		}
	}
	refused("PORT", "expected NAME=VALUE")
	refused("s3cret", "expected NAME=VALUE")
	refused("=s3cret", "nothing in front of its =")
	refused("GEMINI_API_KEY=s3cret", "did you mean GEMINI_API_KEYS?")
	refused("PORT=70000", `PORT="70000": expected a whole number from 1 to 65535`)
	refused("PROT=1", "PROT: no such setting")
	refused("PROT=-", "PROT: no such setting")
	refused("PROT=", "PROT: no such setting")
	refused("HOST=0.0.0.0", "expected 127.0.0.1")
	refused("GEMINI_API_KEYS=s3cret", "hint: GEMINI_API_KEYS=- reads it from standard input")
	refused("CLIENT_TOKENS=s3cret", "hint: CLIENT_TOKENS=- reads")
	refused("PROXY_URL=http://u:s3cret@h:1", "hint: PROXY_URL=- reads")
	refused("PROXY_URL=http://u:s3cret%@h:1", "hint: PROXY_URL=- reads")
	refused("PROXY_URL=http://s3cret@h:1", "hint: PROXY_URL=- reads")
	refused("MODEL_MAP=a=b\nCLIENT_TOKENS=s3cret", "MODEL_MAP: a value is one line, without control characters")
	refused("MODEL_MAP=a=b\x1b[2J", "without control characters")
}

func TestAnswer(t *testing.T) {
	asked, err := ParseAssignment("GEMINI_API_KEYS=-")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := asked.Answer("one,two"); err != nil || got != (Assignment{"GEMINI_API_KEYS", "one,two", Given}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := asked.Answer(""); err == nil || !strings.Contains(err.Error(), "nothing was given") {
		t.Errorf("no answer gives %v", err)
	}
	if _, err := asked.Answer("one\rPORT=1"); err == nil || !strings.Contains(err.Error(), "GEMINI_API_KEYS: a value is one line") {
		t.Errorf("two lines give %v", err)
	}
	if got, err := (Assignment{"CLIENT_TOKENS", "", Asked}).Answer("exactly-sixteen-"); err != nil || got.Way != Given {
		t.Errorf("a token of sixteen letters gives %+v, %v", got, err)
	}
	if _, err := (Assignment{"CLIENT_TOKENS", "", Asked}).Answer("s3cret"); err == nil || !strings.Contains(err.Error(), "token 1 is easily guessed") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a short token gives %v", err)
	}
	if _, err := asked.Answer("one,s3cret part"); err == nil || !strings.Contains(err.Error(), "key 2 has white space") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a bad answer gives %v", err)
	}
}

func TestWanted(t *testing.T) {
	const text = "PORT=9000 # ours\nMAX_RETRIES=1\n"
	want, err := wanted(text, []Assignment{{"PORT", "9000", Given}, {"MAX_BODY", "1MB", Given}, {"MAX_RETRIES", "", Absent}})
	if err != nil || len(want.Settings) != 1 || want.Settings[0].Name != "MAX_BODY" || want.Env.Reveal() != "PORT=9000 # ours\n" {
		t.Errorf("got %+v with %q, %v", want, want.Env.Reveal(), err)
	}
	want, err = wanted("PORT=9000", []Assignment{{"PORT", "", Absent}})
	if err != nil || !strings.HasPrefix(want.Env.Reveal(), "# ") || strings.Contains(want.Env.Reveal(), "PORT") {
		t.Errorf("without its last line the file is %q, %v", want.Env.Reveal(), err)
	}
	if _, err := wanted(text, []Assignment{{"PORT", "9000", Given}, {"HOST", "", Absent}}); !errors.Is(err, ErrUnchanged) {
		t.Errorf("what is so already gives %v", err)
	}
	if _, err := wanted("nonsense", []Assignment{{"PORT", "9000", Given}}); !errors.Is(err, ErrSettings) || !strings.Contains(err.Error(), "config edit") {
		t.Errorf("a broken file gives %v", err)
	}
}
