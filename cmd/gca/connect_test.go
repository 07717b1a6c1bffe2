package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/manage/client/clienttest"
)

// home gives the test a home of its own, with an ssh_config.
func home(t *testing.T, sshConfig string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("XDG_CONFIG_HOME", "")
	if err := os.Mkdir(filepath.Join(dir, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".ssh", "config"), []byte(sshConfig), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestConnect_isServer(t *testing.T) {
	home(t, "Host tokyo\n HostName 203.0.113.9\n")
	f := func(target string, want bool) {
		t.Helper()
		if isServer(target) != want {
			t.Errorf("%q is a server: %v", target, !want)
		}
	}
	f("root@203.0.113.9", true)
	f("tokyo", true)
	f("osaka", false)
	f("adapter.example.com", false)
	f("https://tokyo", false)
	f("https://me@adapter.example.com", false)
}

// A token that the server takes is kept; one that it does not take any more, or of another address, is not.
func TestConnect_Known(t *testing.T) {
	home(t, "")
	adapter := clienttest.Start(t)
	f := func(token, url, tokenName string, want bool) {
		t.Helper()
		file, err := client.File()
		if err != nil {
			t.Fatal(err)
		}
		profiles := &client.Profiles{}
		if err := profiles.Put("here", client.Profile{URL: adapter.URL, Token: token, Host: "root@vps"}); err != nil {
			t.Fatal(err)
		}
		if err := client.Save(file, profiles); err != nil {
			t.Fatal(err)
		}
		got, ok := (&connectFlags{tokenName: tokenName}).known(t.Context(), "root@vps", url)
		if ok != want || ok && got.Token != token {
			t.Errorf("token %s at %s: %v, %+v", token, url, ok, got)
		}
	}
	f(clienttest.Token, adapter.URL, "", true)
	f("revoked", adapter.URL, "", false)
	f(clienttest.Token, "https://elsewhere.example.com", "", false)
	f(clienttest.Token, adapter.URL, "another", false)
	f("", adapter.URL, "", false)
}
