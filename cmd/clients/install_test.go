package clients

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// npmPackage is one client as npm has it. The versions are those that the tests were written for.
type npmPackage struct {
	name, version string
	main          string // the file to run, below node_modules
}

var (
	claudePackage = npmPackage{"@anthropic-ai/claude-code-linux-x64", "2.1.330", "@anthropic-ai/claude-code-linux-x64/claude"}
	codexPackage  = npmPackage{"@openai/codex", "0.169.0", "@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex"}
	geminiPackage = npmPackage{"@google/gemini-cli", "0.61.0", "@google/gemini-cli/bundle/gemini.js"}

	typeScriptPackage = npmPackage{"@anthropic-ai/sdk", "1.12.0", "@anthropic-ai/sdk/index.mjs"}
)

// install puts a client into the cache, once, from the registry that npm is set to, and returns the file to run.
func install(t *testing.T, p npmPackage) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "gca-clients", strings.NewReplacer("@", "", "/", "-").Replace(p.name)+"-"+p.version)
	file := filepath.Join(dir, "node_modules", p.main)
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return file
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Fatalf("npm is missing: apt-get install npm, or put node 20 or newer into the PATH: %v", err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "new-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(fresh); err != nil {
			t.Error(err)
		}
	})
	if out, err := exec.CommandContext(t.Context(), npm, "install", "--no-audit", "--no-fund", "--prefix", fresh, p.name+"@"+p.version).CombinedOutput(); err != nil {
		t.Fatalf("npm install %s: %v\n%s", p.name, err, out)
	}
	if err := errors.Join(os.RemoveAll(dir), os.Rename(fresh, dir)); err != nil {
		t.Fatal(err)
	}
	return file
}

// node is the interpreter that Gemini CLI and the SDK for TypeScript need.
func node(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("node is missing: the clients need node 20 or newer (apt-get install nodejs): %v", err)
	}
	return path
}
