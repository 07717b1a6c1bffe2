package gemini

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// partSize is what a part has in bytes beside its texts, generously.
const partSize = 96

// Size is about the length of the body to send, more rather than less: it is what the buffer for it should hold.
func (r *Request) Size() int {
	n := 2 << 10
	for i := range r.Contents {
		n += partsSize(r.Contents[i].Parts)
	}
	if r.SystemInstruction != nil {
		n += partsSize(r.SystemInstruction.Parts)
	}
	for _, t := range r.Tools {
		for _, f := range t.FunctionDeclarations {
			n += partSize + len(f.Name) + len(f.Description) + len(f.Parameters) + len(f.ParametersJSONSchema)
		}
	}
	if g := r.GenerationConfig; g != nil {
		n += len(g.ResponseSchema) + len(g.ResponseJSONSchema)
	}
	return n
}

func partsSize(parts []Part) int {
	n := 0
	for i := range parts {
		p := &parts[i]
		n += partSize + len(p.Text) + len(p.ThoughtSignature) + len(p.ToolCall) + len(p.ToolResponse)
		if p.InlineData != nil {
			n += len(p.InlineData.Data)
		}
		if p.FunctionCall != nil {
			n += len(p.FunctionCall.Name) + len(p.FunctionCall.Args)
		}
		if r := p.FunctionResponse; r != nil {
			n += len(r.Name) + len(r.Response.Text()) + partsSize(r.Parts)
		}
	}
	return n
}

