package setup

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gemini-claude-adapter/gca/manage/client"
)

// Place is where this user's programs keep their settings.
type Place struct {
	Home   string
	Config string                   // the user's configuration folder, as os.UserConfigDir has it
	Getenv func(name string) string // of variables that move a program's folder
	GOOS   string                   // whose notation commands for the shell are in
	Roots  string                   // file of the roots of the adapter's private CA, "" where the system's will do
}

// noToken is shown where the adapter asks for none, since programs refuse to start without one.
const noToken = "none"

// codexModel is for programs that send no name that the adapter could map; it is gca's own default.
const codexModel = "gemini-3.8-flash"

// Names are the targets' names, in the order of help texts.
func Names() []string {
	return []string{"claude-code", "codex", "gemini-cli", "vscode", "jetbrains", "openai-sdk", "curl"}
}

// For returns the named target for an adapter. model is the model to set, "" for the program's own choice. Not ok is a name that
// there is not.
func (p Place) For(name string, profile client.Profile, model string) (t *Target, ok bool) {
	profile.Token = cmp.Or(profile.Token, noToken)
	switch name {
	case "claude-code":
		t = p.claudeCode(profile, model)
	case "codex":
		t = p.codex(profile, cmp.Or(model, codexModel))
	case "gemini-cli":
		t = p.geminiCLI(profile, model)
	case "vscode":
		t = p.vscode(profile, model)
	case "jetbrains":
		t = p.jetbrains(profile, model)
	case "openai-sdk":
		t = p.openAI(profile, cmp.Or(model, codexModel))
	case "curl":
		t = p.curl(profile, cmp.Or(model, codexModel))
	default:
		return nil, false
	}
	t.Name = name
	return t, true
}

// What the runtimes of programs read further roots from. SSL_CERT_FILE and CURL_CA_BUNDLE stand for all roots, so they are for one
// shell or command alone.
const (
	nodeRoots   = "NODE_EXTRA_CA_CERTS"
	codexRoots  = "CODEX_CA_CERTIFICATE"
	pythonRoots = "SSL_CERT_FILE"
	curlRoots   = "CURL_CA_BUNDLE"
)

const claudeModel = "ANTHROPIC_MODEL"

// optional is an edit of JSON that a run without that value does not make.
func optional(value string, path ...string) edit {
	e := edit{path: path, optional: true}
	if value != "" {
		e.raw = quote(value)
	}
	return e
}

// trusting adds the variables that name the roots to env, where there are any.
func (p Place) trusting(env []client.Variable, names ...string) []client.Variable {
	for _, name := range names {
		if p.Roots != "" {
			env = append(env, client.Variable{Name: name, Value: p.Roots})
		}
	}
	return env
}

// start is how to start a program that reads the roots before it reads its settings.
func (p Place) start(program, variable string) string {
	if p.Roots == "" {
		return "next: " + program
	}
	return "next: " + p.export(client.Variable{Name: variable, Value: p.Roots}) + "\n      " + program
}

