package clients

import (
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// claude runs Claude Code with a prompt, as `gca setup claude-code` would have it set.
func (r *rig) claude(prompt string, args ...string) string {
	r.t.Helper()
	env := []string{"ANTHROPIC_BASE_URL=" + r.url, "ANTHROPIC_AUTH_TOKEN=" + clientToken, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1", "CLAUDE_CODE_AUTO_MODE_SERVER=0",
		"ANTHROPIC_MODEL=" + model}
	return r.run(append(env, r.env...), install(r.t, claudePackage), append([]string{"-p", prompt, "--allowedTools", "Bash,Read,Write,WebSearch,mcp__odd"}, args...)...)
}

func TestClient_ClaudeCode(t *testing.T) {
	t.Logf("Claude Code %s", strings.TrimSpace((&rig{t: t, home: t.TempDir(), work: t.TempDir()}).run(nil, install(t, claudePackage), "--version")))
	t.Run("plain", func(t *testing.T) {
		r := start(t)
		r.has("stdout", r.claude("Say hello"), "You said: Say hello")
		r.check()
	})
	t.Run("tool loop", func(t *testing.T) {
		r := start(t,
			does(func(r *rig) []fakegemini.FunctionCall {
				return []fakegemini.FunctionCall{call("Write", "file_path", r.path("note.txt"), "content", "written by Claude Code")}
			}),
			does(func(r *rig) []fakegemini.FunctionCall {
				return []fakegemini.FunctionCall{call("Read", "file_path", r.path("note.txt"))}
			}),
			says("The file says:"))
		out := r.claude("Write a note and read it back")
		r.file("note.txt", "written by Claude Code")
		r.has("stdout", out, "The file says:")
		r.has("the result", out, "written by Claude Code")
		r.check()
	})
	t.Run("parallel tools", func(t *testing.T) {
		r := start(t,
			does(func(r *rig) []fakegemini.FunctionCall {
				return []fakegemini.FunctionCall{call("Bash", "command", "sleep 0.3; echo one > one.txt; echo first", "description", "Write one"),
					call("Bash", "command", "echo two > two.txt; echo second", "description", "Write two"), call("Bash", "command", "echo third", "description", "Say three")}
			}),
			says("All of them ran:"))
		out := r.claude("Do three things at once")
		r.file("one.txt", "one")
		r.file("two.txt", "two")
		r.has("stdout", out, "All of them ran:")
		r.inOrder("first", "second", "third")
		r.check()
	})
}

func TestClient_ClaudeCode_sees(t *testing.T) {
	t.Run("image", func(t *testing.T) {
		r := start(t,
			does(func(r *rig) []fakegemini.FunctionCall {
				return []fakegemini.FunctionCall{call("Read", "file_path", r.path("picture.png"))}
			}),
			says("A diagonal line."))
		r.put(r.path("picture.png"), picture(t))
		r.has("stdout", r.claude("What is in picture.png?"), "A diagonal line.")
		r.sees(1)
		r.check()
	})
	t.Run("web search", func(t *testing.T) {
		r := start(t,
			func(r *rig, _ string) fakegemini.Answer {
				return fakegemini.Reply(fakegemini.Calls(fakegemini.Call("ToolSearch", `{"query":"select:WebSearch","max_results":1}`)))
			},
			does(func(*rig) []fakegemini.FunctionCall {
				return []fakegemini.FunctionCall{call("WebSearch", "query", "swiss cheese")}
			}),
			says("I have found:"))
		out := r.claude("Search the web for swiss cheese")
		r.has("stdout", out, "I have found:")
		r.has("the search's result", out, "example.com")
		if strings.Contains(out, "Web search error") {
			t.Errorf("the search failed: %s", out)
		}
		r.check()
	})
}

func TestClient_ClaudeCode_turns(t *testing.T) {
	t.Run("text between calls", func(t *testing.T) {
		r := start(t,
			func(*rig, string) fakegemini.Answer {
				return fakegemini.Reply(fakegemini.Thought("hm"), fakegemini.Text("I look. "), fakegemini.Calls(call("Bash", "command", "echo one", "description", "One")),
					fakegemini.Calls(call("Bash", "command", "echo two", "description", "Two")))
			},
			says("Looked:"))
		r.has("stdout", r.claude("Look twice"), "Looked:")
		r.inOrder("one", "two")
		r.check()
	})
	t.Run("cut stream", func(t *testing.T) {
		r := start(t)
		r.fake.Respond(nil)
		r.fake.Enqueue(fakegemini.Reply(fakegemini.Text("Half of "), fakegemini.Hangup()), fakegemini.Say("The whole answer."))
		r.has("stdout", r.claude("Say something"), "The whole answer.")
		r.check()
	})
	t.Run("resume", func(t *testing.T) {
		r := start(t,
			does(func(*rig) []fakegemini.FunctionCall {
				return []fakegemini.FunctionCall{call("Bash", "command", "echo seen", "description", "Look")}
			}),
			says("Done."))
		r.claude("Look once")
		r.has("stdout", r.claude("And now?", "--continue"), "Done.")
		r.check()
	})
}

func TestClient_ClaudeCode_models(t *testing.T) {
	t.Run("odd schemas", func(t *testing.T) {
		r := start(t, callsOdd()...)
		r.env = []string{"ENABLE_TOOL_SEARCH=false"}
		r.put(r.home+"/mcp.json", "{"+oddServer(t, everyTool, "")+"}")
		r.saysOdd(r.claude("Use the odd tool", "--strict-mcp-config", "--mcp-config", r.home+"/mcp.json"))
	})
	for _, family := range families {
		t.Run(family, func(t *testing.T) {
			r := start(t,
				does(func(r *rig) []fakegemini.FunctionCall {
					return []fakegemini.FunctionCall{call("Read", "file_path", r.path("picture.png")), call("Bash", "command", "echo seen", "description", "Look")}
				}),
				does(func(r *rig) []fakegemini.FunctionCall {
					return []fakegemini.FunctionCall{call("Write", "file_path", r.path("note.txt"), "content", "a diagonal line")}
				}),
				says("Noted."))
			r.put(r.path("picture.png"), picture(t))
			r.has("stdout", r.claude("Look and note", "--model", family), "Noted.")
			r.file("note.txt", "a diagonal line")
			r.sees(1)
			r.check()
		})
	}
	t.Run("default model", func(t *testing.T) {
		r := start(t)
		r.has("stdout", r.claude("Say hello", "--model", "opus"), "You said: Say hello")
		r.check()
	})
}

// inOrder fails the test unless the last request has results that say so, in this order.
func (r *rig) inOrder(pieces ...string) {
	r.t.Helper()
	all := r.prompts()
	var results []string
	for _, c := range all[len(all)-1].Request.Contents {
		for _, p := range c.Parts {
			if p.FunctionResponse != nil {
				results = append(results, string(p.FunctionResponse.Response))
			}
		}
	}
	if len(results) != len(pieces) {
		r.t.Fatalf("%d results, want %d: %q", len(results), len(pieces), results)
	}
	for i, p := range pieces {
		r.has("a result", results[i], p)
	}
}
