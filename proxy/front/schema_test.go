package front

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

const emptyObject = `{"type":"object","properties":{}}`

// cleans checks CleanSchema, and that its result stays as it is when it is cleaned again.
func cleans(t *testing.T, in, want string) {
	t.Helper()
	got := CleanSchema(json.RawMessage(in))
	if string(got) != want {
		t.Errorf("%s\ngot  %s\nwant %s", in, got, want)
	}
	if again := CleanSchema(got); string(again) != string(got) {
		t.Errorf("cleaned again:\n%s\nbecame\n%s", got, again)
	}
}

// cleansProperty is cleans for a schema within another one.
func cleansProperty(t *testing.T, in, want string) {
	t.Helper()
	cleans(t, `{"properties":{"p":`+in+`}}`, `{"type":"object","properties":{"p":`+want+`}}`)
}

func TestCleanSchemaRoot(t *testing.T) {
	f := func(in, want string) { t.Helper(); cleans(t, in, want) }
	for _, none := range []string{``, `null`, `true`, `[]`, `{}`, ` { } `, `{"type":"string"}`, `{"type":["string","null"]}`, `{"a":`, `{"x-y":1}`} {
		f(none, emptyObject)
	}
	f(`{"properties":{"a":{}}}`, `{"type":"object","properties":{"a":{}}}`)
	f(`{"type":["object","null"],"nullable":true}`, `{"type":"object"}`)
	f(`{"$schema":"http://json-schema.org/draft-07/schema#","$id":"x","title":"T","type":"object","properties":{}}`,
		`{"type":"object","title":"T","properties":{}}`)
	f(`{"anyOf":[{"required":["a","c"]},{"type":"object","required":["b"]}],"properties":{"a":{},"b":{}},"description":"D"}`,
		`{"type":"object","description":"D (required: a and c, or b)","properties":{"a":{},"b":{}}}`)
	f(`{"oneOf":[{"required":["a"]},{"not":{"required":["a"]}},{"minProperties":3}],"properties":{"a":{}}}`, `{"type":"object","properties":{"a":{}}}`)
	f(`{"anyOf":[{"type":"object","properties":{"a":{}},"required":["a"]},true]}`,
		`{"type":"object","properties":{},"anyOf":[{"type":"object","properties":{"a":{}},"required":["a"]},{}]}`)
	f(`{"$ref":"#/definitions/In","definitions":{"In":{"type":"object","properties":{"a":{"type":"string"}}}}}`,
		`{"type":"object","properties":{"a":{"type":"string"}}}`)
	f(`"`+strings.Repeat("x", maxSchema)+`"`, emptyObject)
	f(`{"description":"`+strings.Repeat("x", maxSchema)+`"}`, emptyObject)
}

