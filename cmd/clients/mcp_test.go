package clients

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// The test binary is also an MCP server, with tools whose schemas use what the standard allows and few servers do.

const (
	mcpVariable = "GCA_TEST_MCP"
	everyTool   = "1"
	longNames   = "2" // these tools alone: Gemini CLI drops a server with schemas like the others
)

func TestMain(m *testing.M) {
	if which := os.Getenv(mcpVariable); which != "" {
		tools := oddTools()
		if which == longNames {
			tools = tools[len(tools)-2:]
		}
		if err := serveMCP(tools, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

type mcpTool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"inputSchema"`
}

const longName = "a_tool_with_a_very_long_name_that_leaves_no_room_for_a_prefix" // 61 characters, 71 with mcp__odd__

// oddTools are the tools; the last letters of two long names differ.
func oddTools() []mcpTool {
	schemas := []struct{ name, schema string }{
		{"draft7", `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","definitions":{"p":{"type":"string"}},"properties":{"a":{"$ref":"#/definitions/p","description":"with a sibling"}},"required":["a"],"additionalProperties":false}`},
		{"defs", `{"type":"object","$defs":{"node":{"type":"object","properties":{"children":{"type":"array","items":{"$ref":"#/$defs/node"}}}}},"properties":{"root":{"$ref":"#/$defs/node"}}}`},
		{"loop", `{"type":"object","$defs":{"n":{"type":"object","properties":{"next":{"$ref":"#/$defs/n"}},"required":["next"]}},"properties":{"n":{"$ref":"#/$defs/n"}}}`},
		{"unions", `{"type":"object","properties":{"a":{"type":["string","null"]},"b":{"oneOf":[{"type":"string"},{"type":"integer"}]},"c":{"allOf":[{"type":"object","properties":{"x":{"type":"string"}}},{"required":["x"]}]},"d":{"not":{"type":"null"}}}}`},
		{"values", `{"type":"object","properties":{"a":{"const":"x"},"b":{"enum":[1,2,"three",null]},"c":{"type":"number","exclusiveMinimum":0},"default":{"type":"string","default":"d"},"format":{"type":"string","format":"uri"}}}`},
		{"shapes", `{"type":"object","properties":{"tuple":{"type":"array","items":[{"type":"string"},{"type":"number"}]},"any":{},"yes":true,"open":{"type":"array"},"map":{"type":"object","patternProperties":{"^x":{"type":"string"}},"propertyNames":{"pattern":"^x"}}},"required":["nothing"]}`},
		{"nowhere", `{"type":"object","properties":{"a":{"$ref":"https://example.com/schema.json"}}}`},
		{"empty", `{"type":"object"}`},
		{longName + "_x", `{"type":"object","properties":{"word":{"type":"string"}},"required":["word"]}`},
		{longName + "_y", `{"type":"object","properties":{"word":{"type":"string"}},"required":["word"]}`},
	}
	var out []mcpTool
	for _, s := range schemas {
		out = append(out, mcpTool{s.name, "An odd tool", json.RawMessage(s.schema)})
	}
	return out
}

type mcpRequest struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Name      string          `json:"name"`
		Version   string          `json:"protocolVersion"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"params"`
}

type mcpReply struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  mcpResult       `json:"result"`
}

type mcpResult struct {
	Version      string           `json:"protocolVersion,omitempty"`
	Capabilities *mcpCapabilities `json:"capabilities,omitempty"`
	ServerInfo   *mcpServerInfo   `json:"serverInfo,omitempty"`
	Tools        []mcpTool        `json:"tools,omitempty"`
	Content      []mcpText        `json:"content,omitempty"`
}

type mcpCapabilities struct {
	Tools struct{} `json:"tools"`
}

type mcpServerInfo struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type mcpText struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// serveMCP answers one JSON-RPC message a line.
func serveMCP(tools []mcpTool, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	answers := json.NewEncoder(out)
	for lines.Scan() {
		var q mcpRequest
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return err
		}
		if len(q.ID) == 0 {
			continue
		}
		reply := mcpReply{JSONRPC: "2.0", ID: q.ID}
		switch q.Method {
		case "initialize":
			reply.Result = mcpResult{Version: q.Params.Version, Capabilities: &mcpCapabilities{}, ServerInfo: &mcpServerInfo{"odd", "1"}}
		case "tools/list":
			reply.Result.Tools = tools
		case "tools/call":
			reply.Result.Content = []mcpText{{"text", fmt.Sprintf("%s was called with %s", q.Params.Name, q.Params.Arguments)}}
		}
		if err := answers.Encode(reply); err != nil {
			return err
		}
	}
	return lines.Err()
}

// callsOdd is a script that calls the second of the long names, as it was declared, and tells what came of it.
func callsOdd() []step {
	return []step{
		func(r *rig, _ string) fakegemini.Answer {
			last, _ := r.fake.Last()
			var long []string
			for _, name := range functions(last) {
				if strings.Contains(name, "a_tool_with_a_very") {
					long = append(long, name)
				}
			}
			if len(long) != 2 || long[0] == long[1] || slices.ContainsFunc(long, func(n string) bool { return len(n) > 64 }) {
				r.t.Errorf("the long names are declared as %q of %q", long, functions(last))
				return fakegemini.Say("Lost.")
			}
			return fakegemini.Reply(fakegemini.Calls(call(long[1], "word", "hello")))
		},
		says("The odd tool says:"),
	}
}

// oddServer is the configuration of the MCP server, in the JSON that Claude Code and Gemini CLI share.
func oddServer(t *testing.T, which, rest string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`"mcpServers":{"odd":{"command":%q,"args":[],"env":{%q:%q}%s}}`, self, mcpVariable, which, rest)
}

func (r *rig) saysOdd(out string) {
	r.t.Helper()
	r.has("stdout", out, "The odd tool says:")
	r.has("the result", out, longName+"_y was called with")
	r.check()
}
