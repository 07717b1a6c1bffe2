package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// workload is one kind of load; docs/performance.md says what each is for.
type workload struct {
	name   string
	large  bool          // a request as Claude Code's, 189 KB or what size says; else 1.1 KB
	size   int           // bytes of a large request, about; 0 is 189 KB
	stream bool          // the client asks for a stream
	reply  behaviour     // of the upstream
	conns  int           // closed loop: so many clients, each asking again once it has its answer
	rate   int           // open loop: requests a second, whenever the answers come; 0 is a closed loop
	rounds int           // requests of each client before the load ends; 0 is until the time is over
	time   time.Duration // how long it lasts
}

// behaviour is how the upstream answers until it is told otherwise.
type behaviour struct {
	Stream bool          `json:"stream"`
	Chunks int           `json:"chunks"`
	Bytes  int           `json:"bytes"`  // of text in a chunk, at least stampLength
	Pace   time.Duration `json:"pace"`   // between chunks
	Delay  time.Duration `json:"delay"`  // before the first
	Faults int           `json:"faults"` // how many of a hundred calls of Gemini fail, or are late
}

// workloads are all there are, in the order in which they run.
func workloads() []workload {
	small := behaviour{Chunks: 1, Bytes: 560}
	fast := behaviour{Stream: true, Chunks: 200, Bytes: 60}
	slow := behaviour{Chunks: 1, Bytes: 560, Delay: 20 * time.Millisecond}
	all := []workload{
		{name: "W1", reply: small, conns: 32, time: 5 * time.Second},
		{name: "W2", large: true, reply: small, conns: 16, time: 5 * time.Second},
		{name: "W3", large: true, stream: true, reply: fast, conns: 16, time: 5 * time.Second},
		{name: "W4", stream: true, reply: behaviour{Stream: true, Chunks: 60, Bytes: 60, Pace: 100 * time.Millisecond}, conns: 1000, rounds: 1},
		{name: "W4x5", stream: true, reply: behaviour{Stream: true, Chunks: 10, Bytes: 60, Pace: time.Second}, conns: 5000, rounds: 1},
		{name: "L1", reply: small, conns: 1, time: 2 * time.Second},
		{name: "L2", large: true, reply: small, conns: 1, time: 2 * time.Second},
		{name: "L3", large: true, stream: true, reply: fast, conns: 1, time: 2 * time.Second},
	}
	for _, rate := range []int{500, 1000, 2000} {
		all = append(all, workload{name: fmt.Sprintf("W5@%d", rate), reply: slow, rate: rate, time: 5 * time.Second})
	}
	return all
}

// scale are workloads that differ in one number alone, for what grows with it: streams at once, and bytes of a request. They run
// only where they are named.
func scale() []workload {
	var all []workload
	for _, n := range []int{100, 1000, 5000} {
		all = append(all, workload{name: fmt.Sprintf("S%d", n), stream: true, conns: n, rounds: 1,
			reply: behaviour{Stream: true, Chunks: 10, Bytes: 60, Pace: max(100*time.Millisecond, time.Duration(n)*time.Millisecond/5)}})
	}
	for _, kb := range []int{10, 100, 1000, 10000} {
		all = append(all, workload{name: fmt.Sprintf("B%dK", kb), large: true, size: kb << 10, conns: 2, time: 3 * time.Second,
			reply: behaviour{Chunks: 1, Bytes: 560}})
	}
	return all
}

// shape is the protocol that a client speaks.
type shape uint8

const (
	anthropic shape = iota
	openai
)

func (s shape) String() string { return [...]string{"anthropic", "openai"}[s] }

func (s shape) path() string { return [...]string{"/v1/messages", "/v1/chat/completions"}[s] }

// model is asked for by every request: one that exists, so that nothing is special about it.
const model = "gemini-3.8-flash"

// body makes the request of a workload.
func (w workload) body(s shape) []byte {
	if !w.large {
		return fmt.Appendf(nil, `{"model":%q,"max_tokens":4096,"stream":%t,"messages":[{"role":"user","content":%s}]}`, model, w.stream, quote(prose(1000)))
	}
	turns := turns
	if w.size > 0 {
		turns = max(1, (w.size-fixedBytes)/turnBytes)
	}
	if s == openai {
		return openAIRequest(w.stream, turns)
	}
	return anthropicRequest(w.stream, turns)
}

