package fakegemini

import (
	"fmt"
	"strings"
)

func toolPairs(f pair) {
	name := func(n string) string { return declared(`{"name":"` + n + `"}`) }
	f(RuleFunctionName, gen(m38, name("1st")), 400, "* GenerateContentRequest.tools[0].function_declarations[0].name: Invalid function name. Must start with a letter or an underscore.", gen(m38, name("_1st")))
	f(RuleFunctionName, gen(m38, name("a b")), 400, "Invalid function name", gen(m38, name("a.b:c-d_E9")))
	f(RuleFunctionName, gen(m38, name("")), 400, "Invalid function name", gen(m38, name("a")))
	f(RuleFunctionName, gen(m38, name("é")), 400, "Invalid function name", gen(m38, name("e")))
	f(RuleFunctionName, gen(m38, name(strings.Repeat("a", 65))), 400, "maximum length of 64", gen(m38, name(strings.Repeat("a", 64))))
	f(RuleDuplicate, gen(m38, declared(`{"name":"a"},{"name":"a"}`)), 400, "Duplicate function declaration found: a", gen(m38, declared(`{"name":"a"},{"name":"A"}`)))
	f(RuleTwoSchemas, gen(m38, declared(`{"name":"a","parameters":{"type":"OBJECT"},"parametersJsonSchema":{}}`)), 400, "only one of parameters and parameters_json_schema", gen(m38, declared(`{"name":"a","parametersJsonSchema":{}}`)))
	calling := func(c, tools string) string {
		return with1(`"toolConfig":{"functionCallingConfig":` + c + `},"tools":[` + tools + `]`)
	}
	f(RuleCallingConfig, gen(m38, calling(`{"mode":"AUTO"}`, ``)), 400, "Function calling config is set without function_declarations.", gen(m38, calling(`{"mode":"AUTO"}`, tool)))
	f(RuleCallingConfig, gen(m38, calling(`{}`, `{"googleSearch":{}}`)), 400, "without function_declarations", gen(m38, with1(`"toolConfig":{},"tools":[{"googleSearch":{}}]`)))
	f(RuleAllowedMode, gen(m38, calling(`{"mode":"AUTO","allowedFunctionNames":["Read"]}`, tool)), 400, "mode is ANY or VALIDATED", gen(m38, calling(`{"mode":"ANY","allowedFunctionNames":["Read"]}`, tool)))
	f(RuleAllowedMode, gen(m38, calling(`{"allowedFunctionNames":["Read"]}`, tool)), 400, "mode is ANY or VALIDATED", gen(m38, calling(`{"mode":"VALIDATED","allowedFunctionNames":["Read"]}`, tool)))
	f(RuleAllowedNames, gen(m38, calling(`{"mode":"ANY","allowedFunctionNames":["Raed"]}`, tool)), 400, `"Raed"`, gen(m38, calling(`{"mode":"ANY","allowedFunctionNames":["Read"]}`, tool)))
	mixed := func(flag string) string {
		return with1(`"tools":[` + tool + `,{"googleSearch":{}}],"toolConfig":{` + flag + `}`)
	}
	f(RuleBuiltInFlag, gen(m38, mixed(``)), 400, "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools with Function calling.", gen(m38, mixed(`"includeServerSideToolInvocations":true`)))
	f(RuleBuiltInOld, gen(m25, mixed(`"includeServerSideToolInvocations":true`)), 400, "Tool call context circulation is not enabled for models/gemini-2.5-flash", gen(m25, with1(`"tools":[`+tool+`]`)))
	f(RuleBuiltInOld, gen(m25, mixed(``)), 400, "cannot be combined", gen(m25, with1(`"tools":[{"googleSearch":{}}]`)))
	searched := with1(`"tools":[{"googleSearch":{}}],"generationConfig":{"responseMimeType":"application/json"}`)
	f(RuleJSONWithCalls, gen(m25, searched), 400, "Tool use with a response mime type: 'application/json' is unsupported", gen(m38, searched))
	many := func(n int) asks {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf(`{"name":"f%d"}`, i))
		}
		return gen(m38, declared(strings.Join(names, ",")))
	}
	f(RuleDeclarations, many(513), 400, "At most 512", many(512))
	json := with1(`"tools":[` + tool + `],"generationConfig":{"responseMimeType":"application/json"}`)
	f(RuleJSONWithCalls, gen(m25, json), 400, "Function calling with a response mime type: 'application/json' is unsupported", gen(m38, json))
}

