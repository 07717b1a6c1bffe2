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
	made := &fitted{Request: *call.decoded, safety: safetyOff()}
	req, config := &made.Request, &made.config
	req.Contents = fitEnding(call.memory().fitMedia(call.decoded.Contents, family), family)
	restore(req.Contents, call, target, lookup)
	req.SafetySettings = made.safety[:]
	fitTools(req, call, target)

	if req.GenerationConfig != nil {
		*config = *req.GenerationConfig
	}
	fitThinking(config, call, family)
	fitSampling(config, family)
	config.StopSequences, call.Stops = call.splitStops(config.StopSequences)
	req.GenerationConfig = config
	fitJSON(req, family)

	call.Target, call.Request, call.repaired = target, req, 0
	return nil
}

// fitted is what Prepare makes of a request, in one piece.
type fitted struct {
	gemini.Request
	config gemini.GenerationConfig
	safety [4]gemini.SafetySetting
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
	if len(all) == 0 {
		return nil, nil
	}
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

// fitMedia copies contents, and moves media that the model does not take within a tool's result into the user content after the
// results.
func (a *Arena) fitMedia(contents []gemini.Content, family gemini.Family) []gemini.Content {
	n := len(contents) + 1 // for fitEnding
	for i := range contents {
		if slices.ContainsFunc(contents[i].Parts, hasMedia) {
			n++
		}
	}
	out := a.Contents.Make(n)[:0]
	for i := 0; i < len(contents); i++ {
		c := gemini.Content{Role: contents[i].Role, Parts: a.Parts.Keep(contents[i].Parts...)}
		moved := a.takeMedia(&c, family)
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

// hasMedia reports whether a part is a tool's result with media.
func hasMedia(p gemini.Part) bool {
	return p.FunctionResponse != nil && len(p.FunctionResponse.Parts) > 0
}

// takeMedia takes out of c's results what cannot stay there, each medium behind a text that names its tool.
func (a *Arena) takeMedia(c *gemini.Content, family gemini.Family) (moved []gemini.Part) {
	for i := range c.Parts {
		if !hasMedia(c.Parts[i]) {
			continue
		}
		r := c.Parts[i].FunctionResponse
		response := a.Responses.New(*r)
		response.Parts = nil
		for _, p := range r.Parts {
			if family.MediaResults && staysInResult(mediaType(p)) {
				p.MediaResolution = nil // known beside parts of a content alone
				response.Parts = append(response.Parts, p)
				continue
			}
			moved = append(moved, gemini.Part{Text: gemini.Quote("[" + noun(p) + " from tool " + r.Name + "]")}, p)
		}
		c.Parts[i].FunctionResponse = response
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
func safetyOff() [4]gemini.SafetySetting {
	return [4]gemini.SafetySetting{
		{Category: "HARM_CATEGORY_HARASSMENT", Threshold: "OFF"},
		{Category: "HARM_CATEGORY_HATE_SPEECH", Threshold: "OFF"},
		{Category: "HARM_CATEGORY_SEXUALLY_EXPLICIT", Threshold: "OFF"},
		{Category: "HARM_CATEGORY_DANGEROUS_CONTENT", Threshold: "OFF"},
	}
}
