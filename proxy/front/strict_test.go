package front

import (
	"encoding/json"
	"testing"
)

func TestStrictSchema(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		got := StrictSchema(json.RawMessage(`{"properties":{"p":` + in + `}}`))
		if want = `{"type":"OBJECT","properties":{"p":` + want + `}}`; string(got) != want {
			t.Errorf("%s\ngot  %s\nwant %s", in, got, want)
		}
		accepts(t, "parameters", got)
	}
	const str = `{"type":"STRING"}`
	f(`{}`, str)
	f(`{"type":["string","null"]}`, `{"type":"STRING","nullable":true}`)
	f(`{"type":["string","integer"],"minLength":1,"minimum":2,"description":"D"}`,
		`{"description":"D","anyOf":[{"type":"STRING","minLength":1},{"type":"INTEGER","minimum":2}]}`)
	f(`{"type":"integer","enum":[1,2]}`, `{"type":"STRING","enum":["1","2"]}`)
	f(`{"enum":["","a"]}`, `{"type":"STRING","enum":["a"]}`)
	f(`{"enum":[""]}`, str)
	f(`{"type":"string","format":"date"}`, `{"type":"STRING","description":"format: date"}`)
	f(`{"type":"string","format":"date-time"}`, `{"type":"STRING","format":"date-time"}`)
	f(`{"type":"integer","format":"int64"}`, `{"type":"INTEGER","format":"int64"}`)
	f(`{"type":"array"}`, `{"type":"ARRAY","items":`+str+`}`)
	f(`{"type":"array","prefixItems":[{"type":"string"},{"type":"number"}],"minItems":2}`,
		`{"type":"ARRAY","items":{"anyOf":[{"type":"STRING"},{"type":"NUMBER"}]},"minItems":2}`)
	f(`{"type":"object","properties":{"a":{}},"required":["a","b"],"additionalProperties":false}`,
		`{"type":"OBJECT","properties":{"a":{"type":"STRING"}},"required":["a"]}`)
	f(`{"anyOf":[{"required":["a"]},{"required":["b"]}],"type":"object","properties":{"a":{},"b":{}}}`,
		`{"anyOf":[{"type":"OBJECT","properties":{"a":`+str+`,"b":`+str+`},"required":["a"]},{"type":"OBJECT","properties":{"a":`+str+`,"b":`+str+`},"required":["b"]}]}`)
	f(`{"oneOf":[{"type":"null"},{"$ref":"#/$defs/N"}],"title":"T"}`, `{"type":"STRING","title":"T","nullable":true}`)
	f(`{"not":{"type":"null"},"pattern":"^a","maximum":3}`, `{"type":"NUMBER","maximum":3}`)
}

func TestStrictSchemaRoot(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		got := StrictSchema(json.RawMessage(in))
		if string(got) != want {
			t.Errorf("%s\ngot  %s\nwant %s", in, got, want)
		}
		accepts(t, "parameters", got)
	}
	for _, none := range []string{``, `{}`, `[]`, `{"type":"string"}`, `{"type":`, `{"enum":["a"]}`} {
		f(none, `{"type":"OBJECT","properties":{}}`)
	}
	f(`{"$ref":"#/$defs/A","$defs":{"A":{"properties":{"self":{"$ref":"#/$defs/A"},"n":{"type":"null"}}}}}`,
		`{"type":"OBJECT","properties":{"self":{"type":"OBJECT","properties":{"_":{"type":"STRING","description":"Not in use: leave it out, and give the object the properties that it needs.","nullable":true}}},"n":{"type":"STRING","nullable":true}}}`)
	f(`{"anyOf":[{"properties":{"a":{"type":"string"}},"required":["a"]},{"properties":{"b":{"type":"number"}}}],"required":["b"]}`,
		`{"type":"OBJECT","properties":{"a":{"type":"STRING"},"b":{"type":"NUMBER"}},"required":["b"]}`)
	f(`{"type":"object","oneOf":[{"$ref":"#/$defs/A"},{"properties":{"op":{"const":"delete"},"id":{"type":"integer"}},"required":["id","op"]}],"$defs":{"A":{"properties":{"op":{"$ref":"#/$defs/Op"},"id":{"type":"string"}},"required":["op"]},"Op":{"enum":["create","update"],"description":"What."}}}`,
		`{"type":"OBJECT","properties":{"op":{"type":"STRING","description":"What.","enum":["create","update","delete"]},"id":{"type":"STRING"}},"required":["op"]}`)
	// what several branches rest on is no circle
	const base = `"$defs":{"B":{"properties":{"kind":{"type":"string"}},"required":["kind"]}}`
	const union = `"oneOf":[{"allOf":[{"$ref":"#/$defs/B"},{"properties":{"x":{"type":"string"}}}]},{"allOf":[{"$ref":"#/$defs/B"},{"properties":{"y":{"type":"string"}}}]}]`
	f(`{`+union+`,`+base+`}`, `{"type":"OBJECT","properties":{"kind":{"type":"STRING"},"x":{"type":"STRING"},"y":{"type":"STRING"}},"required":["kind"]}`)
	f(`{"properties":{"p":{`+union+`}},`+base+`}`, `{"type":"OBJECT","properties":{"p":{"anyOf":[`+
		`{"type":"OBJECT","properties":{"kind":{"type":"STRING"},"x":{"type":"STRING"}},"required":["kind"]},`+
		`{"type":"OBJECT","properties":{"kind":{"type":"STRING"},"y":{"type":"STRING"}},"required":["kind"]}]}}}`)
}

func TestStrictOutput(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := string(StrictOutput(json.RawMessage(in))); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	f(``, ``)
	f(`{"type":"array","items":{"type":"integer"}}`, `{"type":"ARRAY","items":{"type":"INTEGER"}}`)
	f(`{"anyOf":[{"type":"string"},{"type":"number"}]}`, `{"anyOf":[{"type":"STRING"},{"type":"NUMBER"}]}`)
}
