package front

import (
	"slices"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Fault is what Google found wrong with a request that can be mended.
type Fault uint8

// The faults.
const (
	FaultUnsaid    Fault = iota // an invalid argument, it does not say which
	FaultSignature              // a thought signature is missing or does not fit
	FaultSchema                 // a function's schema
	FaultStates                 // schemas that are too much to hold an answer to
	FaultOutput                 // the answer's schema or its type
	FaultThinking               // thinkingConfig
	FaultSafety                 // a filter that cannot be turned off
)

// repair is one way to mend a request; a request is mended in each way once.
type repair uint8

const (
	repairSignatures repair = 1 << iota
	repairTools
	repairMode
	repairOutput
	repairWords
	repairLevel
	repairThinking
	repairSafety
)

// Repair mends a prepared call after Google refused it for fault, and reports whether there was something left to mend: the
// call is then asked again, with the same key.
func Repair(call *Call, fault Fault) bool {
	switch fault {
	case FaultSignature:
		return call.once(repairSignatures, call.resignable(), resign)
	case FaultUnsaid:
		return call.once(repairSignatures, call.resignable(), resign) || call.repairTools() || call.repairOutput()
	case FaultSchema:
		return call.repairTools() || call.repairMode() || call.repairOutput()
	case FaultStates:
		return call.repairMode() || call.repairWords() || call.repairTools()
	case FaultOutput:
		return call.repairOutput() || call.repairWords()
	case FaultThinking:
		return call.repairLevel() || call.once(repairThinking, call.Request.GenerationConfig.ThinkingConfig != nil, func(c *Call) {
			c.Request.GenerationConfig.ThinkingConfig = nil
		})
	case FaultSafety:
		return call.once(repairSafety, true, func(c *Call) {
			for i := range c.Request.SafetySettings {
				c.Request.SafetySettings[i].Threshold = "BLOCK_NONE"
			}
		})
	}
	return false
}

// Learn remembers that the functions of a call, which was answered in the end, are refused as JSON Schema by its model.
func (c *Call) Learn() {
	if c.repaired&repairTools != 0 && c.Schemas != nil {
		c.Schemas.refuse(c.refusedBlock)
	}
}

// once mends the call if there is something to mend, and it was not mended in this way before.
func (c *Call) once(way repair, broken bool, mend func(*Call)) bool {
	if !broken || c.repaired&way != 0 {
		return false
	}
	c.repaired |= way
	mend(c)
	return true
}

// resignable reports whether resign would change anything; the same bytes would get the same answer.
func (c *Call) resignable() bool {
	for _, content := range c.Request.Contents {
		if slices.ContainsFunc(content.Parts, func(p gemini.Part) bool {
			return p.ToolCall != nil || p.ToolResponse != nil || p.ThoughtSignature != "" && p.ThoughtSignature != dummy
		}) {
			return true
		}
	}
	return gemini.FamilyOf(c.Target).Signatures && lacksDummy(c.Request.Contents)
}

// repairTools declares the functions in the strict form.
func (c *Call) repairTools() bool {
	decls := functionsOf(c.Request.Tools)
	asJSON := slices.ContainsFunc(decls, func(d gemini.FunctionDeclaration) bool { return d.ParametersJSONSchema != nil })
	return c.once(repairTools, asJSON, func(c *Call) {
		if c.Schemas != nil {
			c.refusedBlock = c.Schemas.block(c.Target, decls)
		}
		c.Request.Tools = c.strictTools(c.Request.Tools)
	})
}

func functionsOf(tools []gemini.Tool) []gemini.FunctionDeclaration {
	for i := range tools {
		if len(tools[i].FunctionDeclarations) > 0 {
			return tools[i].FunctionDeclarations
		}
	}
	return nil
}

// strictTools is tools with their schemas in the strict form.
func (c *Call) strictTools(tools []gemini.Tool) []gemini.Tool {
	tools = slices.Clone(tools)
	for i := range tools {
		decls := slices.Clone(tools[i].FunctionDeclarations)
		for j := range decls {
			if d := &decls[j]; d.ParametersJSONSchema != nil {
				d.Parameters, d.ParametersJSONSchema = c.Schemas.strictly(d.ParametersJSONSchema), nil
			}
		}
		tools[i].FunctionDeclarations = decls
	}
	return tools
}

// repairMode leaves it to the model whether it calls a function, and how closely it keeps to the schema.
func (c *Call) repairMode() bool {
	config := c.Request.ToolConfig
	held := config != nil && config.FunctionCallingConfig != nil &&
		(config.FunctionCallingConfig.Mode == ModeAny || config.FunctionCallingConfig.Mode == ModeValidated)
	return c.once(repairMode, held, func(c *Call) {
		free := *config
		free.FunctionCallingConfig = &gemini.FunctionCallingConfig{Mode: ModeAuto}
		c.Request.ToolConfig = &free
	})
}

// repairOutput asks for the answer's schema in the strict form.
func (c *Call) repairOutput() bool {
	config := c.Request.GenerationConfig
	return c.once(repairOutput, config.ResponseJSONSchema != nil, func(*Call) {
		config.ResponseSchema, config.ResponseJSONSchema = StrictOutput(config.ResponseJSONSchema), nil
	})
}

// repairWords asks for the answer's schema in words.
func (c *Call) repairWords() bool {
	return c.once(repairWords, c.Request.GenerationConfig.ResponseMimeType != "", func(c *Call) {
		jsonInWords(c.Request, c.decoded.GenerationConfig.ResponseJSONSchema)
	})
}

// repairLevel lowers a level that not every model has.
func (c *Call) repairLevel() bool {
	config := c.Request.GenerationConfig
	extra := config.ThinkingConfig != nil && config.ThinkingConfig.ThinkingLevel == "XHIGH"
	return c.once(repairLevel, extra, func(*Call) {
		high := *config.ThinkingConfig
		high.ThinkingLevel = "HIGH"
		config.ThinkingConfig = &high
	})
}
