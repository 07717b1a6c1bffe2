// Command demo shows the whole of gca on this machine: it boots a throwaway Debian server, deploys to it exactly as a user
// would, asks the adapter from outside, and leaves everything running to be looked at until `demo down`.
//
// Google's Gemini API is played by the strict fake, or, when GEMINI_API_KEYS is set, is Google itself, reached through a
// relay on the server's gateway, since the throwaway server has no other way out.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

const serverName = "demo"

// fakeKeys are what the fake accepts; three, as a user is advised to bring.
const fakeKeys = "demo-key-one,demo-key-two,demo-key-three"

func main() {
	lab.RunHolder()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 2 && args[0] == "up":
		return up(ctx, args[1])
	case len(args) == 2 && args[0] == "down":
		return down(ctx, args[1])
	case len(args) == 2 && args[0] == companionVerb:
		return serveCompanion(ctx, args[1])
	}
	return errors.New("usage: demo up DIR | demo down DIR, where DIR holds the binary gca")
}

// up runs the tour with the binary gca in dir, where the demo's user has a home apart from the real one.
func up(ctx context.Context, dir string) error {
	begun := time.Now()
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := down(ctx, dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "home"), 0o700); err != nil {
		return err
	}
	say("a fresh Debian server")
	server, err := lab.Keep(ctx, lab.Options{Name: serverName}, os.Stderr)
	if err != nil {
		return err
	}
	if err := claim(dir, server); err != nil {
		return err
	}
	base, err := startCompanion(ctx, dir, server.Gateway)
	if err != nil {
		return err
	}
	u := &user{gca: filepath.Join(dir, "gca"), home: filepath.Join(dir, "home"), key: server.KeyFile}
	if err := u.tour(ctx, server, base); err != nil {
		return fmt.Errorf("%w\nhint: look at it with: go run ./cmd/lab ssh %s; end it with: make demo-down", err, serverName)
	}
	fmt.Printf("\nThat took %.0f s, and it stays up. Go on as the demo's user, look inside, or remove every trace:\n", time.Since(begun).Seconds())
	fmt.Printf("  HOME=%s %s ask \"hello\"\n", u.home, u.gca)
	fmt.Printf("  HOME=%s %s logs -i %s root@%s\n", u.home, u.gca, u.key, server.Addr)
	fmt.Printf("  go run ./cmd/lab ssh %s\n  make demo-down\n", serverName)
	return nil
}

func say(format string, args ...any) { fmt.Printf("\n== "+format+"\n", args...) }

// user runs gca as somebody with a home of his own.
type user struct{ gca, home, key string }

func (u *user) tour(ctx context.Context, server *lab.Server, base string) error {
	target := "root@" + server.Addr
	keys := os.Getenv("GEMINI_API_KEYS")
	if keys == "" {
		keys = fakeKeys
	}
	say("deploy")
	if err := u.run(ctx, []string{"GEMINI_API_KEYS=" + keys}, "deploy", "-i", u.key, "--host-key", fingerprint(server),
		"--gemini-base-url", base, "--yes", target); err != nil {
		return err
	}
	say("from outside: is it there, and does it answer?")
	if err := u.run(ctx, nil, "test"); err != nil {
		return err
	}
	if err := u.run(ctx, nil, "ask", "say something about streams"); err != nil {
		return err
	}
	say("a turn with tools, by the Anthropic Go SDK")
	if err := toolTurn(ctx, u.home); err != nil {
		return err
	}
	say("how the server sees it")
	return u.run(ctx, nil, "status", "-i", u.key, target)
}

func fingerprint(server *lab.Server) string {
	for _, key := range server.HostKeys {
		if strings.HasPrefix(key.Line, "ssh-ed25519 ") {
			return key.Fingerprint
		}
	}
	return server.HostKeys[0].Fingerprint
}

func (u *user) run(ctx context.Context, env []string, args ...string) error {
	fmt.Printf("$ gca %s\n", strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, u.gca, args...)
	cmd.Env = append(append(os.Environ(), "HOME="+u.home, "XDG_CONFIG_HOME="+filepath.Join(u.home, ".config"), "GEMINI_API_KEYS="), env...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("gca %s: %w", args[0], err)
	}
	return nil
}

// down removes every trace of the demo of dir, and refuses before anything is touched where the server is another's.
func down(ctx context.Context, dir string) error {
	servers, err := lab.List(ctx)
	if err != nil {
		return err
	}
	servers = slices.DeleteFunc(servers, func(s *lab.Server) bool { return s.Name != serverName })
	for _, s := range servers {
		if err := owned(dir, s); err != nil {
			return err
		}
	}
	err = stopCompanion(dir)
	for range servers {
		_, downErr := lab.Down(ctx, serverName)
		err = errors.Join(err, downErr)
		fmt.Printf("the server %s is gone\n", serverName)
	}
	return errors.Join(err, os.RemoveAll(serverFile(dir)), os.RemoveAll(filepath.Join(dir, "home")))
}

// serverFile has the host key of the server that belongs to dir: its name is the whole machine's.
func serverFile(dir string) string { return filepath.Join(dir, "server") }

func claim(dir string, s *lab.Server) error {
	return os.WriteFile(serverFile(dir), []byte(fingerprint(s)), 0o600)
}

func owned(dir string, s *lab.Server) error {
	text, err := os.ReadFile(serverFile(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(s.HostKeys) == 0 || string(text) != fingerprint(s) { // one that still boots has no keys
		return fmt.Errorf("the server %s of this machine was not made by a demo in %s\nhint: make demo-down in the folder where it was made, or: go run ./cmd/lab down %[1]s", s.Name, dir)
	}
	return nil
}
