package front

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

const (
	headroom       = 2048 // tokens added for the thoughts of a model that cannot stop thinking
	roomy          = 2    // times the client's own limit, which such a model may exceed: what is counted is an estimate
	maxStops       = 5
	continuePrompt = "Continue exactly from where the previous message ended, without repeating it."
)

// Prepare fits a decoded call to the model that will serve it: thought signatures, thinking, limits, and what the model's
// family does not take. It heeds call.Limits, sets Target and makes Request anew from what Decode made, so it may be called again, on the same
// call, for another model. lookup may be nil. The error is an *Error of kind Invalid.
func Prepare(call *Call, target string, lookup Lookup) error {
	if call.decoded == nil {
		call.decoded = call.Request
		call.cleanTools()
	}
	if call.decoded == nil || len(call.decoded.Contents) == 0 {
		return Invalidf("messages", "expected at least one message with content")
	}
	family := call.Limits.of(gemini.FamilyOf(target))
	req := *call.decoded
	req.Contents = make([]gemini.Content, len(call.decoded.Contents))
	n := 0
	for i := range call.decoded.Contents {
		n += len(call.decoded.Contents[i].Parts)
	}
	parts := make([]gemini.Part, 0, n)
	for i, c := range call.decoded.Contents {
		from := len(parts)
		parts = append(parts, c.Parts...)
		req.Contents[i] = gemini.Content{Role: c.Role, Parts: parts[from:len(parts):len(parts)]}
	}
	req.Contents = fitEnding(fitMedia(req.Contents, family), family)
	restore(req.Contents, call, target, lookup)
	req.SafetySettings = safetyOff()
	fitTools(&req, call, target)

	config := gemini.GenerationConfig{}
	if req.GenerationConfig != nil {
		config = *req.GenerationConfig
	}
	fitThinking(&config, call, family)
	fitSampling(&config, family)
	config.StopSequences, call.Stops = call.splitStops(config.StopSequences)
	req.GenerationConfig = &config
	fitJSON(&req, family)

	call.Target, call.Request, call.repaired = target, &req, 0
	return nil
}

// fitSampling leaves out what the model has no use for.
func fitSampling(config *gemini.GenerationConfig, family gemini.Family) {
	if !family.Sampling {
		config.Temperature, config.TopP, config.TopK = nil, nil, nil
	}
}

const (
	maxClientStops     = 1000
	maxClientStopBytes = 64 << 10
)

// CheckStops refuses more stop sequences than an answer can be searched for in reasonable time: a thousand, or 64 KiB in all.
// param is the client's field.
func CheckStops(param string, stops []string) error {
	size := 0
	for _, s := range stops {
		size += len(s)
	}
	if len(stops) > maxClientStops || size > maxClientStopBytes {
		return Invalidf(param, "expected %d stop sequences at most, of %d bytes in all", maxClientStops, maxClientStopBytes)
	}
	return nil
}

// splitStops gives Gemini as many different stop sequences as it takes, or none, and the proxy the others.
func (c *Call) splitStops(all []string) (gemini, ours []string) {
	var stops []string
	seen := map[string]bool{"": true}
	for _, s := range all {
		if !seen[s] {
			seen[s] = true
			stops = append(stops, s)
		}
	}
	if c.TellsStop {
		return nil, stops
	}
	n := min(len(stops), maxStops)
	return stops[:n:n], stops[n:]
}

// fitEnding adds a user's turn where the model does not go on from a turn of its own.
func fitEnding(contents []gemini.Content, family gemini.Family) []gemini.Content {
	if family.Prefill || contents[len(contents)-1].Role != gemini.RoleModel {
		return contents
	}
	ask := gemini.Part{Text: gemini.Quote(continuePrompt)}
	return append(contents, gemini.Content{Role: gemini.RoleUser, Parts: []gemini.Part{ask}})
}