// AppendJSON appends the body to send. Texts, arguments, results and schemas go out byte for byte as they came in:
// encoding/json would escape <, > and & in them and compact them.
func (r *Request) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"contents":[`...)
	for i := range r.Contents {
		dst = r.Contents[i].append(comma(dst, i))
	}
	dst = append(dst, ']')
	if r.SystemInstruction != nil {
		dst = r.SystemInstruction.append(append(dst, `,"systemInstruction":`...))
	}
	if len(r.Tools) > 0 {
		dst = append(dst, `,"tools":[`...)
		for i := range r.Tools {
			dst = r.Tools[i].append(comma(dst, i))
		}
		dst = append(dst, ']')
	}
	if r.ToolConfig != nil {
		dst = r.ToolConfig.append(append(dst, `,"toolConfig":`...))
	}
	if len(r.SafetySettings) > 0 {
		dst = append(dst, `,"safetySettings":[`...)
		for i, s := range r.SafetySettings {
			dst = AppendQuoted(append(comma(dst, i), `{"category":`...), s.Category)
			dst = append(AppendQuoted(append(dst, `,"threshold":`...), s.Threshold), '}')
		}
		dst = append(dst, ']')
	}
	if r.GenerationConfig != nil {
		dst = r.GenerationConfig.append(append(dst, `,"generationConfig":`...))
	}
	return append(dst, '}')
}

func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}

func (c *Content) append(dst []byte) []byte {
	dst = append(dst, '{')
	if c.Role != "" {
		dst = append(AppendQuoted(append(dst, `"role":`...), c.Role), ',')
	}
	return append(appendParts(append(dst, `"parts":`...), c.Parts), '}')
}

func appendParts(dst []byte, parts []Part) []byte {
	dst = append(dst, '[')
	for i := range parts {
		dst = parts[i].append(comma(dst, i))
	}
	return append(dst, ']')
}

func (p *Part) append(dst []byte) []byte {
	dst = append(dst, '{')
	switch {
	case p.Text != nil:
		dst = append(append(dst, `"text":`...), p.Text...)
	case p.InlineData != nil:
		dst = AppendQuoted(append(dst, `"inlineData":{"mimeType":`...), p.InlineData.MimeType)
		dst = append(AppendQuoted(append(dst, `,"data":`...), p.InlineData.Data), '}')
	case p.FileData != nil:
		dst = AppendQuoted(append(dst, `"fileData":{"fileUri":`...), p.FileData.FileURI)
		dst = append(appendField(dst, `,"mimeType":`, p.FileData.MimeType), '}')
	case p.FunctionCall != nil:
		dst = p.FunctionCall.append(append(dst, `"functionCall":`...))
	case p.FunctionResponse != nil:
		dst = p.FunctionResponse.append(append(dst, `"functionResponse":`...))
	case p.ToolCall != nil:
		dst = append(append(dst, `"toolCall":`...), p.ToolCall...)
	case p.ToolResponse != nil:
		dst = append(append(dst, `"toolResponse":`...), p.ToolResponse...)
	default:
		dst = append(dst, `"text":""`...)
	}
	if p.MediaResolution != nil {
		dst = append(AppendQuoted(append(dst, `,"mediaResolution":{"level":`...), p.MediaResolution.Level), '}')
	}
	if p.Thought {
		dst = append(dst, `,"thought":true`...)
	}
	return append(appendField(dst, `,"thoughtSignature":`, p.ThoughtSignature), '}')
}

func (f *FunctionCall) append(dst []byte) []byte {
	dst = append(dst, `{"name":`...)
	dst = AppendQuoted(dst, f.Name)
	dst = appendField(dst, `,"id":`, f.ID)
	return append(appendRaw(dst, `,"args":`, f.Args), '}')
}

func (f *FunctionResponse) append(dst []byte) []byte {
	dst = append(dst, `{"name":`...)
	dst = AppendQuoted(dst, f.Name)
	dst = appendField(dst, `,"id":`, f.ID)
	dst = append(dst, `,"response":{`...)
	switch {
	case f.Response.Output != nil:
		dst = append(append(dst, `"output":`...), f.Response.Output...)
	case f.Response.Error != nil:
		dst = append(append(dst, `"error":`...), f.Response.Error...)
	}
	dst = append(dst, '}')
	if len(f.Parts) > 0 {
		dst = appendParts(append(dst, `,"parts":`...), f.Parts)
	}
	return append(dst, '}')
}

func (t *Tool) append(dst []byte) []byte {
	switch {
	case t.GoogleSearch != nil:
		return append(dst, `{"googleSearch":{}}`...)
	case t.URLContext != nil:
		return append(dst, `{"urlContext":{}}`...)
	case t.CodeExecution != nil:
		return append(dst, `{"codeExecution":{}}`...)
	}
	dst = append(dst, `{"functionDeclarations":[`...)
	for i := range t.FunctionDeclarations {
		d := &t.FunctionDeclarations[i]
		dst = AppendQuoted(append(comma(dst, i), `{"name":`...), d.Name)
		dst = appendRaw(dst, `,"description":`, json.RawMessage(d.Description))
		dst = appendRaw(dst, `,"parametersJsonSchema":`, d.ParametersJSONSchema)
		dst = append(appendRaw(dst, `,"parameters":`, d.Parameters), '}')
	}
	return append(dst, ']', '}')
}

func (t *ToolConfig) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, '{')
	if c := t.FunctionCallingConfig; c != nil {
		dst = AppendQuoted(append(dst, `,"functionCallingConfig":{"mode":`...), c.Mode)
		dst = append(appendStrings(dst, `,"allowedFunctionNames":`, c.AllowedFunctionNames), '}')
	}
	if t.IncludeServerSideToolInvocations {
		dst = append(dst, `,"includeServerSideToolInvocations":true`...)
	}
	return dropComma(append(dst, '}'), start)
}

func (g *GenerationConfig) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, '{')
	dst = appendFloat(dst, `,"temperature":`, g.Temperature)
	dst = appendFloat(dst, `,"topP":`, g.TopP)
	if g.TopK != nil {
		dst = strconv.AppendInt(append(dst, `,"topK":`...), int64(*g.TopK), 10)
	}
	if g.MaxOutputTokens > 0 {
		dst = strconv.AppendInt(append(dst, `,"maxOutputTokens":`...), int64(g.MaxOutputTokens), 10)
	}
	dst = appendStrings(dst, `,"stopSequences":`, g.StopSequences)
	if g.Seed != nil {
		dst = strconv.AppendInt(append(dst, `,"seed":`...), int64(*g.Seed), 10)
	}
	dst = appendField(dst, `,"responseMimeType":`, g.ResponseMimeType)
	dst = appendRaw(dst, `,"responseJsonSchema":`, g.ResponseJSONSchema)
	dst = appendRaw(dst, `,"responseSchema":`, g.ResponseSchema)
	if g.ThinkingConfig != nil {
		dst = g.ThinkingConfig.append(append(dst, `,"thinkingConfig":`...))
	}
	return dropComma(append(dst, '}'), start)
}

func (t *ThinkingConfig) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, '{')
	if t.IncludeThoughts {
		dst = append(dst, `,"includeThoughts":true`...)
	}
	if t.ThinkingBudget != nil {
		dst = strconv.AppendInt(append(dst, `,"thinkingBudget":`...), int64(*t.ThinkingBudget), 10)
	}
	dst = appendField(dst, `,"thinkingLevel":`, t.ThinkingLevel)
	return dropComma(append(dst, '}'), start)
}

// dropComma removes the comma before the first member of the object that begins at start.
func dropComma(dst []byte, start int) []byte {
	if dst[start+1] != ',' {
		return dst
	}
	return append(dst[:start+1], dst[start+2:]...)
}

func appendField(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return AppendQuoted(append(dst, name...), value)
}

func appendRaw(dst []byte, name string, value json.RawMessage) []byte {
	if len(value) == 0 {
		return dst
	}
	return append(append(dst, name...), value...)
}

func appendFloat(dst []byte, name string, value *float64) []byte {
	if value == nil {
		return dst
	}
	return strconv.AppendFloat(append(dst, name...), *value, 'g', -1, 64)
}

func appendStrings(dst []byte, name string, values []string) []byte {
	if len(values) == 0 {
		return dst
	}
	dst = append(append(dst, name...), '[')
	for i, v := range values {
		dst = AppendQuoted(comma(dst, i), v)
	}
	return append(dst, ']')
}

const hexDigits = "0123456789abcdef"

// AppendQuoted appends s as a JSON string, escaping only what JSON demands. Bytes that are not UTF-8 become U+FFFD.
func AppendQuoted[S ~string | ~[]byte](dst []byte, s S) []byte {
	dst = append(dst, '"')
	return append(AppendEscaped(dst, s), '"')
}

// AppendEscaped is AppendQuoted without the quotes.
func AppendEscaped[S ~string | ~[]byte](dst []byte, s S) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[start:i]...), `\ufffd`...)
				start = i + 1
			}
			i += n
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscape(dst, c)
		i++
		start = i
	}
	return append(dst, s[start:]...)
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
