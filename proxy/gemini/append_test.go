package gemini

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestAppendJSONKeepsEveryByte(t *testing.T) {
	f := func(r Request, want string) {
		t.Helper()
		if got := string(r.AppendJSON(nil)); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	zero, seed, half := 0, int32(7), 0.5
	f(Request{}, `{"contents":[]}`)
	f(Request{GenerationConfig: &GenerationConfig{}}, `{"contents":[],"generationConfig":{}}`)
	f(Request{GenerationConfig: &GenerationConfig{ThinkingConfig: &ThinkingConfig{ThinkingBudget: &zero}}},
		`{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingBudget":0}}}`)
	f(Request{Contents: []Content{{Role: "user", Parts: []Part{{}, {Text: Text(`"<é&\u003c>"`)}}}}},
		`{"contents":[{"role":"user","parts":[{"text":""},{"text":"<é&\u003c>"}]}]}`)
	f(Request{
		Contents: []Content{
			{Role: "model", Parts: []Part{
				{FunctionCall: &FunctionCall{ID: "i", Name: "f", Args: json.RawMessage("{\"b\": 1.0,\n\"a\":\"<\"}")}, ThoughtSignature: "S"},
				{FunctionCall: &FunctionCall{Name: "g"}}}},
			{Role: "user", Parts: []Part{
				{FunctionResponse: &FunctionResponse{ID: "i", Name: "f", Response: Result{Output: Text(`"x"`)},
					Parts: []Part{{InlineData: &Blob{"image/png", "AA=="}}}}},
				{FunctionResponse: &FunctionResponse{Name: "g"}}, {FileData: &FileData{FileURI: "u", MimeType: "m"}}}},
		},
		SystemInstruction: &Content{Parts: []Part{{Text: Text(`"s"`)}}},
		Tools: []Tool{{FunctionDeclarations: []FunctionDeclaration{
			{Name: "f", Description: Text(`""`), ParametersJSONSchema: json.RawMessage(`{"type":"object"}`)}, {Name: "g"}}}},
		ToolConfig:     &ToolConfig{FunctionCallingConfig: &FunctionCallingConfig{"ANY", []string{"f", "g"}}},
		SafetySettings: []SafetySetting{{"C", "OFF"}},
		GenerationConfig: &GenerationConfig{Temperature: &half, TopP: &half, TopK: &zero, MaxOutputTokens: 9,
			StopSequences: []string{"</a>\n"}, Seed: &seed, ResponseMimeType: "application/json",
			ResponseJSONSchema: json.RawMessage(`{"type":"string"}`),
			ThinkingConfig:     &ThinkingConfig{IncludeThoughts: true, ThinkingLevel: "LOW"}},
	}, `{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","id":"i","args":{"b": 1.0,`+"\n"+`"a":"<"}},"thoughtSignature":"S"},{"functionCall":{"name":"g"}}]},`+
		`{"role":"user","parts":[{"functionResponse":{"name":"f","id":"i","response":{"output":"x"},"parts":[{"inlineData":{"mimeType":"image/png","data":"AA=="}}]}},{"functionResponse":{"name":"g","response":{}}},{"fileData":{"fileUri":"u","mimeType":"m"}}]}],`+
		`"systemInstruction":{"parts":[{"text":"s"}]},"tools":[{"functionDeclarations":[{"name":"f","description":"","parametersJsonSchema":{"type":"object"}},{"name":"g"}]}],`+
		`"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f","g"]}},"safetySettings":[{"category":"C","threshold":"OFF"}],`+
		`"generationConfig":{"temperature":0.5,"topP":0.5,"topK":0,"maxOutputTokens":9,"stopSequences":["</a>\n"],"seed":7,"responseMimeType":"application/json","responseJsonSchema":{"type":"string"},"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"LOW"}}}`)
}

// TestAppendJSONWritesEveryField holds the writer to the types: what encoding/json reads back is what was there.
func TestAppendJSONWritesEveryField(t *testing.T) {
	var r Request
	fill(reflect.ValueOf(&r).Elem())
	part := r.Contents[0].Parts[0]
	r.Contents[0].Parts = []Part{ // a part holds one thing
		{Text: part.Text, Thought: true, ThoughtSignature: "s"}, {InlineData: part.InlineData}, {FileData: part.FileData},
		{FunctionCall: part.FunctionCall}, {FunctionResponse: part.FunctionResponse},
		{ToolCall: part.ToolCall}, {ToolResponse: part.ToolResponse, ThoughtSignature: "s"},
	}
	r.Contents[0].Parts[1].MediaResolution = part.MediaResolution
	tool := r.Tools[0]
	r.Tools = []Tool{ // and so does a tool
		{FunctionDeclarations: tool.FunctionDeclarations}, {GoogleSearch: tool.GoogleSearch},
		{URLContext: tool.URLContext}, {CodeExecution: tool.CodeExecution},
	}
	part.FunctionResponse.Parts = []Part{{InlineData: &Blob{"a", "b"}}}
	r.SystemInstruction.Parts = []Part{{Text: Text(`"s"`)}}
	var back Request
	if err := json.Unmarshal(r.AppendJSON(nil), &back); err != nil {
		t.Fatal(err)
	}
	part.FunctionCall.ClientID, part.FunctionResponse.ClientID, part.FileData.Param = "", "", ""
	if !reflect.DeepEqual(r, back) {
		t.Errorf("got  %s\nwant %s", back.AppendJSON(nil), r.AppendJSON(nil))
	}
}

// fill sets every field that v reaches, one element a slice; parts within parts stay empty.
func fill(v reflect.Value) {
	switch v.Interface().(type) {
	case Text:
		v.SetBytes([]byte(`"t"`))
		return
	case json.RawMessage:
		v.SetBytes([]byte(`{"r":1}`))
		return
	case FunctionResponse:
		v.Set(reflect.ValueOf(FunctionResponse{ID: "i", Name: "n", Response: Result{Error: Text(`"t"`)}}))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Int, reflect.Int32:
		v.SetInt(5)
	case reflect.Float64:
		v.SetFloat(0.25)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i))
			}
		}
	}
}

func FuzzAppendQuoted(f *testing.F) {
	f.Add("a\"\\\n\x00\x7fé\xff\u2028<>&😀")
	f.Fuzz(func(t *testing.T, s string) {
		var got, want string
		if err := json.Unmarshal(AppendQuoted(nil, s), &got); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if err := json.Unmarshal(Quote(s), &want); err != nil || got != want {
			t.Errorf("%q reads %q, want %q (%v)", s, got, want, err)
		}
	})
}

func TestTextBlankAndWrap(t *testing.T) {
	f := func(literal string, blank bool) {
		t.Helper()
		if Text(literal).Blank() != blank {
			t.Errorf("%s: blank is %v", literal, !blank)
		}
	}
	f(``, true)
	f(`""`, true)
	f(`" \n\r\t "`, true)
	f(`"\u0020\u00a0"`, true)
	f("\"\u2003\"", true)
	f(`" x"`, false)
	f(`"\u0041"`, false)
	f(`"\\n"`, false)
	if got := Text(`"a\u00e9"`).Wrap("<\"", "\n>"); string(got) != `"<\"a\u00e9\n>"` {
		t.Errorf("Wrap = %s", got)
	}
}
