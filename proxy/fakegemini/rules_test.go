package fakegemini

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
)

const (
	m25  = "gemini-2.5-flash"
	m25p = "gemini-2.5-pro"
	m3   = "gemini-3-flash-preview"
	m38  = "gemini-3.8-flash"
	m4   = "gemini-4-argon"
)

// asks is one request of a pair.
type asks struct {
	model, verb string // generateContent when empty
	method      string // POST when empty
	path        string // instead of model and verb
	header      string // "Name: value"; the good key when empty, none when "-"
	body        string
	before      func(t *testing.T, s *Server) // what happens first
}

// onceAsked returns the request after another one to the same fake.
func (a asks) onceAsked(before func(t *testing.T, s *Server)) asks { a.before = before; return a }

func gen(model, body string) asks   { return asks{model: model, body: body} }
func count(model, body string) asks { return asks{model: model, verb: verbCount, body: body} }

// try sends a request to a fake of its own and returns status, message and the rule that the fake named.
func (a asks) try(t *testing.T) (int, string, RuleName) {
	t.Helper()
	small := Model{ID: "small", Family: gen3, Input: 100, CacheMin: 1}
	other := Model{ID: "other", Family: gen3, CacheMin: 1}
	vectors := Model{ID: "m", Methods: embedMethods, Embeds: Embedding{Dimensions: 4}}
	s := New(Options{Keys: []string{"good", "friend", "stranger"}, Projects: map[string]string{"good": "p", "friend": "p"}, MaxBody: 16000, MaxPDF: 3000, Models: append(Models(), small, other, vectors)})
	t.Cleanup(func() { mustClose(t, s) })
	if a.before != nil {
		a.before(t, s)
	}
	path := a.path
	if path == "" {
		verb := a.verb
		if verb == "" {
			verb = verbGenerate
		}
		path = "/v1beta/models/" + a.model + ":" + verb
	}
	method := a.method
	if method == "" {
		method = http.MethodPost
	}
	req := httptest.NewRequest(method, path, strings.NewReader(signAll(t, s, a.model, a.body)))
	switch {
	case a.header == "":
		req.Header.Set("x-goog-api-key", "good")
	case a.header != "-":
		for line := range strings.SplitSeq(a.header, "\n") {
			name, value, _ := strings.Cut(line, ": ")
			req.Header.Add(name, value)
		}
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, req)
	last, _ := s.Last()
	return w.Code, messageOf(t, w.Body), last.Refused
}

func messageOf(t *testing.T, r io.Reader) string {
	t.Helper()
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var env envelope
	if json.Unmarshal(raw, &env) != nil || env.Error == nil {
		return string(raw)
	}
	return env.Error.Message
}

