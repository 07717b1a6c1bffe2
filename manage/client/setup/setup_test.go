package setup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/manage/client"
)

const token = "gca-a-token-of-the-tests-wxyz"

// user is a person with a home.
type user struct {
	t     *testing.T
	place Place
}

func newUser(t *testing.T) user {
	dir := t.TempDir()
	return user{t, Place{Home: dir, Config: filepath.Join(dir, ".config"), Getenv: func(string) string { return "" }, GOOS: "linux"}}
}

func (u user) target(name string) *Target {
	u.t.Helper()
	target, ok := u.place.For(name, client.Profile{URL: "https://a.example.com", Token: token}, "")
	if !ok {
		u.t.Fatalf("no target %s", name)
	}
	return target
}

func (u user) put(name, text string) string {
	u.t.Helper()
	path := filepath.Join(u.place.Home, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		u.t.Fatal(err)
	}
	return path
}

// file is a file's text, "" if there is none, and its mode.
func (u user) file(name string) (string, fs.FileMode) {
	u.t.Helper()
	path := filepath.Join(u.place.Home, name)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", 0
	}
	info, statErr := os.Stat(path)
	if err = errors.Join(err, statErr); err != nil {
		u.t.Fatal(err)
	}
	return string(text), info.Mode().Perm()
}

func (u user) apply(t *Target) []Change {
	u.t.Helper()
	changes, err := t.Plan()
	if err == nil {
		err = Apply(changes)
	}
	if err != nil {
		u.t.Fatal(err)
	}
	return changes
}

func (u user) undo(t *Target) {
	u.t.Helper()
	changes, err := t.PlanUndo()
	if err == nil {
		err = Undo(changes)
	}
	if err != nil {
		u.t.Fatal(err)
	}
}

// mine are settings that a person has, by target: they stay, and undoing gives them back byte for byte.
var mine = map[string]map[string]string{
	"claude-code": {".claude/settings.json": "{\n  \"permissions\": {\"allow\": [\"Bash(ls)\"]},\n  \"env\": {\n    \"ANTHROPIC_API_KEY\": \"sk-old\",\n    \"MINE\": \"1\"\n  }\n}\n"},
	"codex":       {".codex/config.toml": "# mine\nmodel = \"gpt-5.6\" # best\n\n[mcp_servers.x]\ncommand = \"y\"\n"},
	"gemini-cli":  {".gemini/.env": "MINE=1\nGEMINI_API_KEY=AIza-old", ".gemini/settings.json": "{\n    // mine\n    \"ui\": {\"theme\": \"x\"}\n}\n"},
	"vscode":      {".config/Code/User/settings.json": "{\n\t\"editor.fontSize\": 14, // big\n}\n", ".config/Cursor/User/settings.json": "{}"},
}

func TestMergedAndUndone(t *testing.T) {
	for name, files := range mine {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			for file, text := range files {
				u.put(file, text)
			}
			target := u.target(name)
			changes := u.apply(target)
			for file, before := range files {
				text, mode := u.file(file)
				if text == before || mode != 0o600 {
					t.Errorf("%s with mode %o:\n%s", file, mode, text)
				}
				if kept, mode := u.file(file + BackupSuffix); kept != before || mode != 0o644 {
					t.Errorf("the copy of %s with mode %o:\n%s", file, mode, kept)
				}
			}
			for _, c := range changes {
				if diff := c.Diff(); strings.Contains(diff, token) || strings.Contains(diff, "sk-old") || strings.Contains(diff, "AIza-old") {
					t.Errorf("the diff shows a secret:\n%s", diff)
				}
			}
			if again, err := target.Plan(); err != nil || len(again) > 0 {
				t.Errorf("the second time it would change %v, %v", again, err)
			}
			u.undo(target)
			for file, before := range files {
				if text, mode := u.file(file); text != before || mode != 0o644 {
					t.Errorf("%s after the undo, with mode %o:\n%s", file, mode, text)
				}
				if kept, _ := u.file(file + BackupSuffix); kept != "" {
					t.Errorf("the copy of %s stayed", file)
				}
			}
			if _, err := target.PlanUndo(); !errors.Is(err, ErrNothingToUndo) {
				t.Errorf("a second undo: %v", err)
			}
		})
	}
}

