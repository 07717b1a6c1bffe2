package clients

import (
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// gemini runs Gemini CLI with a prompt.
func (r *rig) gemini(prompt string) string {
	r.t.Helper()
	r.put(r.home+"/.gemini/settings.json", `{"security":{"auth":{"selectedType":"gemini-api-key"}},"privacy":{"usageStatisticsEnabled":false},"general":{"enableAutoUpdate":false}`+r.config+`}`)
	env := []string{"GOOGLE_GEMINI_BASE_URL=" + r.url, "GEMINI_API_KEY=" + clientToken, "GEMINI_CLI_TRUST_WORKSPACE=true"}
	return r.run(env, node(r.t), install(r.t, geminiPackage), "-p", prompt, "-m", model, "--yolo")
}

func TestClient_GeminiCLI(t *testing.T) {
	t.Logf("Gemini CLI %s", strings.TrimSpace((&rig{t: t, home: t.TempDir(), work: t.TempDir()}).run(nil, node(t), install(t, geminiPackage), "--version")))
	t.Run("plain", func(t *testing.T) {
		r := start(t)
		r.has("stdout", r.gemini("Say hello"), "stand-in that runs on your own machine")
		r.check()
	})
	t.Run("tool loop", func(t *testing.T) {
		r := start(t,
			does(func(r *rig) []fakegemini.FunctionCall {
				return []fakegemini.FunctionCall{call("write_file", "file_path", r.path("note.txt"), "content", "written by Gemini CLI")}
			}),
			does(func(r *rig) []fakegemini.FunctionCall {
				return []fakegemini.FunctionCall{call("read_file", "file_path", r.path("note.txt"))}
			}),
			says("The file says:"))
		out := r.gemini("Write a note and read it back")
		r.file("note.txt", "written by Gemini CLI")
		r.has("stdout", out, "The file says:")
		r.has("the result", out, "written by Gemini CLI")
		r.check()
	})
	t.Run("parallel tools", func(t *testing.T) {
		r := start(t,
			does(func(r *rig) []fakegemini.FunctionCall {
				return []fakegemini.FunctionCall{call("run_shell_command", "command", "echo one > one.txt; echo first"), call("run_shell_command", "command", "echo two > two.txt; echo second")}
			}),
			says("Both ran:"))
		out := r.gemini("Do two things at once")
		r.file("one.txt", "one")
		r.file("two.txt", "two")
		r.has("stdout", out, "Both ran:")
		r.inOrder("first", "second")
		r.check()
	})
	t.Run("long names", func(t *testing.T) {
		r := start(t, callsOdd()...)
		r.config = "," + oddServer(t, longNames, `,"trust":true`)
		r.saysOdd(r.gemini("Use the odd tool"))
	})
	t.Run("cut stream", func(t *testing.T) {
		r := start(t)
		r.fake.Respond(nil)
		r.fake.Enqueue(fakegemini.Reply(fakegemini.Text("Half of "), fakegemini.Hangup()), fakegemini.Say("The whole answer."))
		r.has("stdout", r.gemini("Say something"), "The whole answer.")
		r.check()
	})
	t.Run("image", func(t *testing.T) {
		r := start(t,
			does(func(r *rig) []fakegemini.FunctionCall {
				return []fakegemini.FunctionCall{call("read_file", "file_path", r.path("picture.png"))}
			}),
			says("A diagonal line."))
		r.put(r.path("picture.png"), picture(t))
		r.has("stdout", r.gemini("What is in picture.png?"), "A diagonal line.")
		r.sees(1)
		r.check()
	})
}