func TestCleanSchemaKeywords(t *testing.T) {
	f := func(in, want string) { t.Helper(); cleansProperty(t, in, want) }
	f(`true`, `{}`)
	f(`"nonsense"`, `{}`)
	f(`{"x-vendor":1,"deprecated":true,"readOnly":true,"examples":[1],"$comment":"c","not":{"type":"null"},"if":{},"uniqueItems":true}`, `{}`)
	f(`{"type":"string","const":"a"}`, `{"type":"string","enum":["a"]}`)
	f(`{"const":5,"enum":[1,2]}`, `{"type":"number","enum":[5]}`)
	f(`{"const":true,"type":"boolean"}`, `{"type":"boolean","description":"allowed: true"}`)
	f(`{"enum":["a",null],"type":"string"}`, `{"type":["string","null"],"enum":["a"]}`)
	f(`{"enum":[null]}`, `{"type":"null"}`)
	f(`{"enum":["a","b","a"]}`, `{"type":"string","enum":["a","b"]}`)
	f(`{"enum":["a",null]}`, `{"type":["string","null"],"enum":["a"]}`)
	f(`{"const":"a","nullable":true}`, `{"type":["string","null"],"enum":["a"]}`)
	f(`{"enum":["a",1]}`, `{"enum":["a",1]}`)
	f(`{"type":"intezer","enum":[1,2]}`, `{"type":"number","enum":[1,2]}`)
	f(`{"enum":["a",1e999]}`, `{"type":"string","enum":["a"]}`)
	f(`{"const":true}`, `{"type":"boolean","description":"allowed: true"}`)
	f(`{"const":{"a":1}}`, `{"type":"object","description":"allowed: {\"a\":1}"}`)
	f(`{"enum":["a",true,{"b":1}],"description":"Which."}`, `{"description":"Which. (allowed: \"a\" or true or {\"b\":1})"}`)
	f(`{"type":"integer","exclusiveMinimum":0,"exclusiveMaximum":9}`, `{"type":"integer","minimum":1,"maximum":8}`)
	f(`{"type":"number","exclusiveMinimum":0.5}`, `{"type":"number","minimum":0.5}`)
	f(`{"type":"number","minimum":1,"exclusiveMinimum":true,"maximum":"9"}`, `{"type":"number","minimum":1}`)
	f(`{"type":"number","minimum":1e999,"maximum":9007199254740991}`, `{"type":"number","maximum":9007199254740991}`)
	f(`{"type":"string","minLength":1.0,"maxLength":-1,"pattern":"^a\\d$"}`, `{"type":"string","minLength":1,"pattern":"^a\\d$"}`)
	f(`{"type":"string","format":"uri","description":"Where."}`, `{"type":"string","description":"Where. (format: uri)"}`)
	f(`{"type":"string","format":"date-time"}`, `{"type":"string","format":"date-time"}`)
	f(`{"type":"integer","format":"int64"}`, `{"type":"integer","format":"int64"}`)
	f(`{"type":"string","default":"a","format":"uuid"}`, `{"type":"string","description":"format: uuid, default: \"a\""}`)
	f(`{"type":"object","default":{}}`, `{"type":"object"}`)
	f(`{"type":"STRING","nullable":true}`, `{"type":["string","null"]}`)
	f(`{"type":["string"]}`, `{"type":"string"}`)
	f(`{"type":["any","string","string",5]}`, `{"type":"string"}`)
	f(`{"type":"array"}`, `{"type":"array","items":{}}`)
	f(`{"type":"array","items":[{"type":"string"},{"type":"number"}],"additionalItems":false,"minItems":2}`,
		`{"type":"array","prefixItems":[{"type":"string"},{"type":"number"}],"minItems":2}`)
	f(`{"type":"array","items":[{}],"additionalItems":{"type":"string"}}`, `{"type":"array","items":{"type":"string"},"prefixItems":[{}]}`)
	f(`{"type":"array","prefixItems":[{}],"items":false}`, `{"type":"array","prefixItems":[{}]}`)
	f(`{"oneOf":[{"type":"string"},false,true]}`, `{"oneOf":[{"type":"string"},{}]}`)
	f(`{"anyOf":[{"not":{}},{"type":"string"},{"not": { } },{"not":true}]}`, `{"anyOf":[{"type":"string"}]}`)
	f(`{"type":"array","items":{"not":{}}}`, `{"type":"array","items":{}}`)
	f(`{"not":{"minProperties":1}}`, `{}`)
	f(`{"title":5,"description":["x"],"required":"a","properties":[]}`, `{}`)
}

func TestCleanSchemaProperties(t *testing.T) {
	f := func(in, want string) { t.Helper(); cleans(t, in, want) }
	f(`{"properties":{"default":{"default":1},"$schema":{"$schema":1},"format":{},"x-a":{},"not":{},"$ref":{"type":"string"}},"required":["default","not"]}`,
		`{"type":"object","properties":{"default":{"description":"default: 1"},"$schema":{},"format":{},"x-a":{},"not":{},"$ref":{"type":"string"}},"required":["default","not"]}`)
	f(`{"properties":{"a":{},"b":false},"required":["a","b","c","a"],"propertyOrdering":["b","a"]}`,
		`{"type":"object","properties":{"a":{}},"required":["a"],"propertyOrdering":["a"]}`)
	f(`{"properties":{"a":{}},"required":["b"],"additionalProperties":false}`, `{"type":"object","properties":{"a":{}},"additionalProperties":false}`)
	f(`{"additionalProperties":{"type":"string","x-y":1},"patternProperties":{"a":{}}}`,
		`{"type":"object","properties":{},"additionalProperties":{"type":"string"}}`)
	const str = `{"type":"string"}`
	f(`{"patternProperties":{"^.*$":`+str+`},"additionalProperties":false}`, `{"type":"object","properties":{},"additionalProperties":`+str+`}`)
	f(`{"properties":{"a":{}},"patternProperties":{"^x-":`+str+`,"^n-":{"type":"number"},"^z":false}}`,
		`{"type":"object","properties":{"a":{}},"additionalProperties":{"anyOf":[`+str+`,{"type":"number"}]}}`)
	f(`{"patternProperties":{"^x-":`+str+`},"additionalProperties":true}`, `{"type":"object","properties":{},"additionalProperties":true}`)
	f(`{"patternProperties":{"^x-":false},"additionalProperties":{"not":{}}}`, `{"type":"object","properties":{},"additionalProperties":false}`)
	f(`{"properties":{"a":{},"n":{"not":{}}},"required":["a","n"]}`, `{"type":"object","properties":{"a":{}},"required":["a"]}`)
	f(`{"properties":{"k":`+str+`},"if":{"properties":{"k":{"const":"x"}}},"then":{"properties":{"k":{},"x":`+str+`},"required":["x"]},"else":{"properties":{"y":{}}},"dependentSchemas":{"k":{"properties":{"z":{}}}},"dependencies":{"k":["q"]}}`,
		`{"type":"object","properties":{"k":`+str+`,"x":`+str+`,"y":{},"z":{}}}`)
	f(`{"properties":{"a":{"type":"string"},"a":{"type":"number"}}}`, `{"type":"object","properties":{"a":{"type":"number"}}}`)
	f(`{"properties":{"a\"\u00e9":{}}}`, `{"type":"object","properties":{"a\"é":{}}}`)
}