func schemaPairs(f pair) {
	p := func(bad, want, good string) {
		f(RuleSchema, gen(m38, declared(`{"name":"a","parameters":`+bad+`}`)), 400, "tools[0].function_declarations[0].parameters"+want, gen(m38, declared(`{"name":"a","parameters":`+good+`}`)))
	}
	p(`{"properties":{"a":{"type":"STRING"}}}`, ".properties: only allowed for OBJECT type", `{"type":"OBJECT","properties":{"a":{"type":"STRING"}}}`)
	p(`{"type":"STRING","required":["a"]}`, ".required: only allowed for OBJECT type", `{"type":"OBJECT","properties":{"a":{"type":"STRING"}},"required":["a"]}`)
	p(`{"type":"OBJECT","required":["a"]}`, ".required[0]: property is not defined", `{"type":"OBJECT","properties":{}}`)
	p(`{"type":"ARRAY"}`, ".items: missing field.", `{"type":"ARRAY","items":{}}`)
	p(`{"type":"STRING","items":{}}`, ".items: field predicate failed: $type == Type.ARRAY", `{"type":"ARRAY","items":{"type":"STRING"}}`)
	p(`{"type":"INTEGER","enum":["1"]}`, ".enum: only allowed for STRING type", `{"type":"STRING","enum":["1"]}`)
	p(`{"type":"STRING","format":"uri"}`, ".format: only 'enum' and 'date-time' are supported for STRING type", `{"type":"STRING","format":"date-time"}`)
	p(`{"type":"NUMBER","format":"int32"}`, ".format: only", `{"type":"INTEGER","format":"int32"}`)
	p(`{"type":"STRING","enum":["a",""]}`, ".enum[1]: cannot be empty", `{"type":"STRING","enum":["a"," "]}`)
	p(`{"type":"OBJECT","anyOf":[{"type":"STRING"}],"properties":{"a":{"type":"STRING"}}}`, ".properties: only allowed for OBJECT type", `{"anyOf":[{"type":"OBJECT","properties":{"a":{"type":"STRING"}}}]}`)
	p(`{"anyOf":[{"type":"STRING"}],"enum":["a"]}`, ".enum: only allowed for STRING type", `{"anyOf":[{"type":"STRING","enum":["a"]}]}`)
	empty := declared(`{"name":"a","parameters":{"type":"OBJECT","properties":{"o":{"type":"ARRAY","items":{"type":"OBJECT"}}}}}`)
	f(RuleEmptyObject, gen(m25, empty), 400, "parameters.properties[o].items.properties: should be non-empty for OBJECT type", gen(m38, empty))
	f(RuleEmptyObject, gen(m25, declared(`{"name":"a","parameters":{"anyOf":[{"type":"OBJECT"}]}}`)), 400, "any_of[0].properties: should be non-empty", gen(m25, declared(`{"name":"a","parameters":{"type":"OBJECT","properties":{}}}`)))
	p(`{"type":"OBJECT","properties":{"b":{"anyOf":[{"type":"ARRAY"}]}}}`, ".properties[b].any_of[0].items: missing field.", `{"type":"OBJECT","properties":{"b":{"anyOf":[{"type":"ARRAY","items":{"type":"STRING"}}]}}}`)
	f(RuleSchema, gen(m38, config(`{"responseMimeType":"application/json","responseSchema":{"type":"ARRAY"}}`)), 400, "generation_config.response_schema.items: missing field.", gen(m38, config(`{"responseMimeType":"application/json","responseSchema":{"type":"ARRAY","items":{}}}`)))
}

func jsonSchemaPairs(f pair) {
	p := func(bad, want, good string) {
		f(RuleJSONSchema, gen(m38, declared(`{"name":"a","parametersJsonSchema":`+bad+`}`)), 400, want, gen(m38, declared(`{"name":"a","parametersJsonSchema":`+good+`}`)))
	}
	const undefined = "reference to undefined schema at properties.a"
	defs := `,"$defs":{"A":{"type":"string"}}}`
	p(`{"properties":{"a":{"$ref":"#/$defs/A"}}}`, undefined, `{"properties":{"a":{"$ref":"#/$defs/A"}}`+defs)
	p(`{"properties":{"a":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/B"}]}}`+defs, undefined+".anyOf.1", `{"properties":{"a":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/A"}]}}`+defs)
	p(`{"properties":{"a":{"$ref":"other.json"}}}`, undefined, `{"$id":"other.json","properties":{"a":{"$ref":"other.json"}}}`)
	p(`{"properties":{"a":{"$ref":"#b"}}}`, undefined, `{"properties":{"a":{"$ref":"#b"},"b":{"anyOf":[{"$anchor":"b"}]}}}`)
	p(`{"prefixItems":[{"$ref":"#/prefixItems/2"},{"type":"string"}]}`, "undefined schema at prefixItems.0", `{"prefixItems":[{"$ref":"#/prefixItems/1"},{"type":"string"}]}`)
	p(`{"properties":{"a":{"$ref":"#/$defs/A","description":"x"}}`+defs, "$ref '#/$defs/A' was set alongside unsupported fields.", `{"properties":{"a":{"$ref":"#/$defs/A","$comment":"x"}}`+defs)
	node := func(required string) string {
		return `{"properties":{"a":{"$ref":"#/$defs/N"}},"$defs":{"N":{"properties":{"next":{"items":{"$ref":"#/$defs/N"}}}` + required + `}}}`
	}
	p(node(`,"required":["next"]`), "leads back to itself through required properties", node(``))
	p(`{"properties":{"a":{"$ref":"#"}},"required":["a"]}`, "leads back to itself", `{"properties":{"a":{"$ref":"#"},"$ref":{"type":"string"}},"required":["$ref"]}`)
	f(RuleJSONSchema, gen(m38, config(`{"responseMimeType":"application/json","responseJsonSchema":{"$ref":"#/$defs/A"}}`)), 400, "undefined schema at ",
		gen(m38, config(`{"responseMimeType":"application/json","responseJsonSchema":{"$ref":"#/$defs/A","$defs":{"A":{}}}}`)))
}
