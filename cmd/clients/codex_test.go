package clients

import (
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// codex runs Codex with a prompt; name is the model that it asks for.
func (r *rig) codex(name, prompt string, args ...string) string {
	r.t.Helper()
	r.put(r.home+"/.codex/config.toml", `model = "`+name+`"
model_provider = "gca"
check_for_update_on_startup = false
[model_providers.gca]
name = "gca"
base_url = "`+r.url+`/v1"
env_key = "GCA_TOKEN"
wire_api = "responses"
[analytics]
enabled = false
`)
	all := append([]string{"exec", "--sandbox", "danger-full-access", "--skip-git-repo-check"}, args...)
	return r.run([]string{"GCA_TOKEN=" + clientToken}, install(r.t, codexPackage), append(all, prompt)...)
}

func TestClient_Codex(t *testing.T) {
	t.Logf("Codex: %s", strings.TrimSpace((&rig{t: t, home: t.TempDir(), work: t.TempDir()}).run(nil, install(t, codexPackage), "--version")))
	t.Run("plain", func(t *testing.T) {
		r := start(t)
		r.has("stdout", r.codex(model, "Say hello"), "stand-in that runs on your own machine")
		r.check()
	})
	t.Run("tool loop", func(t *testing.T) {
		r := start(t,
			does(func(*rig) []fakegemini.FunctionCall {
				return []fakegemini.FunctionCall{call("exec_command", "cmd", "printf 'written by Codex' > note.txt")}
			}),
			does(func(*rig) []fakegemini.FunctionCall {
				return []fakegemini.FunctionCall{call("exec_command", "cmd", "cat note.txt")}
			}),
			says("The file says:"))
		out := r.codex(model, "Write a note and read it back")
		r.file("note.txt", "written by Codex")
		r.has("stdout", out, "The file says:")
		r.has("the result", out, "written by Codex")
		r.check()
	})
	t.Run("parallel tools", func(t *testing.T) {
		r := start(t,
			does(func(*rig) []fakegemini.FunctionCall {
				return []fakegemini.FunctionCall{call("exec_command", "cmd", "sleep 0.3; echo one > one.txt; echo first"), call("exec_command", "cmd", "echo two > two.txt; echo second")}
			}),
			says("Both ran:"))
		out := r.codex(model, "Do two things at once")
		r.file("one.txt", "one")
		r.file("two.txt", "two")
		r.has("stdout", out, "Both ran:")
		r.inOrder("first", "second")
		r.check()
	})
	t.Run("image", func(t *testing.T) {
		r := start(t,
			does(func(r *rig) []fakegemini.FunctionCall {
				return []fakegemini.FunctionCall{call("view_image", "path", r.path("second.png"))}
			}),
			says("Two diagonal lines."))
		r.put(r.path("first.png"), picture(t))
		r.put(r.path("second.png"), picture(t))
		r.has("stdout", r.codex(model, "Compare the pictures", "--image="+r.path("first.png"), "--"), "Two diagonal lines.")
		r.sees(2)
		r.check()
	})
	t.Run("resume", func(t *testing.T) {
		r := start(t,
			does(func(*rig) []fakegemini.FunctionCall {
				return []fakegemini.FunctionCall{call("exec_command", "cmd", "echo seen")}
			}),
			says("Done."))
		r.codex(model, "Look once")
		r.has("stdout", r.codex(model, "And now?", "resume", "--last"), "Done.")
		r.check()
	})
}
