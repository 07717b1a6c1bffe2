package fakegemini

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// TestReadSpellings: all spellings of a body read as the same request.
func TestReadSpellings(t *testing.T) {
	var want GenerateContentRequest
	if r := read([]byte(`{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"a/b","data":"AA=="}}]}],"generationConfig":{"maxOutputTokens":5,"thinkingConfig":{"thinkingLevel":"HIGH"}}}`), &want); r != nil {
		t.Fatal(r.err)
	}
	f := func(body string) {
		t.Helper()
		var got GenerateContentRequest
		if r := read([]byte(body), &got); r != nil {
			t.Errorf("%s: %v", body, r.err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v", body, got)
		}
	}
	f(`{"contents":[{"role":"user","parts":[{"inline_data":{"mime_type":"a/b","data":"AA=="}}]}],"generation_config":{"max_output_tokens":5,"thinking_config":{"thinking_level":"HIGH"}}}`)
	f(`{"contents":{"role":"user","parts":{"inlineData":{"mimeType":"a/b","data":"AA=="}}},"generationConfig":{"maxOutputTokens":"5","thinkingConfig":{"thinkingLevel":2}}}`)
	f("\n{ \"contents\" : [ {\"role\":\"user\" , \"parts\":[ {\"inlineData\": {\"mimeType\":\"\\u0061/b\",\"data\":\"AA==\"} , \"text\":null} ] } ],\"tools\":null,\t\"generationConfig\":{\"maxOutputTokens\":5.0,\"thinkingConfig\":{\"thinkingLevel\":\"HIGH\"}}}\r\n")
}

// TestReadKeepsRawText: arguments and schemas stay byte for byte.
func TestReadKeepsRawText(t *testing.T) {
	const args = `{ "z":1.0, "a":"\u00e9\"]}", "n":[1,{"k":null}] }`
	var got GenerateContentRequest
	if r := read([]byte(`{"contents":[{"parts":[{"functionCall":{"name":"a","args":`+args+`}}]}],"tools":[{"functionDeclarations":[{"name":"a","parametersJsonSchema":`+args+`}]}]}`), &got); r != nil {
		t.Fatal(r.err)
	}
	if s := string(got.Contents[0].Parts[0].FunctionCall.Args); s != args {
		t.Errorf("args: %s", s)
	}
	if s := string(got.Tools[0].FunctionDeclarations[0].ParametersJSONSchema); s != args {
		t.Errorf("schema: %s", s)
	}
}

// TestAllFaultsAtOnce: one answer names every fault, in the message and in the details.
func TestAllFaultsAtOnce(t *testing.T) {
	var got GenerateContentRequest
	r := read([]byte(`{"x":1,"contents":[{"parts":[{"text":1}]}],"generationConfig":{"y":2}}`), &got)
	if r == nil || r.rule != RuleUnknownName || strings.Count(r.err.Message, "\n") != 2 || len(r.err.Details[0].FieldViolations) != 3 || r.err.Details[0].FieldViolations[1].Field != "contents[0].parts[0].text" {
		t.Errorf("got %+v", r)
	}
}

// TestEveryEnumHasAName: an enum's name on the wire is in the table.
func TestEveryEnumHasAName(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(rt reflect.Type) {
		if seen[rt] {
			return
		}
		seen[rt] = true
		if _, ok := reflect.Zero(rt).Interface().(enum); ok && protoEnums[rt.Name()] == "" {
			t.Errorf("enum %s has no name", rt.Name())
		}
		switch rt.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(rt.Elem())
		case reflect.Struct:
			for i := range rt.NumField() {
				walk(rt.Field(i).Type)
			}
		}
	}
	walk(reflect.TypeFor[GenerateContentRequest]())
}

// FuzzRead: no body makes the reader or the rules panic, and what is read can be written and read again.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{``, `{}`, `[]`, `{"contents":[` + hi + `]}`, talk(hi, callA, gaveA), config(`{"stopSequences":["a"],"thinkingConfig":{"thinkingLevel":1}}`), declared(`{"name":"a","parameters":{"type":"ARRAY","items":{"anyOf":[{}]}}}`), `{"contents":{"parts":{"text":"\ud800"}}}`} {
		f.Add([]byte(seed))
	}
	models := newModelTable(nil)
	s := newSigner("")
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 0 && wellFormed(body) != nil {
			return
		}
		var first, second GenerateContentRequest
		if read(body, &first) != nil {
			return
		}
		raw, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		if r := read(raw, &second); r != nil {
			t.Fatalf("%s: %v", raw, r.err)
		}
		for _, id := range []string{m25, m3, m38, m4} {
			model, _ := models.find(id)
			r := judge(&asked{body: &first, model: model, message: "GenerateContentRequest", signer: s})
			if r == nil {
				imagine(model, &first, 0)
			}
		}
	})
}
