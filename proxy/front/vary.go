package front

import "github.com/gemini-claude-adapter/gca/proxy/gemini"

// Vary asks a prepared call a little differently, for a model that gave the same words nothing usable twice: it no longer
// holds calls to their schemas, or else picks its words otherwise. A family that knows neither gets the same call again.
func Vary(call *Call) {
	req := *call.Request
	config := gemini.GenerationConfig{}
	if req.GenerationConfig != nil {
		config = *req.GenerationConfig
	}
	switch {
	case req.ToolConfig != nil && req.ToolConfig.FunctionCallingConfig != nil && req.ToolConfig.FunctionCallingConfig.Mode == ModeValidated:
		tools, calling := *req.ToolConfig, *req.ToolConfig.FunctionCallingConfig
		calling.Mode, calling.AllowedFunctionNames = ModeAuto, nil
		tools.FunctionCallingConfig = &calling
		req.ToolConfig = &tools
	case gemini.FamilyOf(call.Target).Sampling:
		config.Temperature = nudged(config.Temperature)
		req.GenerationConfig = &config
	case config.Seed != nil:
		seed := *config.Seed ^ 1
		config.Seed = &seed
		req.GenerationConfig = &config
	}
	call.Request = &req
}

// nudged is a temperature beside another one, nil being Gemini's default of 1; 0 to 2 are legal.
func nudged(t *float64) *float64 {
	const step = 0.1
	u := 1.0
	if t != nil {
		u = *t
	}
	if u > 1 {
		u -= step
	} else {
		u += step
	}
	return &u
}
