package front

import (
	"encoding/json"
	"testing"
)

func TestUnstrictArgs(t *testing.T) {
	f := func(schema, args, want string) {
		t.Helper()
		raw := CleanSchema(json.RawMessage(`{"properties":{"p":` + schema + `}}`))
		if got := unstrictArgs(raw, json.RawMessage(`{"p":`+args+`}`)); string(got) != `{"p":`+want+`}` {
			t.Errorf("%s: %s becomes %s, want %s", schema, args, got, want)
		}
	}
	f(`{"enum":[1,2.5]}`, `"2.5"`, `2.5`)
	f(`{"type":"integer","enum":[1,2]}`, `"3"`, `"3"`)
	f(`{"enum":[true,false]}`, `true`, `true`)
	f(`{"const":7}`, `"7"`, `7`)
	f(`{"enum":["1",1]}`, `"1"`, `"1"`)
	f(`{"anyOf":[{"type":"string"},{"enum":[1]}]}`, `"1"`, `"1"`)
	f(`{"anyOf":[{"type":"object","properties":{}},{"enum":[1]}]}`, `"1"`, `1`)
	f(`{"type":"integer"}`, `"1"`, `"1"`)
	f(`{"type":"object"}`, `{"_":"x","a":"b"}`, `{"a":"b"}`)
	f(`{"type":"object"}`, `{"_":null}`, `{}`)
	f(`{"type":"object","properties":{"_":{"type":"string"}}}`, `{"_":"x"}`, `{"_":"x"}`)
	f(`{"type":"object","additionalProperties":{"enum":[1]}}`, `{"a":"1","_":"1"}`, `{"a":1}`)
	f(`{"type":"array","items":{"type":"object","properties":{"z":{},"a":{"enum":[0]}}}}`, `[{"z":"0","a":"0"},7,{"a":"\u0030"}]`, `[{"z":"0","a":0},7,{"a":0}]`)
	f(`{"type":"array","prefixItems":[{"enum":[1]},{"enum":[2]}]}`, `["1","2"]`, `[1,2]`)
	f(`{"$ref":"#/properties/p/$defs/n","$defs":{"n":{"type":"object","properties":{"v":{"enum":[1]},"next":{"$ref":"#/properties/p/$defs/n"}}}}}`,
		`{"v":"1","next":{"_":"","v":"1"}}`, `{"v":1,"next":{"v":"1"}}`)
	if got := unstrictArgs(json.RawMessage(`{}`), json.RawMessage(`{"_":1}`)); string(got) != `{"_":1}` {
		t.Errorf("at the root: %s", got)
	}
}

// FuzzUnstrictArgs: whatever comes, what comes out is JSON if what came in is.
func FuzzUnstrictArgs(f *testing.F) {
	f.Add([]byte(`{"properties":{"p":{"enum":[1,true]},"q":{"type":"object"},"r":{"$ref":"#"}}}`), []byte(`{"p":"1","q":{"_":"x"},"r":{"p":"true"}}`))
	f.Add([]byte(`{"anyOf":[{"$ref":"#"},{"items":{"const":0}}]}`), []byte(`[["0"]]`))
	f.Fuzz(func(t *testing.T, schema, args []byte) {
		if got := unstrictArgs(schema, args); json.Valid(args) && !json.Valid(got) {
			t.Errorf("%s by %s becomes %s", args, schema, got)
		}
	})
}