// Where nothing was before nothing is left; what others wrote meanwhile stays.
func TestUndo_keepsWhatOthersWrote(t *testing.T) {
	u := newUser(t)
	claude := u.target("claude-code")
	u.apply(claude)
	u.undo(claude)
	if text, _ := u.file(".claude/settings.json"); text != "" {
		t.Errorf("left behind: %s", text)
	}
	u.apply(claude)
	text, _ := u.file(".claude/settings.json")
	u.put(".claude/settings.json", strings.Replace(text, "{\n", "{\n  \"theme\": \"dark\",\n", 1))
	u.undo(claude)
	if text, _ := u.file(".claude/settings.json"); text != "{\n  \"theme\": \"dark\"\n}\n" {
		t.Errorf("got %s", text)
	}
	u.put(".codex/config.toml", "model = \"mine\"\n")
	codex := u.target("codex")
	u.apply(codex)
	text, _ = u.file(".codex/config.toml")
	u.put(".codex/config.toml", text+"\n[projects.x]\ntrust_level = \"trusted\"\n")
	u.undo(codex)
	if text, _ := u.file(".codex/config.toml"); text != "model = \"mine\"\n\n[projects.x]\ntrust_level = \"trusted\"\n" {
		t.Errorf("got %s", text)
	}
}

// Another address does not make the first copy the second one's.
func TestApply_keepsTheFirstCopy(t *testing.T) {
	u := newUser(t)
	u.put(".claude/settings.json", "{}")
	u.apply(u.target("claude-code"))
	other, _ := u.place.For("claude-code", client.Profile{URL: "https://b.example.com", Token: token}, "opus")
	u.apply(other)
	if text, _ := u.file(".claude/settings.json"); !strings.Contains(text, "b.example.com") || strings.Contains(text, "a.example.com") || !strings.Contains(text, `"ANTHROPIC_MODEL": "opus"`) {
		t.Errorf("got %s", text)
	}
	u.undo(other)
	if text, _ := u.file(".claude/settings.json"); text != "{}" {
		t.Errorf("after the undo: %s", text)
	}
}

// What was written between the plan and the person's yes is not overwritten, by a setup or by its undo.
func TestApply_changedMeanwhile(t *testing.T) {
	for _, before := range []string{"", "{}"} {
		u := newUser(t)
		if before != "" {
			u.put(".claude/settings.json", before)
		}
		wanted := func(err error) {
			t.Helper()
			if err == nil || !strings.Contains(err.Error(), "settings.json was changed meanwhile, so nothing was written\nhint: the same command") {
				t.Errorf("from %q: %v", before, err)
			}
		}
		changes, err := u.target("claude-code").Plan()
		if err != nil {
			t.Fatal(err)
		}
		u.put(".claude/settings.json", `{"theme": "dark"}`)
		wanted(Apply(changes))
		if text, _ := u.file(".claude/settings.json"); text != `{"theme": "dark"}` {
			t.Errorf("from %q: got %s", before, text)
		}
		if kept, mode := u.file(".claude/settings.json" + BackupSuffix); mode != 0 {
			t.Errorf("from %q: kept %q", before, kept)
		}
		u.apply(u.target("claude-code"))
		if changes, err = u.target("claude-code").PlanUndo(); err != nil {
			t.Fatal(err)
		}
		u.put(".claude/settings.json", "{\"a\": 1}")
		wanted(Undo(changes))
		if text, _ := u.file(".claude/settings.json"); text != "{\"a\": 1}" {
			t.Errorf("after the undo: %s", text)
		}
	}
}

