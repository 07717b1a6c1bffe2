package clients

import (
	"os"
	"path/filepath"
	"testing"
)

// TestClient_Setup: what gca setup writes, and the environment that it runs a client in, is what the real clients need.
func TestClient_Setup(t *testing.T) {
	f := func(target string, p npmPackage, args ...string) {
		t.Run(target, func(t *testing.T) {
			r := start(t)
			r.home = privateHome(t)
			gca := binary(t)
			r.run([]string{"GCA_TOKEN=" + clientToken}, gca, "connect", r.url)
			client := append(r.program(p), args...)
			env := []string{"GEMINI_CLI_TRUST_WORKSPACE=true"}
			r.has("run once", r.run(env, gca, append([]string{"setup", target, "--"}, client...)...), "stand-in that runs on your own machine")
			r.run(nil, gca, "setup", target, "--yes")
			r.has("set up", r.run(env, client[0], client[1:]...), "stand-in that runs on your own machine")
			r.run(nil, gca, "setup", target, "--undo", "--yes")
			r.check()
		})
	}
	f("claude-code", claudePackage, "-p", "Say hello")
	f("codex", codexPackage, "exec", "--skip-git-repo-check", "Say hello")
	f("gemini-cli", geminiPackage, "-p", "Say hello", "-m", model)
}

// privateHome is a home below which no folder is everybody's, which Gemini CLI demands.
func privateHome(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.MkdirTemp(cache, "gca-home-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	return home
}

// program is how a client is started. Gemini CLI is a script, by whose name it must be started to be known.
func (r *rig) program(p npmPackage) []string {
	r.t.Helper()
	file := install(r.t, p)
	if p != geminiPackage {
		return []string{file}
	}
	bin := filepath.Join(r.t.TempDir(), "gemini")
	r.put(bin, "#!/bin/sh\nexec '"+node(r.t)+"' '"+file+"' \"$@\"\n")
	if err := os.Chmod(bin, 0o700); err != nil {
		r.t.Fatal(err)
	}
	return []string{bin}
}