const (
	systemBytes = 14 << 10
	tools       = 20
	turns       = 19
	resultBytes = 5400

	turnBytes  = 6700     // of a turn and its result
	fixedBytes = 62 << 10 // of all else
)

func anthropicRequest(stream bool, turns int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"model":%q,"max_tokens":32000,"stream":%t,"system":[{"type":"text","text":%s,"cache_control":{"type":"ephemeral"}}],"tools":[`, model, stream, quote(prose(systemBytes)))
	for i := range tools {
		fmt.Fprintf(&b, `%s{"name":"tool_%d","description":%s,"input_schema":%s}`, comma(i), i, quote(prose(1200)), toolSchema())
	}
	fmt.Fprintf(&b, `],"messages":[{"role":"user","content":[{"type":"text","text":%s}]}`, quote(prose(2000)))
	for i := range turns {
		fmt.Fprintf(&b, `,{"role":"assistant","content":[{"type":"text","text":%s},{"type":"tool_use","id":"toolu_%024d","name":"tool_%d","input":{"path":"/src/file_%d.go","limit":%d}}]}`, quote(prose(200)), i, i%tools, i, i)
		fmt.Fprintf(&b, `,{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_%024d","content":%s}]}`, i, quote(code(resultBytes)))
	}
	b.WriteString(`,{"role":"assistant","content":"Done so far."},{"role":"user","content":"Go on."}]}`)
	return []byte(b.String())
}

func openAIRequest(stream bool, turns int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"model":%q,"max_completion_tokens":32000,"stream":%t,"tools":[`, model, stream)
	for i := range tools {
		fmt.Fprintf(&b, `%s{"type":"function","function":{"name":"tool_%d","description":%s,"parameters":%s}}`, comma(i), i, quote(prose(1200)), toolSchema())
	}
	fmt.Fprintf(&b, `],"messages":[{"role":"system","content":%s},{"role":"user","content":%s}`, quote(prose(systemBytes)), quote(prose(2000)))
	for i := range turns {
		fmt.Fprintf(&b, `,{"role":"assistant","content":%s,"tool_calls":[{"id":"call_%024d","type":"function","function":{"name":"tool_%d","arguments":%s}}]}`,
			quote(prose(200)), i, i%tools, quote(fmt.Sprintf(`{"path":"/src/file_%d.go","limit":%d}`, i, i)))
		fmt.Fprintf(&b, `,{"role":"tool","tool_call_id":"call_%024d","content":%s}`, i, quote(code(resultBytes)))
	}
	b.WriteString(`,{"role":"assistant","content":"Done so far."},{"role":"user","content":"Go on."}]}`)
	return []byte(b.String())
}

// toolSchema is as large as those of coding tools are.
func toolSchema() string {
	var b strings.Builder
	b.WriteString(`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","additionalProperties":false,"required":["path"],"properties":{"path":{"type":"string","description":"the file"}`)
	for i := range 6 {
		fmt.Fprintf(&b, `,"option_%d":{"description":%s,"anyOf":[{"type":"string","enum":["a","b","c"]},{"type":"array","items":{"type":"object","properties":{"from":{"type":"integer","minimum":0},"to":{"type":["integer","null"]}},"required":["from"]}}]}`, i, quote(prose(90)))
	}
	b.WriteString(`}}`)
	return b.String()
}

func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

// prose is n bytes of plain text.
func prose(n int) string {
	const words = "The adapter reads what the client wrote and asks for an answer; \"quoted\" words and line ends\nmake the text what it is. "
	return strings.Repeat(words, n/len(words)+1)[:n]
}

// code is n bytes that are full of what JSON escapes.
func code(n int) string {
	const lines = "\tif err := r.read(ctx, \"file\"); err != nil {\n\t\treturn fmt.Errorf(\"cannot read %q: %w\", path, err)\n\t}\n"
	return strings.Repeat(lines, n/len(lines)+1)[:n]
}

func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic("BUG: a string has no JSON form: " + err.Error())
	}
	return string(text)
}
