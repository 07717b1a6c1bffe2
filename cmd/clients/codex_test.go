package clients

import (
	"fmt"
	"os"
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
`+r.config)
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
}

func TestClient_Codex_tools(t *testing.T) {
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
	oddTools := func(t *testing.T) string {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("[mcp_servers.odd]\ncommand = %q\nenv = { %s = %q }\n", self, mcpVariable, everyTool)
	}
	t.Run("odd schemas", func(t *testing.T) {
		r := start(t, callsOdd()...)
		r.config = oddTools(t)
		r.saysOdd(r.codex(model, "Use the odd tool"))
	})
	t.Run("tools found by a search", func(t *testing.T) {
		search := does(func(*rig) []fakegemini.FunctionCall {
			return []fakegemini.FunctionCall{call("tool_search", "query", "a tool with a very long name")}
		})
		r := start(t, append([]step{search}, callsOdd()...)...)
		r.config = oddTools(t)
		out := r.codex("gpt-5.5", "Find the odd tool and use it")
		r.has("stdout", out, "The odd tool says:")
		r.has("the result", out, `was called with {\"word\":\"hello\"}`)
		r.check()
	})
	t.Run("custom tool", func(t *testing.T) {
		const patch = "*** Begin Patch\n*** Add File: patched.txt\n+one \"quoted\" \\ line\n+<two> & ü\n*** End Patch\n"
		r := start(t,
			does(func(*rig) []fakegemini.FunctionCall {
				return []fakegemini.FunctionCall{call("apply_patch", "input", patch)}
			}),
			says("Patched:"))
		out := r.codex("gpt-5.5", "Add a file")
		r.file("patched.txt", "one \"quoted\" \\ line\n<two> & ü")
		r.has("stdout", out, "Patched:")
		r.check()
	})
	t.Run("search beside functions", func(t *testing.T) {
		r := start(t,
			func(*rig, string) fakegemini.Answer {
				return fakegemini.Reply(
					fakegemini.ServerCall("s1", "GOOGLE_SEARCH_WEB", `{"queries":["swiss cheese"]}`), fakegemini.ServerResponse("s1", "GOOGLE_SEARCH_WEB", `{"search_suggestions":"<b>"}`),
					fakegemini.Calls(call("exec_command", "cmd", "echo seen")))
			},
			says("Searched:"))
		r.has("stdout", r.codex("gpt-5.5", "Search, then look"), "Searched:")
		r.check()
	})
}

func TestClient_Codex_turns(t *testing.T) {
	for _, family := range families {
		t.Run(family, func(t *testing.T) {
			r := start(t,
				does(func(r *rig) []fakegemini.FunctionCall {
					return []fakegemini.FunctionCall{call("view_image", "path", r.path("picture.png")), call("exec_command", "cmd", "echo seen")}
				}),
				does(func(*rig) []fakegemini.FunctionCall {
					return []fakegemini.FunctionCall{call("exec_command", "cmd", "printf 'a diagonal line' > note.txt")}
				}),
				says("Noted."))
			r.put(r.path("picture.png"), picture(t))
			r.has("stdout", r.codex(family, "Look and note"), "Noted.")
			r.file("note.txt", "a diagonal line")
			r.sees(1)
			r.check()
		})
	}
	t.Run("cut stream", func(t *testing.T) {
		r := start(t)
		r.fake.Respond(nil)
		r.fake.Enqueue(fakegemini.Reply(fakegemini.Text("Half of "), fakegemini.Hangup()), fakegemini.Say("The whole answer."))
		r.has("stdout", r.codex(model, "Say something"), "The whole answer.")
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
