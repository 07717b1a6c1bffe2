package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// composed is what gca export compose wrote, run by an engine.
type composed struct {
	t     *testing.T
	words []string // the program that reads compose.yaml, as docker compose
	dir   string
	env   []string
}

func (c *composed) run(args ...string) string {
	c.t.Helper()
	all := append(append(c.words[1:len(c.words):len(c.words)], "-p", "gca-test"), args...)
	cmd := exec.Command(c.words[0], all...)
	cmd.Dir, cmd.Env = c.dir, c.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// answers asks until there is an answer: one that starts anew is not there at once.
func (c *composed) answers(l *load, when string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	text, err := l.ask(shortQuestion)
	for tick := time.NewTicker(200 * time.Millisecond); err != nil && ctx.Err() == nil; text, err = l.ask(shortQuestion) {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	if err != nil || !strings.Contains(text, endTurn) {
		c.t.Errorf("%s: %s, %v\n%s", when, text, err, c.run("logs"))
	}
}

// TestCompose: the adapter and the Nginx before it come up, answer, know how they are, and find each other again, whichever of
// them starts anew.
func TestCompose(t *testing.T) {
	words := strings.Fields(os.Getenv("GCA_COMPOSE"))
	if len(words) == 0 {
		t.Skip("make test-compose runs it; it needs an engine for containers, and its Nginx comes from a registry")
	}
	dir, web, google := exported(t, "compose"), freePort(t), freePort(t)
	file := filepath.Join(dir, "compose.yaml")
	compose := strings.Replace(readText(t, file), "    image: gemini-adapter\n", "", 1) // that name may be taken
	_, network, _ := strings.Cut(compose, "- subnet: ")
	subnet, _, err := net.ParseCIDR(strings.Fields(network)[0])
	if err != nil {
		t.Fatal(err)
	}
	gateway := subnet.To4()
	gateway[3]++
	host := net.JoinHostPort(gateway.String(), google)
	settings := readText(t, filepath.Join(dir, "adapter.env")) + "GEMINI_BASE_URL=http://" + host + "\n"
	if err := errors.Join(os.WriteFile(file, []byte(compose), 0o600), os.WriteFile(filepath.Join(dir, "adapter.env"), []byte(settings), 0o600)); err != nil {
		t.Fatal(err)
	}
	c := &composed{t, words, dir, append(os.Environ(), "GCA_LISTEN=127.0.0.1:"+web)}
	t.Cleanup(func() { c.run("down", "-v", "--rmi", "local", "-t", "5") })
	c.run("up", "-d", "--build")

	fake := fakegemini.New(fakegemini.Options{Keys: goodKeys})
	if _, err := fake.Listen(host); err != nil { // the engine has made the address
		t.Fatal(err)
	}
	defer func() {
		if err := fake.Close(); err != nil {
			t.Error(err)
		}
	}()
	l := &load{t: t, url: "http://127.0.0.1:" + web, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	for _, line := range strings.Split(settings, "\n") {
		if token, found := strings.CutPrefix(line, "CLIENT_TOKENS="); found {
			l.token = token
		}
	}
	c.answers(l, "at first")
	wantText(t, c.run("exec", "-T", "gemini-adapter", "/gca", "health"), "healthy: 3 of 3 keys are active")
	for _, service := range []string{"nginx", "gemini-adapter"} {
		c.run("restart", "-t", "5", service)
		c.answers(l, "after a restart of "+service)
	}
}
