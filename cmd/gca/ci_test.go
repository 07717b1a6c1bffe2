package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const workflow = "../../docs/github-actions/deploy.yml"

// The project's own workflows, and the example of one that deploys, are such as GitHub takes.
func TestWorkflow(t *testing.T) {
	ours, err := filepath.Glob("../../.github/workflows/*.yml")
	if err != nil || len(ours) != 2 {
		t.Fatalf("%q, %v", ours, err)
	}
	// Programs that may or may not be on this machine have no say.
	lint := append([]string{"tool", "actionlint", "-shellcheck=", "-pyflakes=", workflow}, ours...)
	out, err := exec.CommandContext(t.Context(), "go", lint...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// workflowStep is the script of a step, by its name.
func workflowStep(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(workflow)
	if err != nil {
		t.Fatal(err)
	}
	_, step, found := strings.Cut(string(text), "- name: "+name+"\n")
	step, _, _ = strings.Cut(step, "      - name: ")
	_, script, block := strings.Cut(step, "        run: |\n")
	if !found || !block {
		t.Fatalf("the workflow has no step %q with a script", name)
	}
	var lines strings.Builder
	for line := range strings.Lines(script) {
		lines.WriteString(strings.TrimPrefix(line, "          "))
	}
	return lines.String()
}

// Its scripts deploy, as GitHub runs them, and say what went wrong. No secret is in what they print.
func TestTrap_githubActions(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	key, err := os.ReadFile(r.server.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "bin"), 0o755), os.Symlink(r.gca, filepath.Join(dir, "bin/gca"))); err != nil {
		t.Fatal(err)
	}
	step := func(name string, code int, env ...string) string {
		t.Helper()
		script := workflowStep(t, name)
		if name == "Deploy" { // what GitHub's runner and Google are in life
			script = strings.Replace(script, "gca deploy", "gca deploy --gemini-base-url "+r.base, 1)
		}
		cmd := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
		cmd.Dir = dir
		cmd.Env = append([]string{"HOME=" + r.home, "PATH=" + os.Getenv("PATH"), "RUNNER_TEMP=" + dir, "CI=true", "VPS=" + r.target(),
			"VPS_HOST_KEY=" + r.server.HostKeys[0].Fingerprint, "VPS_SSH_KEY=" + strings.TrimSpace(string(key))}, env...)
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
			t.Fatalf("%s: %v, want exit code %d\n%s", name, err, code, said.String())
		}
		return said.String()
	}
	step("Take the SSH key", exitOK)
	wantText(t, step("Deploy", exitUsage), "no Gemini API keys")
	wantText(t, step("Deploy", exitHostKey, append(withKeys(), "VPS_HOST_KEY=SHA256:"+strings.Repeat("A", 43))...), "::error::not let in")
	first := step("Deploy", exitOK, withKeys()...)
	wantText(t, first, "done in ", "http://"+r.host)
	result, err := os.ReadFile(filepath.Join(dir, "result"))
	if err != nil {
		t.Fatal(err)
	}
	secrets := slices.Clone(goodKeys)
	for _, name := range []string{"Client token", "Admin token"} {
		_, rest, found := strings.Cut(string(result), name+", shown this once: ")
		token, _, _ := strings.Cut(rest, "\n")
		if !found || token == "" {
			t.Fatalf("the result has no %s: %s", name, result)
		}
		secrets = append(secrets, token)
	}
	for _, secret := range secrets {
		if strings.Contains(first, secret) {
			t.Errorf("the log shows a secret:\n%s", first)
		}
	}
	wantText(t, step("Deploy", exitOK), "http://"+r.host+": up to date")
}
