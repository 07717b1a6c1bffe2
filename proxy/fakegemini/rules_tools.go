package fakegemini

import (
	"fmt"
	"slices"
)

// maxFunctionName is the length that Google's own error text names; its documents say 128 by now.
const maxFunctionName = 64

func (q *asked) eachFunction(f func(path string, d FunctionDeclaration)) {
	for i, t := range q.body.Tools {
		for j, d := range t.FunctionDeclarations {
			f(fmt.Sprintf("tools[%d].function_declarations[%d]", i, j), d)
		}
	}
}

func (q *asked) functions() []FunctionDeclaration {
	var out []FunctionDeclaration
	q.eachFunction(func(_ string, d FunctionDeclaration) { out = append(out, d) })
	return out
}

func functionNames(q *asked) *refusal {
	var lines []string
	q.eachFunction(func(path string, d FunctionDeclaration) {
		if !goodName(d.Name) {
			lines = append(lines, path+".name: Invalid function name. Must start with a letter or an underscore. Must be alphameric (a-z, A-Z, 0-9), "+
				"underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 64.")
		}
	})
	return q.violations(RuleFunctionName, lines)
}

func goodName(name string) bool {
	for i, c := range name {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		other := c >= '0' && c <= '9' || c == '.' || c == ':' || c == '-'
		if !letter && (i == 0 || !other) {
			return false
		}
	}
	return name != "" && len(name) <= maxFunctionName
}

func duplicateFunctions(q *asked) *refusal {
	seen := map[string]bool{}
	for _, d := range q.functions() {
		if seen[d.Name] {
			return refuse(RuleDuplicate, "Duplicate function declaration found: "+d.Name)
		}
		seen[d.Name] = true
	}
	return nil
}

func twoSchemas(q *asked) *refusal {
	var lines []string
	q.eachFunction(func(path string, d FunctionDeclaration) {
		if d.Parameters != nil && d.ParametersJSONSchema != nil {
			lines = append(lines, path+": only one of parameters and parameters_json_schema may be set")
		}
		if d.Response != nil && d.ResponseJSONSchema != nil {
			lines = append(lines, path+": only one of response and response_json_schema may be set")
		}
	})
	return q.violations(RuleTwoSchemas, lines)
}

const maxDeclarations = 512

func declarations(q *asked) *refusal {
	if len(q.functions()) <= maxDeclarations {
		return nil
	}
	return refuse(RuleDeclarations, fmt.Sprintf("At most %d function declarations are allowed.", maxDeclarations))
}

func (q *asked) calling() FunctionCallingConfig {
	if q.body.ToolConfig == nil || q.body.ToolConfig.FunctionCallingConfig == nil {
		return FunctionCallingConfig{}
	}
	return *q.body.ToolConfig.FunctionCallingConfig
}

func callingConfig(q *asked) *refusal {
	set := q.body.ToolConfig != nil && q.body.ToolConfig.FunctionCallingConfig != nil
	if set && len(q.functions()) == 0 {
		return refuse(RuleCallingConfig, "Function calling config is set without function_declarations.")
	}
	return nil
}

func allowedMode(q *asked) *refusal {
	c := q.calling()
	if len(c.AllowedFunctionNames) > 0 && c.Mode != "ANY" && c.Mode != "VALIDATED" {
		return refuse(RuleAllowedMode, "Allowed function names can only be set when the function calling mode is ANY or VALIDATED.")
	}
	return nil
}

func allowedNames(q *asked) *refusal {
	declared := q.functions()
	for _, name := range q.calling().AllowedFunctionNames {
		if !slices.ContainsFunc(declared, func(d FunctionDeclaration) bool { return d.Name == name }) {
			return refuse(RuleAllowedNames, fmt.Sprintf("Allowed function name %q is not among the function declarations.", name))
		}
	}
	return nil
}

// mixed tells whether built-in tools stand beside functions, and whether the flag for it is set.
func (q *asked) mixed() (mixed, flag bool) {
	builtIn := slices.ContainsFunc(q.body.Tools, Tool.builtIn)
	flag = q.body.ToolConfig != nil && q.body.ToolConfig.IncludeServerSideToolInvocations
	return builtIn && len(q.functions()) > 0, flag
}

func builtInFlag(q *asked) *refusal {
	if mixed, flag := q.mixed(); q.model.Family.MixesBuiltIns && mixed && !flag {
		return refuse(RuleBuiltInFlag, "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools with Function calling.")
	}
	return nil
}

func builtInOld(q *asked) *refusal {
	mixed, flag := q.mixed()
	switch {
	case q.model.Family.MixesBuiltIns:
		return nil
	case flag:
		return refuse(RuleBuiltInOld, "Tool call context circulation is not enabled for models/"+q.model.ID)
	case mixed:
		return refuse(RuleBuiltInOld, "Built-in tools ({google_search}) and Function Calling cannot be combined in the same request. Please choose one of these features.")
	}
	return nil
}

func jsonWithCalls(q *asked) *refusal {
	switch {
	case q.config().ResponseMimeType != mimeJSON || q.model.Family.MixesBuiltIns:
		return nil
	case len(q.functions()) > 0:
		return refuse(RuleJSONWithCalls, "Function calling with a response mime type: 'application/json' is unsupported")
	case q.has(Tool.builtIn):
		return refuse(RuleJSONWithCalls, "Tool use with a response mime type: 'application/json' is unsupported")
	}
	return nil
}
