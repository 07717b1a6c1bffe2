package proxy

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/upstream"
)

// longRequest is a conversation of so many turns, each with a call and its result of 2 KB, in the protocol of a path.
func longRequest(path string, turns int) []byte {
	result := strings.Repeat(`\tif err != nil { return \"x\" }\n`, 64)
	var b strings.Builder
	schema := `{"type":"object","properties":{"path":{"type":"string","description":"the file"}},"required":["path"]}`
	tool := map[string]string{
		messages:    `{"name":"t%d","description":"reads","input_schema":` + schema + `}`,
		completions: `{"type":"function","function":{"name":"t%d","description":"reads","parameters":` + schema + `}}`,
		replies:     `{"type":"function","name":"t%d","description":"reads","parameters":` + schema + `}`,
	}[path]
	turn := map[string]string{
		messages: `,{"role":"assistant","content":[{"type":"text","text":"ok"},{"type":"tool_use","id":"toolu_%[1]d","name":"t1","input":{"path":"a"}}]}` +
			`,{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_%[1]d","content":"%[2]s"}]}`,
		completions: `,{"role":"assistant","content":"ok","tool_calls":[{"id":"call_%[1]d","type":"function","function":{"name":"t1","arguments":"{\"path\":\"a\"}"}}]}` +
			`,{"role":"tool","tool_call_id":"call_%[1]d","content":"%[2]s"}`,
		replies: `,{"type":"function_call","call_id":"call_%[1]d","name":"t1","arguments":"{\"path\":\"a\"}"}` +
			`,{"type":"function_call_output","call_id":"call_%[1]d","output":"%[2]s"}`,
	}[path]
	b.WriteString(`{"model":"gemini-3.8-flash","max_tokens":32000,"tools":[`)
	for i := range 20 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, tool, i)
	}
	list := map[bool]string{true: "input", false: "messages"}[path == replies]
	fmt.Fprintf(&b, `],%q:[{"role":"user","content":"go"}`, list)
	for i := range turns {
		fmt.Fprintf(&b, turn, i, result)
	}
	b.WriteString("]}")
	return []byte(b.String())
}

var toolUses = regexp.MustCompile(`\{"type":"tool_use","id":"(\w+)"`)

// thoughtful puts a block of thinking, with a thought signature, before each call of a request in Anthropic's protocol.
func thoughtful(body []byte, signature string) []byte {
	return toolUses.ReplaceAllFunc(body, func(call []byte) []byte {
		record := front.Record{ClientID: string(toolUses.FindSubmatch(call)[1]), UpstreamID: "up", Signature: signature}
		sealed := front.Seal("gemini-3.8-flash", record)
		return append([]byte(`{"type":"thinking","thinking":"hm","signature":"`+sealed+`"},`), call...)
	})
}

// translator is the way of a request from its bytes to those that Gemini gets.
func translator(tb testing.TB, path string) func(body []byte) {
	codec := map[string]front.Codec{messages: newFronts().anthropic, completions: newFronts().chat, replies: newFronts().responses}[path]
	schemas, client := front.NewSchemas(), upstream.New(upstream.Options{BaseURL: config.Default().BaseURL})
	return func(body []byte) {
		call, err := codec.Decode(body)
		if err == nil {
			call.Schemas = schemas
			err = front.Prepare(call, "gemini-3.8-flash", nil)
		}
		if err != nil {
			tb.Fatal(err)
		}
		client.Encode(call.Target, call.Request).Release()
		call.Release()
	}
}

// allocated is how many objects and bytes f allocates, the least of a few runs; cold is without memory of earlier ones.
func allocated(f func(), cold bool) (objects, bytes float64) {
	f()
	for i := range 10 {
		var before, after runtime.MemStats
		if cold {
			runtime.GC()
			runtime.GC() // pools outlive one
		}
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		o, b := float64(after.Mallocs-before.Mallocs), float64(after.TotalAlloc-before.TotalAlloc)
		if i == 0 || o < objects {
			objects = o
		}
		if i == 0 || b < bytes {
			bytes = b
		}
	}
	return objects, bytes
}

// What a request takes in memory grows with its size and not faster, here without memory of earlier ones. Slices grow in steps, so
// twice as much is allowed; what grew with the square would take ten times as much.
func TestScale_bodies(t *testing.T) {
	for _, path := range []string{messages, completions, replies} {
		translate := translator(t, path)
		var objects, bytes, size float64
		for _, turns := range []int{4, 40, 400, 4000} { // 10 KB to 10 MB
			body := longRequest(path, turns)
			o, b := allocated(func() { translate(body) }, true)
			t.Logf("%s: %8d bytes, %7.0f objects, %9.0f bytes allocated", path, len(body), o, b)
			if grown := float64(len(body)) / size; size > 0 && (o > 2*objects*grown || b > 2*bytes*grown) {
				t.Errorf("%s: a body %.1f times as large takes %.1f times the objects, and %.1f times the bytes", path, grown, o/objects, b/bytes)
			}
			objects, bytes, size = o, b, float64(len(body))
		}
	}
}

// A key is leased with as many allocations however many there are.
func TestScale_keys(t *testing.T) {
	for _, n := range []int{1, 64, 4096} {
		var configured []config.Key
		for i := range n {
			configured = append(configured, config.Key{Secret: config.NewSecret(fmt.Sprint("key ", i))})
		}
		cfg := config.Default()
		cfg.Keys = configured
		pool := keys.New(configured, keys.Options{MaxFailures: cfg.MaxFailures, CoolingPeriod: cfg.CoolingPeriod})
		lease := func() {
			l, err := pool.Acquire(t.Context(), keys.Want{Model: "m", Conversation: "c"}, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			l.Done(keys.OK("m"))
		}
		lease()
		if allocs := testing.AllocsPerRun(100, lease); allocs > 2 {
			t.Errorf("%d keys: %.0f allocations a lease", n, allocs)
		}
	}
}
