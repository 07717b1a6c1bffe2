package manage

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// archiveOf is an archive of these settings, keys and tokens, and one file of state.
func archiveOf(env, keys, tokens string) *Archive {
	a := &Archive{Manifest: goodManifest(), files: map[string][]byte{envPath: []byte(env), statePrefix + "state.db": []byte("state")}}
	if keys != "" {
		a.files[keysPath] = []byte(keys)
	}
	if tokens != "" {
		a.files[tokensPath] = []byte(tokens)
	}
	a.Manifest.Files = []ManifestFile{{Path: envPath}, {Path: statePrefix + "state.db", Mode: 0o600}}
	return a
}

func TestArchive_want(t *testing.T) {
	w, err := archiveOf("PORT=9000\nGEMINI_API_KEYS=one\nCLIENT_TOKENS=tok\n", "", "").want()
	if err != nil {
		t.Fatal(err)
	}
	if w.Env.Reveal() != "PORT=9000\nGEMINI_API_KEYS=one\nCLIENT_TOKENS=tok\n" || len(w.State) != 1 || w.State[0].Name != "state.db" ||
		w.State[0].Mode != 0o600 || string(w.State[0].Content) != "state" {
		t.Errorf("got %+v", w)
	}
	// Keys and tokens that the server has must not go on to count beside those of the archive.
	for _, text := range []string{w.Keys.Reveal(), w.Tokens.Reveal()} {
		if !strings.HasPrefix(text, "#") {
			t.Errorf("a file that the archive has not becomes %q", text)
		}
	}
	cfg, err := (config.Texts{Keys: w.Keys.Reveal(), Tokens: w.Tokens.Reveal()}).Parse()
	if err != nil || len(cfg.Keys)+len(cfg.Tokens) > 0 {
		t.Errorf("they hold %v, %v", cfg, err)
	}
}

func TestArchive_badSettings(t *testing.T) {
	f := func(env, keys, tokens, want string) {
		t.Helper()
		if _, err := archiveOf(env, keys, tokens).want(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f("PORT=x\n", "one\n", "", `PORT="x": expected a whole number`)
	f("PORT=9000\n", "", "", "no Gemini API keys")
	f("PORT=9000\n", "one s3cret\n", "", "keys: line 1")
	f("PORT=9000\n", "one\n", "s3cret\n", "tokens: line 1")
}

func TestArchive_HasToken(t *testing.T) {
	a := archiveOf("CLIENT_TOKENS=tok\n", "one\n", "")
	for token, want := range map[string]bool{"tok": true, "other": false, "": false} {
		if got := a.HasToken(token); got != want {
			t.Errorf("%q: %v", token, got)
		}
	}
}

func TestArchive_Print(t *testing.T) {
	a := archiveOf("", "", "")
	a.Manifest.Host = "evil\x1b[2J"
	var out bytes.Buffer
	if err := a.Print(&out, a.Manifest.Created.Add(90*time.Second)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`from        evil\x1b[2J, release 0.3.0-abcdef012345`, "2026-11-23 02:14:00 UTC by gca 0.3.0, 1m30s ago", "holds       /etc/gemini-adapter/adapter.env"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}