// claudeRivals would win over the adapter, or make the program complain of two ways in.
func claudeRivals() []string {
	return []string{"ANTHROPIC_API_KEY", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY"}
}

func (p Place) claudeCode(profile client.Profile, model string) *Target {
	t := &Target{Title: "Claude Code", Env: p.trusting(profile.ClaudeCode(), nodeRoots), Unset: claudeRivals(), Words: "next: claude"}
	if model != "" {
		t.Env = append(t.Env, client.Variable{Name: claudeModel, Value: model})
	}
	f := File{Path: filepath.Join(cmp.Or(p.Getenv("CLAUDE_CONFIG_DIR"), filepath.Join(p.Home, ".claude")), "settings.json"), format: jsonFormat{}}
	for _, v := range profile.ClaudeCode() {
		f.edits = append(f.edits, edit{path: []string{"env", v.Name}, raw: quote(v.Value)})
	}
	f.edits = append(f.edits, optional(p.Roots, "env", nodeRoots), optional(model, "env", claudeModel))
	for _, name := range claudeRivals() {
		f.edits = append(f.edits, edit{path: []string{"env", name}})
	}
	t.Files = []File{f}
	t.Once = Once{Program: "claude", Settings: &f, Flag: "--settings"} // the user's own settings win over the environment
	return t
}

func (p Place) codex(profile client.Profile, model string) *Target {
	const provider = "model_providers.gca"
	settings := []string{`name = "gca"`, "base_url = " + quote(profile.URL+"/v1"), `wire_api = "responses"`}
	inline := "{ " + strings.Join(append(settings[:len(settings):len(settings)], `env_key = "GCA_TOKEN"`), ", ") + " }"
	table := append([]string{"[" + provider + "]"}, settings...)
	table = append(table, "experimental_bearer_token = "+quote(profile.Token))
	return &Target{
		Title: "Codex",
		Files: []File{{filepath.Join(cmp.Or(p.Getenv("CODEX_HOME"), filepath.Join(p.Home, ".codex")), "config.toml"), tomlFormat{}, []edit{
			{path: []string{"model"}, raw: "model = " + quote(model)},
			{path: []string{"model_provider"}, raw: `model_provider = "gca"`},
			{path: []string{"[" + provider + "]"}, raw: strings.Join(table, "\n")},
		}}},
		Env:   p.trusting([]client.Variable{{Name: "GCA_TOKEN", Value: profile.Token}}, codexRoots),
		Once:  Once{Program: "codex", Args: []string{"-c", "model=" + quote(model), "-c", `model_provider="gca"`, "-c", provider + "=" + inline}},
		Words: p.start("codex", codexRoots),
	}
}

func (p Place) geminiCLI(profile client.Profile, model string) *Target {
	dir := filepath.Join(p.Home, ".gemini")
	t := &Target{
		Title: "Gemini CLI",
		Env:   []client.Variable{{Name: "GOOGLE_GEMINI_BASE_URL", Value: profile.URL}, {Name: "GEMINI_API_KEY", Value: profile.Token}},
		Unset: []string{"GOOGLE_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_GCA"},
		Words: p.start("gemini; a folder with a .env of its own uses that one instead", nodeRoots),
	}
	settings := File{Path: filepath.Join(dir, "settings.json"), format: jsonFormat{}, edits: []edit{
		{path: []string{"security", "auth", "selectedType"}, raw: quote("gemini-api-key")}, optional(model, "model", "name"),
	}}
	if model != "" {
		t.Env = append(t.Env, client.Variable{Name: "GEMINI_MODEL", Value: model})
	}
	env := File{Path: filepath.Join(dir, ".env"), format: envFormat{}}
	for _, v := range t.Env[:2] {
		env.edits = append(env.edits, edit{path: []string{v.Name}, raw: envLine(v.Name, v.Value)})
	}
	t.Files, t.Env = []File{env, settings}, p.trusting(t.Env, nodeRoots)
	t.Once = Once{Program: "gemini", Settings: &settings, Variable: "GEMINI_CLI_SYSTEM_SETTINGS_PATH"}
	return t
}

// vscode sets what Claude Code's extension shares with it, and that it asks for no login. The token is not in VS Code's own
// settings, which may be synchronised to other machines.
func (p Place) vscode(profile client.Profile, model string) *Target {
	t := p.claudeCode(profile, model)
	t.Title = "the extension Claude Code for VS Code, and claude"
	t.Words = "next: start VS Code anew and open Claude Code; extensions that ask for an OpenAI-compatible server take what gca setup openai-sdk shows"
	for _, editor := range p.editors() {
		t.Files = append(t.Files, File{filepath.Join(p.Config, editor, "User", "settings.json"), jsonFormat{}, []edit{{path: []string{"claudeCode.disableLoginPrompt"}, raw: "true"}}})
	}
	return t
}

// editors are VS Code, and those made of it that this user has.
func (p Place) editors() []string {
	editors := []string{"Code"}
	for _, other := range []string{"Code - Insiders", "VSCodium", "Cursor", "Windsurf"} {
		if info, err := os.Stat(filepath.Join(p.Config, other, "User")); err == nil && info.IsDir() {
			editors = append(editors, other)
		}
	}
	return editors
}

func (p Place) jetbrains(profile client.Profile, model string) *Target {
	t := p.claudeCode(profile, model)
	t.Title = "the plugin Claude Code for JetBrains, and claude"
	t.Words = "next: in the IDE, Settings | Plugins, install Claude Code, and start it from its icon; it uses these settings\n" +
		"      AI Assistant: Settings | Tools | AI Assistant | Models, OpenAI-compatible, URL " + profile.URL + "/v1, and the token that gca setup openai-sdk shows"
	return t
}

// export is an assignment in the user's shell.
func (p Place) export(v client.Variable) string {
	if p.GOOS == "windows" {
		return fmt.Sprintf("$env:%s = '%s'", v.Name, strings.ReplaceAll(v.Value, "'", "''"))
	}
	return "export " + v.Name + "=" + shellQuote(v.Value)
}

func shellQuote(s string) string {
	if plainValue.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Exports are the target's environment in the notation of the user's shell.
func (p Place) Exports(t *Target) string {
	var b strings.Builder
	for _, v := range t.Env {
		b.WriteString(p.export(v) + "\n")
	}
	return b.String()
}

func (p Place) openAI(profile client.Profile, model string) *Target {
	t := &Target{Title: "OpenAI's SDKs, and programs that use them",
		Env: p.trusting([]client.Variable{{Name: "OPENAI_BASE_URL", Value: profile.URL + "/v1"}, {Name: "OPENAI_API_KEY", Value: profile.Token}}, pythonRoots, nodeRoots)}
	t.Words = p.Exports(t) + fmt.Sprintf(`
# Python: pip install openai
from openai import OpenAI
client = OpenAI()  # base_url and api_key from the environment above
print(client.chat.completions.create(model=%[1]q, messages=[{"role": "user", "content": "hello"}]).choices[0].message.content)

// Node: npm install openai
import OpenAI from "openai";
const client = new OpenAI(); // baseURL and apiKey from the environment above
console.log((await client.chat.completions.create({ model: %[1]q, messages: [{ role: "user", content: "hello" }] })).choices[0].message.content);`, model)
	return t
}

func (p Place) curl(profile client.Profile, model string) *Target {
	t := &Target{Title: "curl", Env: p.trusting([]client.Variable{{Name: "GCA_URL", Value: profile.URL}, {Name: "GCA_TOKEN", Value: profile.Token}}, curlRoots)}
	body := fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"hello"}]}`, model)
	if p.GOOS == "windows" {
		t.Words = p.Exports(t) + "curl.exe -sS \"$env:GCA_URL/v1/chat/completions\" -H \"Authorization: Bearer $env:GCA_TOKEN\" -H \"Content-Type: application/json\" -d '" + strings.ReplaceAll(body, `"`, `\"`) + "'"
		return t
	}
	t.Words = p.Exports(t) + "curl -sS \"$GCA_URL/v1/chat/completions\" -H \"Authorization: Bearer $GCA_TOKEN\" -H \"Content-Type: application/json\" \\\n  -d '" + body + "'"
	return t
}
