package front

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Each line mends one request as often as it can be mended, and tells what the faults changed.
func TestRepair(t *testing.T) {
	f := func(fault Fault, change func(*Call), want string) {
		t.Helper()
		call := &Call{Request: &gemini.Request{}, Schemas: NewSchemas()}
		change(call)
		if call.Request.Contents == nil {
			call.Request.Contents = parseHistory("u:q")
		}
		if err := Prepare(call, "gemini-4-neon", nil); err != nil {
			t.Fatal(err)
		}
		var steps []string
		for Repair(call, fault) {
			steps = append(steps, mended(call.Request))
		}
		if got := strings.Join(steps, " / "); got != want {
			t.Errorf("fault %d: %s, want %s", fault, got, want)
		}
	}
	tools := func(mode string) func(*Call) {
		return func(c *Call) {
			if err := c.SetTools([]Tool{{Name: "f"}}, ToolChoice{Mode: mode}); err != nil {
				t.Fatal(err)
			}
		}
	}
	plain := func(*Call) {}
	dummies := func(c *Call) { tools(ModeAny)(c); c.Request.Contents = parseHistory("u:q / m:a() / u:a=1") }
	signed := func(c *Call) {
		dummies(c)
		c.Request.Contents[1].Parts[0].FunctionCall.ClientID = "x1"
		c.Carried = []Record{{ClientID: "x1", Signature: "REAL", Model: "gemini-4-neon"}}
	}
	output := func(c *Call) {
		c.Request.GenerationConfig = &gemini.GenerationConfig{ResponseMimeType: "application/json", ResponseJSONSchema: json.RawMessage(`{"type":"array"}`)}
	}
	thinking := func(c *Call) { c.Thinking = Thinking{Effort: "max"} }

	f(FaultSignature, plain, "")
	f(FaultSignature, dummies, "") // the same bytes get the same answer
	f(FaultSignature, signed, "json ANY think[]")
	f(FaultUnsaid, dummies, "strict ANY think[]")
	f(FaultUnsaid, plain, "")
	f(FaultUnsaid, tools(ModeAny), "strict ANY think[]")
	f(FaultUnsaid, signed, "json ANY think[] / strict ANY think[]")
	f(FaultUnsaid, output, "responseSchema think[]")
	f(FaultSchema, plain, "")
	f(FaultSchema, tools(""), "strict think[]")
	f(FaultSchema, tools(ModeAny), "strict ANY think[] / strict AUTO think[]")
	f(FaultStates, tools(ModeAny), "json AUTO think[] / strict AUTO think[]")
	f(FaultStates, output, "words think[]")
	f(FaultOutput, output, "responseSchema think[] / words think[]")
	f(FaultThinking, thinking, "think[HIGH] / ")
	f(FaultThinking, plain, "")
	f(FaultSafety, plain, "think[] BLOCK_NONE")
}

// mended tells a request's form in words.
func mended(r *gemini.Request) string {
	out := string(r.AppendJSON(nil))
	var words []string
	add := func(mark, word string) {
		if strings.Contains(out, mark) {
			words = append(words, word)
		}
	}
	add(`"parametersJsonSchema"`, "json")
	add(`"parameters"`, "strict")
	add(`"mode":"ANY"`, "ANY")
	add(`"mode":"AUTO"`, "AUTO")
	add(`"responseSchema":{"type":"ARRAY"`, "responseSchema")
	add(`match this JSON Schema: {\"type\":\"array\"}`, "words")
	if config := r.GenerationConfig.ThinkingConfig; config != nil {
		words = append(words, fmt.Sprintf("think[%s]", config.ThinkingLevel))
	}
	add(`"BLOCK_NONE"`, "BLOCK_NONE")
	return strings.Join(words, " ")
}

func TestRefusedToolsAreRemembered(t *testing.T) {
	schemas := NewSchemas()
	f := func(tool, target, want string) *Call {
		t.Helper()
		call := &Call{Request: &gemini.Request{Contents: parseHistory("u:q")}, Schemas: schemas}
		if err := call.SetTools([]Tool{{Name: tool, Schema: json.RawMessage(`{"x-a":1,"type":"object"}`)}}, ToolChoice{}); err != nil {
			t.Fatal(err)
		}
		if err := Prepare(call, target, nil); err != nil {
			t.Fatal(err)
		}
		if got := mended(call.Request); !strings.HasPrefix(got, want+" ") {
			t.Errorf("%s on %s: %s, want %s", tool, target, got, want)
		}
		return call
	}
	call := f("a", flash38, "json")
	call.Learn() // was not refused
	call = f("a", flash38, "json")
	if !Repair(call, FaultSchema) {
		t.Fatal("nothing to mend")
	}
	f("a", flash38, "json") // not answered yet
	call.Learn()
	f("a", flash38, "strict")
	f("a", pro25, "json")
	f("b", flash38, "json")
	for i := range uint64(2 * maxRefused) {
		schemas.refuse(i)
	}
	if n := len(schemas.refused[0]) + len(schemas.refused[1]); n > maxRefused {
		t.Errorf("%d blocks are kept", n)
	}
	f("a", flash38, "json")
}

func TestSchemasAreBounded(t *testing.T) {
	r := recent{limit: 10_000}
	for i := range 1000 {
		r.put(fmt.Sprint("k", i), json.RawMessage(`{}`))
		if _, ok := r.get([]byte("k0")); !ok {
			t.Fatalf("what is in use is forgotten after %d others", i)
		}
	}
	if n := len(r.now) + len(r.old); n > 10_000/64 {
		t.Errorf("%d entries", n)
	}
	if _, ok := r.get([]byte("k1")); ok {
		t.Error("what nobody asks for stays")
	}
	if r.put("big", make(json.RawMessage, 6000)); r.size > 5000 {
		t.Error("an entry of more than a half was taken")
	}
}

// BenchmarkSchemas prepares the tools of one request of Claude Code: 21 of them, 79 kB in all.
func BenchmarkSchemas(b *testing.B) {
	var tools []Tool
	for i := range 21 {
		var schema strings.Builder
		schema.WriteString(`{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","additionalProperties":false,"properties":{`)
		for j := range 12 {
			if j > 0 {
				schema.WriteByte(',')
			}
			fmt.Fprintf(&schema, `"p%d":{"type":"string","description":"%s","default":"x","items":{"type":"object","properties":{"q":{"type":"integer","exclusiveMinimum":0}}}}`,
				j, strings.Repeat("what it is ", 14))
		}
		fmt.Fprintf(&schema, `},"required":["p1","p%d"]}`, i%12)
		tools = append(tools, Tool{Name: fmt.Sprint("t", i), Schema: json.RawMessage(schema.String())})
	}
	for name, schemas := range map[string]*Schemas{"anew": nil, "remembered": NewSchemas()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				call := &Call{Request: &gemini.Request{Contents: parseHistory("u:q")}, Schemas: schemas}
				if err := call.SetTools(tools, ToolChoice{}); err != nil {
					b.Fatal(err)
				}
				if err := Prepare(call, flash38, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
