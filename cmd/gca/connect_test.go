package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"

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

// save makes a profile the only one of this user.
func save(t *testing.T, profile client.Profile) {
	t.Helper()
	file, err := client.File()
	profiles := &client.Profiles{}
	if err = errors.Join(err, profiles.Put("here", profile)); err == nil {
		err = client.Save(file, profiles)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A token is kept unless the adapter refuses it, another one is asked for, or it is of another address.
func TestConnect_Known(t *testing.T) {
	home(t, "")
	adapter := clienttest.Start(t)
	f := func(token, saved, url, tokenName string, want bool) {
		t.Helper()
		save(t, client.Profile{URL: saved, Token: token, Host: "root@vps"})
		flags := &connectFlags{tokenName: tokenName}
		before, err := flags.before("root@vps", url)
		if err != nil {
			t.Fatal(err)
		}
		if got := flags.known(t.Context(), before); got != want || got && before.Token != token {
			t.Errorf("token %s at %s: %v, %+v", token, url, got, before)
		}
	}
	const nobody = "http://127.0.0.1:1"
	f(clienttest.Token, adapter.URL, adapter.URL, "", true)
	f("revoked", adapter.URL, adapter.URL, "", false)
	f(clienttest.Token, adapter.URL, "https://elsewhere.example.com", "", false)
	f(clienttest.Token, adapter.URL, adapter.URL, "another", false)
	f("", adapter.URL, adapter.URL, "", false)
	f(clienttest.Token, nobody, nobody, "", true) // that it does not answer says nothing of the token
}

// A token that was made on the server is saved, though Gemini does not answer today; the next run goes on with it.
func TestConnect_TokenIsKept(t *testing.T) {
	home(t, "")
	adapter := clienttest.Start(t)
	sick := failing(t, adapter.URL)
	server := newTokenServer(t)
	save(t, client.Profile{URL: sick, Host: server.target})
	for range 2 {
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"gca", "connect", "--accept-new-host-key", "--no-input", "--profile", "here", server.target}, &streams{in: os.Stdin, out: &out, err: &errs})
		if code != exitFailed || !strings.Contains(errs.String(), "overloaded") {
			t.Fatalf("exit code %d:\n%s%s", code, out.String(), errs.String())
		}
		if profile, err := loadProfile("here"); err != nil || profile.Token != clienttest.Token || profile.Host != server.target {
			t.Errorf("saved: %+v, %v", profile, err)
		}
	}
	if made := server.made.Load(); made != 1 {
		t.Errorf("%d tokens were made", made)
	}
}

// No token is made for an address that it must not be sent to, or where nobody answers.
func TestConnect_NoTokenInVain(t *testing.T) {
	home(t, "")
	server := newTokenServer(t)
	f := func(url string, want int, complaint string) {
		t.Helper()
		save(t, client.Profile{URL: url, Host: server.target})
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"gca", "connect", "--accept-new-host-key", "--no-input", server.target}, &streams{in: os.Stdin, out: &out, err: &errs})
		if code != want || !strings.Contains(errs.String(), complaint) {
			t.Errorf("%s: exit code %d:\n%s%s", url, code, out.String(), errs.String())
		}
	}
	f("http://192.0.2.1", exitUsage, "is plain HTTP to a public address")
	f("http://127.0.0.1:1", exitUnreachable, "cannot connect to http://127.0.0.1:1")
	if made := server.made.Load(); made != 0 {
		t.Errorf("%d tokens were made", made)
	}
}

// failing is the adapter at a URL on a day on which no model answers.
func failing(t *testing.T, adapter string) string {
	t.Helper()
	to, err := url.Parse(adapter)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			http.Error(w, `{"type":"error","error":{"type":"overloaded_error","message":"overloaded"}}`, http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// tokenServer is the SSH server of an adapter: it makes the client token of clienttest, and knows no certificate.
type tokenServer struct {
	target string
	made   atomic.Int32
}

func newTokenServer(t *testing.T) *tokenServer {
	t.Helper()
	t.Setenv("SSH_AUTH_SOCK", "")
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	l, listenErr := net.Listen("tcp", "127.0.0.1:0")
	if err = errors.Join(err, listenErr); err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(signer)
	s := &tokenServer{target: "root@" + l.Addr().String()}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			sock, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() { s.serve(sock, config) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); work.Wait() })
	return s
}

// serve ends when the client hangs up.
func (s *tokenServer) serve(sock net.Conn, config *ssh.ServerConfig) {
	defer func() { _ = sock.Close() }()
	_, channels, requests, err := ssh.NewServerConn(sock, config)
	if err != nil {
		return // the client says why
	}
	go func() {
		for req := range requests { // keepalives
			_ = req.Reply(false, nil)
		}
	}()
	for offer := range channels {
		ch, asked, err := offer.Accept()
		if err != nil {
			return
		}
		for req := range asked {
			_ = req.Reply(req.Type == "exec", nil)
			if req.Type == "exec" {
				s.exec(ch, string(req.Payload))
			}
		}
	}
}

func (s *tokenServer) exec(ch ssh.Channel, line string) {
	status := uint32(exitFailed)
	if strings.Contains(line, "tokens") && strings.Contains(line, "add") {
		s.made.Add(1)
		status = exitOK
		_, _ = fmt.Fprintf(ch, `{"schema":1,"name":"here","token":%q,"live":true}`, clienttest.Token)
	}
	_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
	_ = ch.Close()
}