func mustClose(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

var sigMark = regexp.MustCompile(`<(call|text)(?: ([A-Za-z]+))?(?: of ([a-z0-9.-]+))?>`)

// signAll replaces <call Read> and <text>, optionally "of model", by fresh signatures, in their order.
func signAll(t *testing.T, s *Server, model, body string) string {
	return sigMark.ReplaceAllStringFunc(body, func(mark string) string {
		m := sigMark.FindStringSubmatch(mark)
		of := m[3]
		if of == "" {
			of = model
		}
		sig, err := s.signer.sign(of, m[1], m[2])
		if err != nil {
			t.Fatal(err)
		}
		return string(sig)
	})
}

// The pieces of which the bodies below are made.
const (
	hi      = `{"role":"user","parts":[{"text":"hi"}]}`
	bye     = `{"role":"model","parts":[{"text":"bye"}]}`
	tool    = `{"functionDeclarations":[{"name":"Read"},{"name":"Write"}]}`
	callA   = `{"role":"model","parts":[{"functionCall":{"name":"Read"},"thoughtSignature":"<call Read>"}]}`
	callAA  = `{"role":"model","parts":[{"functionCall":{"name":"Read"},"thoughtSignature":"<call Read>"},{"functionCall":{"name":"Read"}}]}`
	callAid = `{"role":"model","parts":[{"functionCall":{"id":"one","name":"Read"},"thoughtSignature":"<call Read>"}]}`
	naked   = `{"role":"model","parts":[{"functionCall":{"name":"Read"}}]}`
	resA    = `{"functionResponse":{"name":"Read","response":{"output":"x"}}}`
	gaveA   = `{"role":"user","parts":[` + resA + `]}`
	gaveAA  = `{"role":"user","parts":[` + resA + `,` + resA + `]}`
	gaveAid = `{"role":"user","parts":[{"functionResponse":{"id":"one","name":"Read","response":{}}}]}`
)

// talk is a body of these contents and the tools; rest are further members.
func talk(contents ...string) string {
	return `{"contents":[` + strings.Join(contents, ",") + `],"tools":[` + tool + `]}`
}

func config(generation string) string {
	return `{"contents":[` + hi + `],"generationConfig":` + generation + `}`
}

func with1(members string) string { return `{"contents":[` + hi + `],` + members + `}` }

func declared(functions string) string {
	return with1(`"tools":[{"functionDeclarations":[` + functions + `]}]`)
}

func part(p string) string { return `{"contents":[{"role":"user","parts":[` + p + `]}]}` }

func thinks(c string) string { return config(`{"thinkingConfig":` + c + `}`) }

// TestRules holds, for each rule, a request that is refused and its nearest legal neighbour.
func TestRules(t *testing.T) {
	covered := map[RuleName]bool{}
	f := func(rule RuleName, bad asks, status int, text string, good asks) {
		t.Helper()
		covered[rule] = true
		if gotStatus, gotText, gotRule := bad.try(t); gotStatus != status || !strings.Contains(gotText, text) || gotRule != rule {
			t.Errorf("%s: refused request: got %d %q by rule %q, want %d …%q…", rule, gotStatus, gotText, gotRule, status, text)
		}
		if gotStatus, gotText, gotRule := good.try(t); gotStatus != 200 || gotRule != "" {
			t.Errorf("%s: legal neighbour: got %d %q by rule %q, want 200", rule, gotStatus, gotText, gotRule)
		}
	}
	transportPairs(f)
	readingPairs(f)
	contentPairs(f)
	turnPairs(f)
	signaturePairs(f)
	toolPairs(f)
	schemaPairs(f)
	configPairs(f)
	continuationPairs(f)
	embedPairs(f)
	echoPairs(t, f)
	cachePairs(f)
	filePairs(f)
	jsonSchemaPairs(f)
	for _, r := range Rules() {
		if !covered[r.Name] {
			t.Errorf("rule %s has no pair of a refused and an accepted request", r.Name)
		}
		if (r.Stage == StageMeaning) != (r.check != nil) {
			t.Errorf("rule %s: only rules of meaning have a check", r.Name)
		}
	}
}

type pair func(rule RuleName, bad asks, status int, text string, good asks)

func transportPairs(f pair) {
	ok := talk(hi)
	f(RulePath, asks{path: "/v1beta/models/" + m38 + ":nothing", body: ok}, 404, "was not found on this server", gen(m38, ok))
	f(RulePath, asks{path: "/v2/models/" + m38 + ":generateContent", body: ok}, 404, "was not found", asks{path: "/v1/models/" + m38 + ":generateContent", body: ok})
	f(RulePath, asks{method: "DELETE", path: "/v1beta/models/" + m38}, 404, "was not found", asks{method: "GET", path: "/v1beta/models/" + m38})
	f(RulePath, asks{path: "/v1beta/models"}, 404, "was not found", asks{method: "GET", path: "/v1beta/models"})
	f(RuleNoKey, asks{model: m38, header: "-", body: ok}, 403, "Method doesn't allow unregistered callers", asks{path: "/v1beta/models/" + m38 + ":generateContent?key=good", header: "-", body: ok})
	f(RuleManyKeys, asks{path: "/v1beta/models/" + m38 + ":generateContent?key=good", body: ok}, 400, "Multiple authentication credentials received. Please pass only one.", gen(m38, ok))
	f(RuleManyKeys, asks{model: m38, header: "x-goog-api-key: good\nAuthorization: Bearer good", body: ok}, 400, "Multiple authentication", gen(m38, ok))
	f(RuleManyKeys, asks{model: m38, header: "x-goog-api-key: good\nX-Goog-Api-Key: good", body: ok}, 400, "Multiple authentication", gen(m38, ok))
	f(RuleBadKey, asks{model: m38, header: "x-goog-api-key: bad", body: ok}, 400, "API key not valid. Please pass a valid API key.", gen(m38, ok))
	f(RuleBadKey, asks{model: m38, header: "Authorization: Bearer good", body: ok}, 401, "Request had invalid authentication credentials", gen(m38, ok))
	f(RuleBodySize, gen(m38, part(`{"text":"`+strings.Repeat("x", 16000)+`"}`)), 400, "Request payload size exceeds the limit: 16000 bytes.", gen(m38, part(`{"text":"`+strings.Repeat("x", 15900)+`"}`)))
	f(RuleModel, gen("gemini-9", ok), 404, "models/gemini-9 is not found for API version v1beta, or is not supported for generateContent. Call ModelService.ListModels to see", gen("gemini-flash-latest", ok))
	f(RuleModel, asks{model: "gemini-9", verb: verbStream, body: ok}, 404, "supported for generateContent", asks{model: m4, verb: verbStream + "", body: ok})
	f(RuleModel, count("gemini-9", ok), 404, "supported for countTokens. Call ListModels to see the list of available models", count(m38, `{"contents":[`+hi+`]}`))
	f(RuleModel, gen("gemini-embedding-001", ok), 404, "is not supported for generateContent", gen("gemma-4-31b-it", ok))
	f(RuleModel, asks{method: "GET", path: "/v1beta/models/gemini-9"}, 404, "is not found", asks{method: "GET", path: "/v1beta/models/gemini-embedding-001"})
}

func readingPairs(f pair) {
	f(RuleJSON, gen(m38, `{"contents":[`+hi+`],}`), 400, "Invalid JSON payload received. Unexpected token.", gen(m38, `{"contents":[`+hi+`]}`))
	f(RuleJSON, gen(m38, `{"contents":[`+hi+`]`), 400, "Unexpected end of string.", gen(m38, ` {"contents" : [`+hi+"]\n}\n"))
	f(RuleJSON, gen(m38, part(`{"text":"`+"\xff"+`"}`)), 400, "non UTF-8", gen(m38, part(`{"text":"`+"\xc3\xbf"+`"}`)))
	f(RuleDepth, gen(m38, declared(`{"name":"a","parametersJsonSchema":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`}`)), 400, "Max recursion depth", gen(m38, declared(`{"name":"a","parametersJsonSchema":`+strings.Repeat("[", 90)+strings.Repeat("]", 90)+`}`)))
	unknown := func(body, want, good string) { f(RuleUnknownName, gen(m38, body), 400, want, gen(m38, good)) }
	unknown(with1(`"x":1`), `Invalid JSON payload received. Unknown name "x": Cannot find field.`, with1(`"store":true`))
	unknown(part(`{"text":"a","x":1}`), `Invalid JSON payload received. Unknown name "x" at 'contents[0].parts[0]': Cannot find field.`, part(`{"text":"a","thought":false}`))
	unknown(with1(`"labels":{"a":"b"}`), `Unknown name "labels"`, with1(`"serviceTier":"flex"`))
	unknown(with1(`"modelArmorConfig":{}`), `Unknown name "modelArmorConfig"`, with1(`"serviceTier":"standard"`))
	unknown(config(`{"audioTimestamp":true}`), `Unknown name "audioTimestamp" at 'generation_config'`, config(`{"enableEnhancedCivicAnswers":true}`))
	unknown(config(`{"routingConfig":{}}`), `Unknown name "routingConfig"`, config(`{"responseModalities":["TEXT"]}`))
	unknown(config(`{"modelSelectionConfig":{}}`), `Unknown name "modelSelectionConfig"`, config(`{"mediaResolution":"MEDIA_RESOLUTION_LOW"}`))
	unknown(with1(`"safetySettings":[{"method":"SEVERITY"}]`), `Unknown name "method" at 'safety_settings[0]'`, with1(`"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"}]`))
	unknown(with1(`"tools":[{"googleSearch":{"excludeDomains":["a"]}}]`), `Unknown name "excludeDomains" at 'tools[0].google_search'`, with1(`"tools":[{"googleSearch":{"timeRangeFilter":{}}}]`))
	unknown(with1(`"tools":[`+tool+`],"toolConfig":{"functionCallingConfig":{"streamFunctionCallArguments":true}}`), `Unknown name "streamFunctionCallArguments"`, with1(`"tools":[`+tool+`],"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}`))
	unknown(with1(`"generation_config":{"Temperature":1}`), `Unknown name "Temperature" at 'generation_config'`, with1(`"generation_config":{"top_p":1}`))
	unknown(declared(`{"name":"a","parameters":{"type":"OBJECT","$schema":"x"}}`), `Unknown name "$schema" at 'tools[0].function_declarations[0].parameters': Cannot find field.`, declared(`{"name":"a","parameters":{"type":"OBJECT"}}`))
	unknown(declared(`{"name":"a","parameters":{"type":"OBJECT","properties":{"p":{"type":"STRING"},"q":{"type":"STRING","const":"x"}}}}`), `Unknown name "const" at 'tools[0].function_declarations[0].parameters.properties[1].value': Cannot find field.`,
		declared(`{"name":"a","parametersJsonSchema":{"type":"object","properties":{"p":{"type":"string"},"q":{"const":"x"}}}}`))
	wrong := func(body, want, good string) { f(RuleType, gen(m38, body), 400, want, gen(m38, good)) }
	wrong(part(`{"text":1}`), `Invalid value at 'contents[0].parts[0].text' (TYPE_STRING), 1`, part(`{"text":"1"}`))
	wrong(`{"contents":"hi"}`, `Invalid value at 'contents' (type.googleapis.com/google.ai.generativelanguage.v1beta.Content), "hi"`, `{"contents":`+hi+`}`)
	wrong(`[]`, `Root element must be a message.`, `{"contents":[`+hi+`]}`)
	wrong(with1(`"systemInstruction":[`+hi+`]`), `Proto field is not repeating, cannot start list.`, with1(`"systemInstruction":`+hi))
	wrong(config(`{"maxOutputTokens":1.5}`), `Invalid value at 'generation_config.max_output_tokens' (TYPE_INT32), 1.5`, config(`{"maxOutputTokens":"20"}`))
	wrong(config(`{"seed":2147483648}`), `(TYPE_INT32), 2147483648`, config(`{"seed":2147483647}`))
	wrong(config(`{"temperature":"warm"}`), `(TYPE_FLOAT), "warm"`, config(`{"temperature":"0.5"}`))
	wrong(config(`{"responseLogprobs":1}`), `(TYPE_BOOL), 1`, config(`{"responseLogprobs":false}`))
	wrong(thinks(`{"thinkingLevel":"XTREME"}`), `Invalid value at 'generation_config.thinking_config.thinking_level' (type.googleapis.com/google.ai.generativelanguage.v1beta.ThinkingConfig.ThinkingLevel), "XTREME"`, thinks(`{"thinkingLevel":"HIGH"}`))
	wrong(declared(`{"name":"a","parameters":{"type":["STRING"]}}`), `Proto field is not repeating`, declared(`{"name":"a","parameters":{"type":"string"}}`))
	wrong(declared(`{"name":"a","parameters":{"type":"STRING","enum":[1]}}`), `parameters.enum[0]' (TYPE_STRING), 1`, declared(`{"name":"a","parameters":{"type":"STRING","enum":["1"]}}`))
	wrong(part(`{"inlineData":{"mimeType":"image/png","data":"a*b"}}`), `(TYPE_BYTES), Base64 decoding failed for "a*b"`, part(`{"inlineData":{"mimeType":"image/png","data":"_-8="}}`))
	args := func(a string) string {
		return talk(hi, `{"role":"model","parts":[{"functionCall":{"name":"Read","args":`+a+`},"thoughtSignature":"<call Read>"}]}`, gaveA)
	}
	wrong(args(`"{}"`), `Invalid value at 'contents[1].parts[0].function_call.args' (type.googleapis.com/google.protobuf.Struct), "{}"`, args(`{}`))
	wrong(args(`[1]`), `function_call.args' (type.googleapis.com/google.protobuf.Struct)`, args(`{"a":[1]}`))
	response := func(r string) string {
		return talk(hi, callA, `{"role":"user","parts":[{"functionResponse":{"name":"Read","response":`+r+`}}]}`)
	}
	wrong(response(`"done"`), `Invalid value at 'contents[2].parts[0].function_response.response' (type.googleapis.com/google.protobuf.Struct), "done"`, response(`{"output":"done"}`))
	f(RuleOneOf, gen(m38, part(`{"text":"a","inlineData":{"mimeType":"image/png","data":"AAAA"}}`)), 400, `Invalid value at 'contents[0].parts[0]' (oneof), oneof field 'data' is already set. Cannot set 'inlineData'`,
		gen(m38, part(`{"text":"a"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}`)))
}

func contentPairs(f pair) {
	f(RuleContents, gen(m38, `{"contents":[]}`), 400, "* GenerateContentRequest.contents: contents is not specified", gen(m38, `{"contents":[`+hi+`]}`))
	f(RuleContents, gen(m38, ``), 400, "contents is not specified", gen(m38, `{"contents":[`+hi+`]}`))
	f(RuleContents, count(m38, `{}`), 400, "* CountTokensRequest.contents: contents is not specified", count(m38, `{"contents":[`+hi+`]}`))
	f(RuleCountForm, count(m38, `{"contents":[`+hi+`],"generateContentRequest":{"contents":[`+hi+`]}}`), 400, "Only one of contents", count(m38, `{"generateContentRequest":{"model":"models/x","contents":[`+hi+`]}}`))
	f(RuleParts, gen(m38, talk(hi, bye, `{"role":"user","parts":[]}`)), 400, "* GenerateContentRequest.contents[2].parts: contents.parts must not be empty.", gen(m38, talk(hi, bye, hi)))
	f(RuleParts, gen(m38, with1(`"systemInstruction":{"parts":[]}`)), 400, "system_instruction.parts: contents.parts must not be empty.", gen(m38, with1(`"system_instruction":{"parts":[{"text":""}]}`)))
	f(RulePartData, gen(m38, part(`{"text":"a"},{}`)), 400, "* GenerateContentRequest.contents[0].parts[1].data: required oneof field 'data' must have one initialized field", gen(m38, part(`{"text":"a"},{"text":""}`)))
	f(RulePartData, count(m38, part(`{}`)), 400, "* CountTokensRequest.contents[0].parts[0].data: required oneof", count(m38, part(`{"text":""}`)))
	f(RulePartData, gen(m38, part(`{"thought":true}`)), 400, "required oneof field 'data'", gen(m38, part(`{"thought":true,"text":"a"}`)))
	f(RuleCallName, gen(m38, talk(hi, callA, `{"parts":[{"functionResponse":{"response":{}}}]}`)), 400, "contents[2].parts[0].function_response.name: Name cannot be empty.", gen(m38, talk(hi, callA, gaveA)))
	f(RuleCallName, gen(m38, talk(hi, `{"role":"model","parts":[{"functionCall":{"args":{}}}]}`, gaveA)), 400, "contents[1].parts[0].function_call.name: Name cannot be empty.", gen(m38, talk(hi, callA, gaveA)))
	f(RuleResponseObject, gen(m38, talk(hi, callA, `{"parts":[{"functionResponse":{"name":"Read"}}]}`)), 400, "function_response.response", gen(m38, talk(hi, callA, `{"parts":[{"functionResponse":{"name":"Read","response":{}}}]}`)))
	f(RuleRole, gen(m38, `{"contents":[{"role":"assistant","parts":[{"text":"a"}]}]}`), 400, "Please use a valid role: user, model.", gen(m38, `{"contents":[{"parts":[{"text":"a"}]}]}`))
	f(RuleRole, gen(m38, talk(hi, callA, `{"role":"function","parts":[`+resA+`]}`)), 400, "Please use a valid role", gen(m38, talk(hi, callA, gaveA)))
	f(RuleSystemText, gen(m38, with1(`"systemInstruction":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}`)), 400, "only support text", gen(m38, with1(`"systemInstruction":{"role":"system","parts":[{"text":"a"},{"text":"b"}]}`)))
}

func turnPairs(f pair) {
	f(RuleSingleTurn, gen(m25, talk(bye)), 400, "Please ensure that single turn requests end with a user role or the role field is empty.", gen(m25, talk(hi)))
	f(RuleFirstTurn, gen(m25, talk(bye, hi)), 400, "begin with a user turn", gen(m25, talk(hi, bye, hi)))
	f(RuleCallTurn, gen(m38, talk(callA, gaveA)), 400, "Please ensure that function call turn comes immediately after a user turn or after a function response turn.", gen(m38, talk(hi, callA, gaveA)))
	f(RuleCallTurn, gen(m25, talk(hi, bye, callA, gaveA)), 400, "function call turn comes immediately", gen(m25, talk(hi, bye, hi, callA, gaveA)))
	f(RuleCallTurn, gen(m25, talk(hi, naked, naked, gaveAA)), 400, "function call turn comes immediately", gen(m25, talk(hi, callAA, gaveAA)))
	f(RuleCallTurn, gen(m38, talk(hi, bye, callA, gaveA)), 400, "function call turn comes immediately", gen(m38, talk(hi, callA, naked, gaveAA)))
	f(RuleCallTurn, gen(m38, part(`{"functionCall":{"name":"Read"}}`)), 400, "function call turn comes immediately", gen(m38, talk(hi, callA, gaveA, callA, gaveA)))
	f(RuleResponseTurn, gen(m38, talk(gaveA)), 400, "Please ensure that function response turn comes immediately after a function call turn.", gen(m38, talk(hi, callA, gaveA)))
	f(RuleResponseTurn, gen(m38, talk(hi, callA, hi, gaveA)), 400, "function response turn comes immediately", gen(m38, talk(hi, callA, gaveA, hi)))
	f(RuleResponseTurn, gen(m38, talk(hi, callAA, gaveA, gaveA)), 400, "function response turn comes immediately", gen(m38, talk(hi, callAA, gaveAA)))
	f(RuleResponseTurn, gen(m38, talk(hi, bye, gaveA)), 400, "function response turn comes immediately", gen(m38, talk(hi, bye, hi)))
	f(RuleResponseCount, gen(m38, talk(hi, callAA, gaveA)), 400, "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.", gen(m38, talk(hi, callAA, gaveAA)))
	f(RuleResponseCount, gen(m38, talk(hi, callA, gaveAA)), 400, "number of function response parts", gen(m38, talk(hi, callA, gaveA)))
	f(RuleResponseCount, gen(m38, talk(hi, callA, hi)), 400, "number of function response parts", gen(m38, talk(hi, callA, gaveA, hi)))
	f(RuleResponseCount, gen(m25, talk(hi, callA)), 400, "number of function response parts", gen(m25, talk(hi, callA, gaveA)))
	f(RuleResponseName, gen(m38, talk(hi, callA, `{"parts":[{"functionResponse":{"name":"Write","response":{}}}]}`)), 400, `"Write" at contents[2]`, gen(m38, talk(hi, callA, gaveA)))
	f(RuleResponseID, gen(m38, talk(hi, callA, gaveAid)), 400, `"one" of "Read"`, gen(m38, talk(hi, callAid, gaveAid)))
	f(RuleResponseID, gen(m38, talk(hi, callA, gaveAid)), 400, `id of a function response`, gen(m38, talk(hi, callAid, gaveA)))
	media := `{"parts":[{"functionResponse":{"name":"Read","response":{},"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}]}`
	f(RuleResponseMedia, gen(m25, talk(hi, callA, media)), 400, "Multimodal function responses", gen(m38, talk(hi, callA, media)))
	typed := func(model, mime string) asks {
		return gen(model, talk(hi, callA, strings.Replace(media, "image/png", mime, 1)))
	}
	f(RuleResponseType, typed(m38, "image/gif"), 400, `function_response.parts[0]: unsupported mime type "image/gif"`, typed(m38, "application/pdf"))
	office := "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	f(RuleResponseType, typed(m38, office), 400, "unsupported mime type", typed(m4, office))
	pdf := func(n int) asks {
		return gen(m38, part(`{"inlineData":{"mimeType":"application/pdf","data":"`+strings.Repeat("AAAA", n)+`"}}`))
	}
	f(RulePDFSize, pdf(1001), 400, "a PDF may have 50 MB", pdf(1000))
	f(RuleLastTurn, gen(m38, talk(hi, bye)), 400, "end with a user role", gen(m25, talk(hi, bye)))
	f(RuleLastTurn, gen("gemini-3.5-flash-lite", talk(hi, bye)), 400, "end with a user role", gen("gemini-3.5-flash", talk(hi, bye)))
	f(RuleLastTurn, gen(m4, talk(hi, bye)), 400, "end with a user role", gen(m4, talk(hi, bye, hi, hi)))
}

func signaturePairs(f pair) {
	const missing = "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly"
	signed := func(sig string) string {
		return `{"role":"model","parts":[{"functionCall":{"name":"Read"},"thoughtSignature":"` + sig + `"}]}`
	}
	second := `{"role":"model","parts":[{"functionCall":{"name":"Read"}},{"functionCall":{"name":"Read"},"thoughtSignature":"<call Read>"}]}`
	f(RuleSignMissing, gen(m38, talk(hi, naked, gaveA)), 400, missing, gen(m25, talk(hi, naked, gaveA)))
	f(RuleSignMissing, gen(m38, talk(hi, naked, gaveA)), 400, "Additional data, function call `default_api:Read` , position 2.", gen(m38, talk(hi, callA, gaveA)))
	f(RuleSignMissing, gen(m38, talk(hi, callA, gaveA, naked, gaveA)), 400, "position 4.", gen(m38, talk(hi, naked, gaveA, hi)))
	f(RuleSignMissing, gen(m3, talk(hi, naked, gaveA)), 400, missing, gen(m3, talk(hi, naked, gaveA, bye, hi, callA, gaveA)))
	f(RuleSignMissing, gen(m4, talk(hi, second, gaveAA)), 400, missing, gen(m4, talk(hi, callAA, gaveAA)))
	f(RuleSignMissing, gen(m38, talk(hi, naked, callA, gaveAA)), 400, "position 2.", gen(m38, talk(hi, callA, naked, gaveAA)))
	const corrupted = "Corrupted thought signature."
	f(RuleSignInvalid, gen(m38, talk(hi, signed("AAAA"), gaveA)), 400, corrupted, gen(m38, talk(hi, signed("c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="), gaveA)))
	f(RuleSignInvalid, gen(m38, talk(hi, signed("skip_thought_signature_validatoR"), gaveA)), 400, corrupted, gen(m38, talk(hi, signed("skip_thought_signature_validator"), gaveA)))
	f(RuleSignInvalid, gen(m38, talk(hi, signed("AAAA"), gaveA)), 400, corrupted, gen(m38, talk(hi, signed("context_engineering_is_the_way_to_go"), gaveA)))
	f(RuleSignInvalid, gen(m38, talk(hi, signed("<call Read of gemini-3.6-flash>"), gaveA)), 400, corrupted, gen(m38, talk(hi, signed("<call Read of gemini-3.8-flash>"), gaveA)))
	f(RuleSignInvalid, gen(m38, talk(hi, signed("<call Write>"), gaveA)), 400, corrupted, gen(m38, talk(hi, signed("<call Read>"), gaveA)))
	f(RuleSignInvalid, gen(m38, talk(hi, signed("<text>"), gaveA)), 400, corrupted, gen(m38, talk(hi, signed("AAAA"), gaveA, bye, hi)))
	both := `{"role":"model","parts":[{"functionCall":{"name":"Read"},"thoughtSignature":"<call Read>"},{"functionCall":{"name":"Read"},"thoughtSignature":"<call Read>"}]}`
	f(RuleSignInvalid, gen(m38, talk(hi, both, gaveAA)), 400, corrupted, gen(m38, talk(hi, callAA, gaveAA)))
	text := func(sig string) string {
		return `{"role":"model","parts":[{"text":"so","thoughtSignature":"` + sig + `"},{"functionCall":{"name":"Read"},"thoughtSignature":"<call Read>"}]}`
	}
	f(RuleSignInvalid, gen(m38, talk(hi, text("<call Read>"), gaveA)), 400, corrupted, gen(m38, talk(hi, text("<text>"), gaveA)))
}

func configPairs(f pair) {
	cache := firstID("cachedContents")
	c := func(rule RuleName, model, bad, want, good string) {
		f(rule, gen(model, config(bad)), 400, want, gen(model, config(good)))
	}
	c(RuleSchemaMime, m38, `{"responseSchema":{"type":"STRING"}}`, "response_mime_type", `{"responseSchema":{"type":"STRING"},"responseMimeType":"application/json"}`)
	c(RuleSchemaMime, m38, `{"responseJsonSchema":{},"responseSchema":{"type":"STRING"},"responseMimeType":"application/json"}`, "Only one of", `{"responseJsonSchema":{},"responseMimeType":"application/json"}`)
	c(RuleMimeType, m38, `{"responseMimeType":"text/html"}`, "* GenerateContentRequest.generation_config.response_mime_type: allowed mimetypes are `text/plain`,", `{"responseMimeType":"application/yaml"}`)
	c(RuleMimeType, m38, `{"responseMimeType":"image/png"}`, "allowed mimetypes are", `{"responseMimeType":"text/x.enum","responseSchema":{"type":"STRING","enum":["a"]}}`)
	c(RuleStopSequences, m38, `{"stopSequences":["1","2","3","4","5","6"]}`, "the number of stop_sequences must not exceed 5", `{"stopSequences":["1","2","3","4","5"]}`)
	c(RuleCandidates, m4, `{"candidateCount":2}`, "Multiple candidates is not enabled for models/gemini-4-argon", `{"candidateCount":1}`)
	c(RuleCandidates, m25, `{"candidateCount":9}`, "[1, 8]", `{"candidateCount":8}`)
	c(RuleTemperature, m38, `{"temperature":2.1}`, "[0.0, 2.0]", `{"temperature":2}`)
	c(RuleTopP, m38, `{"topP":1.1}`, "[0.0, 1.0]", `{"topP":1}`)
	c(RuleOutputTokens, m38, `{"maxOutputTokens":0}`, "must be positive", `{"maxOutputTokens":1}`)
	c(RuleOutputTokens, m38, `{"maxOutputTokens":65537}`, "supported range is from 1 (inclusive) to 65537 (exclusive)", `{"maxOutputTokens":65536}`)
	c(RuleOutputWhole, m4, `{"maxOutputTokens":32769}`, "without streaming", `{"maxOutputTokens":32768}`)
	f(RuleOutputWhole, gen(m4, config(`{"maxOutputTokens":200000}`)), 400, "without streaming", asks{model: m4, verb: verbStream, body: config(`{"maxOutputTokens":200000}`)})
	f(RuleOutputTokens, asks{model: m4, verb: verbStream, body: config(`{"maxOutputTokens":1048577}`)}, 400, "1048577 (exclusive)", asks{model: m4, verb: verbStream, body: config(`{"maxOutputTokens":1048576}`)})
	c(RulePenaltyRange, m3, `{"presencePenalty":2}`, "presence_penalty must be in the range [-2.0, 2.0)", `{"presencePenalty":1.9}`)
	c(RulePenaltyRange, m25, `{"frequencyPenalty":-2.1}`, "frequency_penalty", `{"frequencyPenalty":-2}`)
	c(RulePenalty, m38, `{"presencePenalty":0.5}`, "Penalty is not enabled", `{"temperature":0.5,"topP":0.5,"topK":5}`)
	f(RulePenalty, gen(m4, config(`{"frequencyPenalty":0}`)), 400, "Penalty is not enabled", gen(m3, config(`{"frequencyPenalty":0}`)))
	f(RuleThinkingNone, gen("gemma-4-31b-it", thinks(`{"includeThoughts":true}`)), 400, "Thinking is not enabled", gen(m25, thinks(`{"includeThoughts":true}`)))
	f(RuleThinkingBoth, gen(m3, thinks(`{"thinkingBudget":100,"thinkingLevel":"LOW"}`)), 400, "You can only set only one of thinking budget and thinking level.", gen(m3, thinks(`{"thinkingLevel":"LOW"}`)))
	f(RuleThinkingLevel, gen(m25, thinks(`{"thinkingLevel":"LOW"}`)), 400, "Thinking level is not supported for this model.", gen(m25, thinks(`{"thinkingBudget":1024}`)))
	f(RuleThinkingLevel, gen(m38, thinks(`{"thinkingLevel":"MINIMAL"}`)), 400, "Thinking level MINIMAL is not supported for this model.", gen("gemini-3.6-flash", thinks(`{"thinkingLevel":"MINIMAL"}`)))
	f(RuleThinkingLevel, gen(m4, thinks(`{"thinkingLevel":"XHIGH"}`)), 400, "Thinking level XHIGH", gen("gemini-4-neon", thinks(`{"thinkingLevel":"XHIGH"}`)))
	f(RuleThinkingHidden, gen(m25, thinks(`{"thinkingBudget":0,"includeThoughts":true}`)), 400, "include_thoughts is only enabled when thinking is enabled", gen(m25, thinks(`{"thinkingBudget":0,"includeThoughts":false}`)))
	f(RuleThinkingHidden, gen("gemini-2.5-flash-lite", thinks(`{"thinkingBudget":0,"includeThoughts":true}`)), 400, "include_thoughts", gen("gemini-2.5-flash-lite", thinks(`{"thinkingBudget":512,"includeThoughts":true}`)))
	f(RuleThinkingBudget, gen(m25p, thinks(`{"thinkingBudget":0}`)), 400, "Budget 0 is invalid. This model only works in thinking mode.", gen(m25, thinks(`{"thinkingBudget":0}`)))
	f(RuleThinkingBudget, gen(m25p, thinks(`{"thinkingBudget":127}`)), 400, "between 128 and 32768", gen(m25p, thinks(`{"thinkingBudget":128}`)))
	f(RuleThinkingBudget, gen(m25, thinks(`{"thinkingBudget":24577}`)), 400, "24576", gen(m25, thinks(`{"thinkingBudget":-1}`)))
	f(RuleThinkingBudget, gen(m4, thinks(`{"thinkingBudget":1024}`)), 400, "Thinking budget is not supported", gen(m4, thinks(`{"thinkingLevel":"HIGH"}`)))
	f(RuleCachedContent, gen("small", with1(`"cachedContent":"`+cache+`","tools":[`+tool+`]`)).onceAsked(cachedFor("small", "good")), 400, "CachedContent can not be used with GenerateContent request",
		gen("small", with1(`"cachedContent":"`+cache+`"`)).onceAsked(cachedFor("small", "good")))
	f(RuleCachedContent, gen(m4, with1(`"cachedContent":"cachedContents/a"`)), 400, "Explicit caching is not supported", gen(m4, with1(`"store":false`)))
	f(RuleInputTokens, gen("small", part(`{"text":"`+strings.Repeat("x", 401)+`"}`)), 400, "The input token count (101) exceeds the maximum number of tokens allowed (99).", gen("small", part(`{"text":"`+strings.Repeat("x", 400)+`"}`)))
}

// TestRulesAreDocumented holds the package documentation to the table.
func TestRulesAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[RuleName]bool{}
	for _, r := range Rules() {
		if line := fmt.Sprintf("//\t%-20s %s\n", r.Name, r.Says); !strings.Contains(string(doc), line) {
			t.Errorf("doc.go lacks the line %q", line)
		}
		if seen[r.Name] {
			t.Errorf("rule %s is there twice", r.Name)
		}
		seen[r.Name] = true
	}
}