// fitMedia moves media that the model does not take within a tool's result into the user content after the results.
func fitMedia(contents []gemini.Content, family gemini.Family) []gemini.Content {
	out := make([]gemini.Content, 0, len(contents)+1)
	for i := 0; i < len(contents); i++ {
		c := contents[i]
		moved := takeMedia(&c, family)
		fitResolution(c.Parts, family)
		out = append(out, c)
		if len(moved) == 0 {
			continue
		}
		if i+1 < len(contents) && contents[i+1].Role == gemini.RoleUser {
			i++
			moved = append(moved, contents[i].Parts...)
		}
		fitResolution(moved, family)
		out = append(out, gemini.Content{Role: gemini.RoleUser, Parts: moved})
	}
	return out
}

// takeMedia takes out of c's results what cannot stay there, each medium behind a text that names its tool.
func takeMedia(c *gemini.Content, family gemini.Family) (moved []gemini.Part) {
	for i := range c.Parts {
		r := c.Parts[i].FunctionResponse
		if r == nil || len(r.Parts) == 0 {
			continue
		}
		response := *r
		response.Parts = nil
		for _, p := range r.Parts {
			if family.MediaResults && staysInResult(mediaType(p)) {
				p.MediaResolution = nil // known beside parts of a content alone
				response.Parts = append(response.Parts, p)
				continue
			}
			moved = append(moved, gemini.Part{Text: gemini.Quote("[" + noun(p) + " from tool " + r.Name + "]")}, p)
		}
		c.Parts[i].FunctionResponse = &response
	}
	return moved
}

// fitResolution leaves out the resolution of parts for a model that knows none.
func fitResolution(parts []gemini.Part, family gemini.Family) {
	for i := range parts {
		if !family.MediaResolution {
			parts[i].MediaResolution = nil
		}
	}
}

// mediaType is the MIME type of a medium, "" if nobody said it.
func mediaType(p gemini.Part) string {
	switch {
	case p.InlineData != nil:
		return p.InlineData.MimeType
	case p.FileData != nil:
		return p.FileData.MimeType
	}
	return ""
}

func noun(p gemini.Part) string {
	if strings.HasPrefix(mediaType(p), "image/") {
		return "image"
	}
	return "file"
}

// staysInResult lists what functionResponse.parts may hold (Gemini API docs, recorded traffic).
func staysInResult(mimeType string) bool {
	switch mimeType {
	case "image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain":
		return true
	}
	return false
}

// fitJSON asks in words for the JSON that a model with functions cannot be held to.
func fitJSON(req *gemini.Request, family gemini.Family) {
	if req.GenerationConfig.ResponseMimeType != "" && !family.JSONWithTools && len(req.Tools) > 0 {
		jsonInWords(req, req.GenerationConfig.ResponseJSONSchema)
	}
}

// jsonInWords asks for JSON in the system instruction alone.
func jsonInWords(req *gemini.Request, schema json.RawMessage) {
	ask := "Answer with one JSON value and nothing else."
	if len(req.Tools) > 0 {
		ask = "When you answer without calling a tool, answer with one JSON value and nothing else."
	}
	if len(schema) > 0 {
		ask += " It must match this JSON Schema: " + string(schema)
	}
	config := req.GenerationConfig
	config.ResponseMimeType, config.ResponseJSONSchema, config.ResponseSchema = "", nil, nil
	system := gemini.Content{}
	if req.SystemInstruction != nil {
		system.Parts = slices.Clone(req.SystemInstruction.Parts)
	}
	system.Parts = append(system.Parts, gemini.Part{Text: gemini.Quote(ask)})
	req.SystemInstruction = &system
}

// safetyOff turns off the four filters that can be turned off: they trip over ordinary code.
func safetyOff() []gemini.SafetySetting {
	return []gemini.SafetySetting{
		{Category: "HARM_CATEGORY_HARASSMENT", Threshold: "OFF"},
		{Category: "HARM_CATEGORY_HATE_SPEECH", Threshold: "OFF"},
		{Category: "HARM_CATEGORY_SEXUALLY_EXPLICIT", Threshold: "OFF"},
		{Category: "HARM_CATEGORY_DANGEROUS_CONTENT", Threshold: "OFF"},
	}
}
