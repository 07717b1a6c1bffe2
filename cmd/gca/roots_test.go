package main

import (
	"encoding/pem"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/manage/client/clienttest"
)

// An adapter whose certificate comes from a private CA: the programs that setup points there trust it, and nothing else changes.
func TestSetup_PrivateCA(t *testing.T) {
	t.Parallel()
	gca, adapter := buildOnce(t), clienttest.Start(t)
	back, err := url.Parse(adapter.URL)
	if err != nil {
		t.Fatal(err)
	}
	secure := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(back))
	t.Cleanup(secure.Close)
	roots := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}))
	s := newSeat(t)
	profile := client.Profile{URL: secure.URL, Token: clienttest.Token, Roots: roots}
	if err := client.Save(filepath.Join(s.dir, ".config", "gca", "profiles.json"), &client.Profiles{Default: "mine", Named: map[string]client.Profile{"mine": profile}}); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(s.dir, ".config", "gca", "roots", "127.0.0.1-"+secure.URL[len("https://127.0.0.1:"):]+".pem")
	ok := func(line string, wants ...string) {
		t.Helper()
		got := s.run(t, line)
		if got.code != exitOK {
			t.Errorf("%s: exit code %d", line, got.code)
		}
		wantText(t, got.out, wants...)
	}
	ok(gca+" setup claude-code --print", `"NODE_EXTRA_CA_CERTS": "`+kept+`"`)
	if _, err := os.Stat(kept); err == nil {
		t.Error("--print wrote the roots")
	}
	ok(gca+" test", "accepted: laptop")
	ok(`eval "$(`+gca+` setup curl)"`, "You said: hello")
	if text, err := os.ReadFile(kept); err != nil || string(text) != roots {
		t.Errorf("%v\n%s", err, text)
	}
	ok(gca+" setup claude-code -- sh -c 'echo $NODE_EXTRA_CA_CERTS'", kept)
	ok(gca+" setup codex -- sh -c 'echo $CODEX_CA_CERTIFICATE'", kept)
	ok(gca+" setup gemini-cli --print", "export NODE_EXTRA_CA_CERTS="+kept)
	ok(gca+" setup openai-sdk", "export SSL_CERT_FILE="+kept)

	settings := filepath.Join(s.dir, ".claude", "settings.json")
	before := `{"env": {"NODE_EXTRA_CA_CERTS": "/my/own.pem"}}`
	if err := os.MkdirAll(filepath.Dir(settings), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(settings, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	ok(gca+" setup claude-code --yes", "wrote "+settings)
	if text, err := os.ReadFile(settings); err != nil || !strings.Contains(string(text), `"NODE_EXTRA_CA_CERTS": "`+kept+`"`) {
		t.Errorf("%v\n%s", err, text)
	}
	ok(gca+" setup claude-code --undo --yes", "put back "+settings)
	if text, err := os.ReadFile(settings); err != nil || string(text) != before {
		t.Errorf("undone: %v\n%s", err, text)
	}
}
