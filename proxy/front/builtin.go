package front

import (
	"slices"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// fitTools declares the built-in tools and settles what the model may call. Before Gemini 3 functions and built-in tools
// exclude each other: the client's functions stay, stubs for its history give way.
func fitTools(req *gemini.Request, call *Call, target string) {
	family := gemini.FamilyOf(target)
	builtIn := call.BuiltIn.tools()
	if len(builtIn) > 0 && call.stubbed && !family.MixedTools {
		req.Tools, req.ToolConfig = nil, nil
	}
	functions := len(req.Tools) > 0
	if functions {
		if call.Schemas.refuses(target, functionsOf(req.Tools)) {
			req.Tools = call.strictTools(req.Tools)
		}
		req.ToolConfig = fitToolConfig(req.ToolConfig, call.StrictTools && !call.stubbed, family)
	}
	switch {
	case len(builtIn) == 0:
	case !functions:
		req.Tools = builtIn
	case family.MixedTools:
		req.Tools = slices.Concat(req.Tools, builtIn)
		req.ToolConfig = besideBuiltIn(req.ToolConfig)
	default:
		call.BuiltIn.leaveOut(&call.LeftOut)
	}
}

// cleanTools cleans the schemas that the client declared, once for all models.
func (c *Call) cleanTools() {
	switch {
	case c.declared != nil:
		c.Request.Tools = c.declared.cleaned(c.Schemas)
	case c.Request != nil:
		c.Request.Tools = cleanTools(c.Request.Tools, c.Schemas)
	}
}

// Both are the tools that are in b and in other.
func (b BuiltIn) Both(other BuiltIn) BuiltIn {
	return BuiltIn{Search: b.Search && other.Search, Fetch: b.Fetch && other.Fetch, Code: b.Code && other.Code}
}

func (b BuiltIn) leaveOut(l *LeftOut) {
	if b.Search {
		l.Add("web_search")
	}
	if b.Fetch {
		l.Add("web_fetch")
	}
	if b.Code {
		l.Add("code_execution")
	}
}

func (b BuiltIn) tools() (tools []gemini.Tool) {
	on := &struct{}{}
	if b.Search {
		tools = append(tools, gemini.Tool{GoogleSearch: on})
	}
	if b.Fetch {
		tools = append(tools, gemini.Tool{URLContext: on})
	}
	if b.Code {
		tools = append(tools, gemini.Tool{CodeExecution: on})
	}
	return tools
}

// fitToolConfig holds arguments to their schemas where the client asked for it and the model can.
func fitToolConfig(config *gemini.ToolConfig, strict bool, family gemini.Family) *gemini.ToolConfig {
	mode := ModeAuto
	if config != nil && config.FunctionCallingConfig != nil {
		mode = config.FunctionCallingConfig.Mode
	}
	if !strict || !family.Strict || mode != ModeAuto {
		return config
	}
	return &gemini.ToolConfig{FunctionCallingConfig: &gemini.FunctionCallingConfig{Mode: ModeValidated}}
}

// besideBuiltIn is config for functions beside built-in tools: Google wants its flag, and has a default of its own, VALIDATED,
// in the place of AUTO.
func besideBuiltIn(config *gemini.ToolConfig) *gemini.ToolConfig {
	out := gemini.ToolConfig{IncludeServerSideToolInvocations: true}
	if config != nil && config.FunctionCallingConfig != nil && config.FunctionCallingConfig.Mode != ModeAuto {
		out.FunctionCallingConfig = config.FunctionCallingConfig
	}
	return &out
}