// The model and the roots of a private CA are undone by a run that has neither, and that has no adapter any more.
func TestUndo_ofAnotherRun(t *testing.T) {
	for name, files := range mine {
		u := newUser(t)
		for file, text := range files {
			u.put(file, text)
		}
		u.place.Roots = filepath.Join(u.place.Home, "roots.pem")
		target, _ := u.place.For(name, client.Profile{URL: "https://a.example.com", Token: token}, "opus")
		u.apply(target)
		u.place.Roots = ""
		later, _ := u.place.For(name, client.Profile{}, "")
		u.undo(later)
		for file, before := range files {
			if text, _ := u.file(file); text != before {
				t.Errorf("%s, %s after the undo:\n%s", name, file, text)
			}
		}
	}
	u := newUser(t)
	u.put(".gemini/settings.json", `{"model": "flash"}`) // of a Gemini CLI that knew no model.name
	gemini := u.target("gemini-cli")
	u.apply(gemini)
	u.undo(gemini)
	if text, _ := u.file(".gemini/settings.json"); text != `{"model": "flash"}` {
		t.Errorf("got %s", text)
	}
}

func TestPlan_brokenFiles(t *testing.T) {
	u := newUser(t)
	for name, file := range map[string]string{"claude-code": u.put(".claude/settings.json", `{"env": }`), "codex": u.put(".codex/config.toml", "model = \n")} {
		_, err := u.target(name).Plan()
		if err == nil || !strings.Contains(err.Error(), "cannot change "+file) || !strings.Contains(err.Error(), "\nhint: ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestPlace(t *testing.T) {
	u := newUser(t)
	u.place.Getenv = func(name string) string {
		return map[string]string{"CLAUDE_CONFIG_DIR": "/c", "CODEX_HOME": "/x"}[name]
	}
	if c, x := u.target("claude-code").Files[0].Path, u.target("codex").Files[0].Path; c != "/c/settings.json" || x != "/x/config.toml" {
		t.Errorf("%s %s", c, x)
	}
	u.place.GOOS = "windows"
	for name, want := range map[string]string{"curl": "$env:GCA_TOKEN = '" + token + "'", "openai-sdk": "$env:OPENAI_BASE_URL = 'https://a.example.com/v1'"} {
		if words := u.target(name).Words; !strings.Contains(words, want) {
			t.Errorf("%s: %s", name, words)
		}
	}
	for _, name := range Names() {
		target := u.target(name)
		if target.Name != name || target.Title == "" || target.Words == "" || len(target.Env) == 0 {
			t.Errorf("%s: %+v", name, target)
		}
	}
	if _, ok := u.place.For("emacs", client.Profile{}, ""); ok {
		t.Error("there is a target emacs")
	}
}

func TestMask(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := Mask(text); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(`"ANTHROPIC_AUTH_TOKEN": "gca-0123456789abcdef"`, `"ANTHROPIC_AUTH_TOKEN": "…cdef"`)
	f(`{"env":{"GITHUB_TOKEN":"ghp_0123456789abcdef","x":1}}`, `{"env":{"GITHUB_TOKEN":"…cdef","x":1}}`)
	f("GEMINI_API_KEY=short", "GEMINI_API_KEY=…")
	f(`experimental_bearer_token = "gca-0123456789abcdef"`, `experimental_bearer_token = "…cdef"`)
	f(`"Authorization": "Bearer gca-0123456789abcdef"`, `"Authorization": "Bearer …cdef"`)
	f(`"max_tokens": 4096, "token": true`, `"max_tokens": 4096, "token": true`)
	f(`"url": "https://h"`, `"url": "https://h"`)
	f("GEMINI_API_KEY='AIza-0123456789abcdef'\n", "GEMINI_API_KEY='…cdef'\n")
	f(`"X-Api-Key": "sk-0123456789abcdef"`, `"X-Api-Key": "…cdef"`)
	f(`"Authorization": "Basic bWU6MDEyMzQ1Njc4OWFiY2RlZg=="`, `"Authorization": "Basic …Zg=="`)
	f(`password = "correct horse battery staple"`, `password = "…aple"`)
	f("TOKEN=\nMINE=1", "TOKEN=\nMINE=1")
}