func TestCleanSchemaAllOf(t *testing.T) {
	f := func(in, want string) { t.Helper(); cleans(t, in, want) }
	f(`{"allOf":[{"properties":{"a":{"type":"string"}},"required":["a"]},{"properties":{"a":{"type":"number"},"b":{}},"required":["b"]}],"description":"D"}`,
		`{"type":"object","description":"D","properties":{"a":{"type":"string"},"b":{}},"required":["a","b"]}`)
	f(`{"properties":{"a":{}},"allOf":[{"allOf":[{"$ref":"#/$defs/B"}]}],"$defs":{"B":{"properties":{"b":{}},"required":["b"]}}}`,
		`{"type":"object","properties":{"a":{},"b":{}},"required":["b"]}`)
	cleansProperty(t, `{"allOf":[{"type":"string"},true,{"type":"number","minLength":2}]}`, `{"type":"string","minLength":2}`)
}

func TestCleanSchemaRefs(t *testing.T) {
	f := func(in, want string) { t.Helper(); cleans(t, in, want) }
	const s = `{"type":"string"}`
	f(`{"properties":{"a":{"$ref":"#/definitions/S"},"b":{"$ref":"#/definitions/S"}},"definitions":{"S":`+s+`,"Unused":{}}}`,
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/S"},"b":{"$ref":"#/$defs/S"}},"$defs":{"S":`+s+`}}`)
	f(`{"properties":{"a":{"$ref":"#/$defs/S","description":"A","x-z":1}},"$defs":{"S":`+s+`}}`,
		`{"type":"object","properties":{"a":{"type":"string","description":"A"}}}`)
	f(`{"properties":{"a":{"$ref":"#/$defs/S"},"b":{"$ref":"#/definitions/S"}},"$defs":{"S":`+s+`},"definitions":{"S":{"type":"number"}}}`,
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/S"},"b":{"type":"number"}},"$defs":{"S":`+s+`}}`)
	f(`{"properties":{"a":{"$ref":"#/properties/b/items"},"b":{"type":"array","items":`+s+`}}}`,
		`{"type":"object","properties":{"a":`+s+`,"b":{"type":"array","items":`+s+`}}}`)
	f(`{"properties":{"a":{"$ref":"#/components/x~1y%20z/0"}},"components":{"x/y z":[`+s+`]}}`, `{"type":"object","properties":{"a":`+s+`}}`)
	f(`{"properties":{"a":{"$ref":"#/$defs/odd name"}},"$defs":{"odd name":`+s+`}}`, `{"type":"object","properties":{"a":`+s+`}}`)
	f(`{"properties":{"a":{"$ref":"#here"},"b":{"$ref":"T0"}},"$defs":{"x":{"$anchor":"here","type":"string"},"y":{"$id":"T0","type":"number"}}}`,
		`{"type":"object","properties":{"a":`+s+`,"b":{"type":"number"}}}`)
	f(`{"properties":{"a":{"$ref":"http://elsewhere/x.json","title":"A"},"b":{"$ref":"#/no/where"},"c":{"$ref":"#%zz"}}}`,
		`{"type":"object","properties":{"a":{"title":"A"},"b":{},"c":{}}}`)
	f(`{"$defs":{"A":{"properties":{"b":{"$ref":"#/$defs/B"}}},"B":{"properties":{"a":{"$ref":"#/$defs/A"}}}},"properties":{"x":{"$ref":"#/$defs/A"},"y":{"$ref":"#/$defs/B"}}}`,
		`{"type":"object","properties":{"x":{"$ref":"#/$defs/A"},"y":{"$ref":"#/$defs/B"}},"$defs":{"B":{"properties":{"a":{"type":"object"}}},"A":{"properties":{"b":{"$ref":"#/$defs/B"}}}}}`)
	f(`{"properties":{"children":{"type":"array","items":{"$ref":"#"}}}}`,
		`{"type":"object","properties":{"children":{"type":"array","items":{"properties":{"children":{"type":"array","items":{"type":"object"}}}}}}}`)
	f(`{"$ref":"#"}`, `{"type":"object"}`)
}

func TestCleanOutput(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := string(CleanOutput(json.RawMessage(in))); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	f(``, ``)
	f(`true`, ``)
	f(`{}`, `{}`)
	f(`{"type":"array","items":{"$comment":1,"type":"string"}}`, `{"type":"array","items":{"type":"string"}}`)
	f(`{"$ref":"#/$defs/A","$defs":{"A":{"enum":["x"]}}}`, `{"type":"string","enum":["x"]}`)
	f(`{"description":"`+strings.Repeat("x", maxSchema)+`"}`, ``)
}

// bombs are schemas that grow without bounds for a reader that is not careful.
func bombs() map[string]string {
	double := func(body string) string {
		var b strings.Builder
		b.WriteString(`{"properties":{"x":{"$ref":"#/$defs/D0"}},"$defs":{`)
		for i := range 40 {
			fmt.Fprintf(&b, `"D%d":`+body+`,`, i, i+1, i+1)
		}
		b.WriteString(`"D40":{"type":"string"}}}`)
		return b.String()
	}
	wide := strings.Repeat(`{"properties":{"b":{}}},`, 5000) + `{}`
	many := func(format string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return strings.TrimSuffix(b.String(), ",")
	}
	unions := `{}`
	for i := range 25 {
		unions = fmt.Sprintf(`{"anyOf":[%s,{"type":"string"},{}],"properties":{%s}}`, unions, many(fmt.Sprintf(`"%d_%%d":{},`, i), 300))
	}
	thens := strings.Repeat(`{"then":`, 2000) + `{"properties":{"a":{}}}` + strings.Repeat(`}`, 2000)
	return map[string]string{
		"thens":        thens,
		"unions":       `{"properties":{"x":` + unions + `}}`,
		"properties":   double(`{"properties":{"a":{"$ref":"#/$defs/D%d","title":"t"},"b":{"$ref":"#/$defs/D%d","title":"t"}}}`),
		"allOf":        double(`{"allOf":[{"$ref":"#/$defs/D%d"},{"$ref":"#/$defs/D%d"}]}`),
		"anyOf":        double(`{"properties":{"p":{}},"anyOf":[{"$ref":"#/$defs/D%d"},{"$ref":"#/$defs/D%d"}]}`),
		"wide":         `{"anyOf":[` + wide + `],"properties":{` + many(`"p%d":{},`, 8000) + `}}`,
		"allOf wide":   `{"properties":{` + many(`"p%d":{},`, 6000) + `},"allOf":[` + strings.TrimSuffix(strings.Repeat(`{"properties":{"x":{}}},`, 7000), ",") + `]}`,
		"dependent":    `{"properties":{` + many(`"p%d":{},`, 6000) + `},"dependentSchemas":{` + many(`"p%d":{"properties":{"x":{}}},`, 5000) + `}}`,
		"consts":       `{"anyOf":[` + many(`{"properties":{"k":{"const":"%d"}}},`, 6000) + `]}`,
		"wide within":  `{"properties":{"x":{"anyOf":[` + wide + `],"properties":{` + many(`"p%d":{},`, 8000) + `}}}}`,
		"definitions":  `{"properties":{` + many(`"p%d":{"$ref":"#/$defs/D"},`, 6000) + `},"$defs":{"D":{}}}`,
		"lost":         `{"properties":{` + many(`"p%d":{"$ref":"#/x/%[1]d"},`, 6000) + `}}`,
		"lost anchors": `{"properties":{` + many(`"p%d":{"$ref":"#x%[1]d"},`, 6000) + `}}`,
		"chain":        `{"properties":{"x":{"$ref":"#/$defs/D0"}},"$defs":{` + many(`"D%[1]d":{"items":{"$ref":"#/$defs/D%[1]d0"}},`, 5000) + `}}`,
		"deep":         strings.Repeat(`{"items":`, 9000) + `{}` + strings.Repeat(`}`, 9000),
		"deep allOf":   strings.Repeat(`{"allOf":[`, 4000) + `{}` + strings.Repeat(`]}`, 4000),
		"required":     `{"properties":{` + many(`"p%d":{},`, 8000) + `},"required":[` + many(`"p%d",`, 8000) + `]}`,
	}
}

func TestSchemaBombs(t *testing.T) {
	for name, bomb := range bombs() {
		for form, change := range map[string]func(json.RawMessage) json.RawMessage{
			"clean": CleanSchema, "output": CleanOutput, "strict": StrictSchema, "strict output": StrictOutput,
		} {
			began := time.Now()
			out := change(json.RawMessage(bomb))
			if len(out) > maxSchema || out != nil && !json.Valid(out) {
				t.Errorf("%s, %s: %d bytes", name, form, len(out))
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("%s, %s: %v", name, form, took)
			}
		}
	}
}

// accepts lets the fake judge a request with one function.
func accepts(t *testing.T, key string, schema json.RawMessage) {
	t.Helper()
	body := `{"contents":[{"role":"user","parts":[{"text":"q"}]}],"tools":[{"functionDeclarations":[{"name":"f","` + key + `":` + string(schema) + `}]}]}`
	fake := fakegemini.New(fakegemini.Options{})
	defer fake.Close()
	req := httptest.NewRequest(http.MethodPost, "/v1beta/models/gemini-3.8-flash:countTokens", strings.NewReader(`{"generateContentRequest":`+body+`}`))
	req.Header.Set("x-goog-api-key", "k")
	w := httptest.NewRecorder()
	if fake.Handler().ServeHTTP(w, req); w.Code != http.StatusOK {
		t.Errorf("%s %s: %s", key, schema, w.Body)
	}
}

// seeds are schemas as they are seen in the wild, and worse.
func seeds() []string {
	list := []string{
		`{"type":"object","properties":{"a":{"$ref":"#/definitions/A","description":"d"}},"definitions":{"A":{"type":["string","null"],"format":"uri"}},"required":["a","z"]}`,
		`{"allOf":[{"$ref":"#"},{"anyOf":[{"type":"string"},{"type":"null"}]}],"type":"object","additionalProperties":{"not":{}}}`,
		`{"properties":{"t":{"type":"array","items":[{"enum":[1,2.5,"x",null,true]},false,true]}},"required":"t","const":{}}`,
		`{"properties":{"u":{"type":["array","object","integer"],"items":{},"properties":{"q":{}},"required":["q"],"minimum":1,"exclusiveMaximum":7}}}`,
		`{"properties":{"m":{"type":"object","additionalProperties":{"type":"number"}},"n":{"oneOf":[{"type":"null"}]},"o":{"anyOf":[]}}}`,
		`{"properties":{"a":{"$anchor":"x","items":{"$ref":"#x"}},"b":{"$dynamicRef":"#x"}}}`,
		`{"type":"object","properties":{"e":{"type":"integer","enum":[1,2]},"f":{"type":"string","enum":["","a"],"format":"enum"},"g":{"enum":[""]}}}`,
		`{"properties":{"k":{"not":{}}},"patternProperties":{"a":{"$ref":"#"},"b":{}},"then":{"properties":{"q":{"$ref":"#"}}},"anyOf":[{"required":["k"]},{"$ref":"#"}],"additionalProperties":false}`,
		`{"anyOf":[{"properties":{"k":{"const":"a"},"x":{}},"required":["k"]},{"properties":{"k":{"const":2},"y":{}},"required":["k","y"]}]}`,
		`{"properties":{"d":{"type":"number","format":"date","default":"\ud800"}}}`, `[]`, `{"a"`, ``, `{"type":5}`,
	}
	for _, bomb := range bombs() {
		if len(bomb) < 10_000 {
			list = append(list, bomb)
		}
	}
	return list
}

func FuzzCleanSchema(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := string(raw)
		out := CleanSchema(raw)
		if string(raw) != before || !json.Valid(out) || len(out) > maxSchema {
			t.Fatalf("%q became %s", before, out)
		}
		if again := CleanSchema(out); string(again) != string(out) {
			t.Fatalf("cleaned again:\n%s\nbecame\n%s", out, again)
		}
		accepts(t, "parametersJsonSchema", out)
		if answer := CleanOutput(raw); answer != nil && !json.Valid(answer) {
			t.Fatalf("%q became %s", before, answer)
		}
	})
}

func FuzzStrictSchema(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		accepts(t, "parameters", StrictSchema(raw))
		accepts(t, "parameters", StrictSchema(CleanSchema(raw)))
		if answer := StrictOutput(raw); answer != nil {
			accepts(t, "response", answer)
		}
	})
}
