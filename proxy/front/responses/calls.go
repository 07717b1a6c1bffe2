package responses

import (
	"encoding/json"
	"errors"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// callForm is what the calls of a kind of tool look like.
type callForm struct {
	itemType string
	prefix   string // of the item's id
	field    string // that holds what the model wrote
	event    string // whose delta and done events stream that field; "" if it comes as a whole
}

func formOf(kind toolKind) callForm {
	switch kind {
	case customTool:
		return callForm{"custom_tool_call", "ctc_", "input", "response.custom_tool_call_input"}
	case localShellTool:
		return callForm{"local_shell_call", "lsh_", "action", ""}
	case shellTool:
		return callForm{"shell_call", "sh_", "action", ""}
	case patchTool:
		return callForm{"apply_patch_call", "apc_", "operation", ""}
	case searchTool:
		return callForm{"tool_search_call", "tsc_", "arguments", ""}
	}
	return callForm{"function_call", "fc_", "arguments", "response.function_call_arguments"}
}

// outCall is a call on its way to the client.
type outCall struct {
	callForm
	callID, namespace, name string
	value                   []byte // plain text where it streams, else JSON
}

// toolCall writes a whole call. Its signature rides in the reasoning item before it, an empty one if need be.
func (e *encoder) toolCall(dst []byte, ev *gemini.Event) []byte {
	e.calls++
	var carried []front.Record
	record, _ := e.recorder.Note(ev)
	if e.asked.encrypted && (record.Signature != "" || record.Before != "") {
		carried = []front.Record{record}
		if e.open != openReasoning {
			dst = e.beginReasoning(e.close(dst, completed))
		}
	}
	dst = e.close(dst, completed, carried...)
	c := e.outCall(ev)
	e.begin(openNone, c.prefix)
	if e.call.Stream {
		dst = e.itemEvent(dst, "response.output_item.added")
		dst = append(c.append(dst, e.id, inProgress), "}\n\n"...)
		dst = e.streamValue(dst, c)
	}
	at := e.beginOutput()
	e.output = c.append(e.output, e.id, completed)
	return e.itemDone(dst, at)
}

// outCall gives a call the form that the client declared the tool in.
func (e *encoder) outCall(ev *gemini.Event) *outCall {
	name := e.call.Tools.Client(ev.Call.Name)
	args := front.Object(ev.Call.Args)
	t, declared := e.asked.declared.byName[name]
	if !declared {
		t = tool{name: name}
	}
	c := &outCall{callForm: formOf(t.kind), callID: ev.Call.ClientID, namespace: t.namespace, name: t.name}
	switch t.kind {
	case functionTool, searchTool:
		c.value = args
	case customTool:
		c.value = []byte(front.CustomInput(args).String())
	case localShellTool:
		c.value = execAction(args)
	case shellTool:
		c.value = shellAction(args)
	case patchTool:
		c.value = patchOperation(args)
	}
	return c
}

// append appends the call's item. What streams is left out of one in progress.
func (c *outCall) append(dst []byte, id string, s status) []byte {
	dst = append(append(append(dst, `{"type":"`...), c.itemType...), `","id":"`...)
	dst = gemini.AppendQuoted(append(append(dst, id...), `","call_id":`...), c.callID)
	if c.event != "" {
		dst = gemini.AppendQuoted(append(dst, `,"name":`...), c.name)
		if c.namespace != "" {
			dst = gemini.AppendQuoted(append(dst, `,"namespace":`...), c.namespace)
		}
	}
	dst = append(append(append(dst, `,"`...), c.field...), `":`...)
	switch {
	case c.event == "":
		dst = append(dst, c.value...)
	case s == inProgress:
		dst = append(dst, `""`...)
	default:
		dst = gemini.AppendQuoted(dst, c.value)
	}
	switch c.itemType {
	case "shell_call":
		dst = append(dst, `,"environment":{"type":"local"}`...)
	case "tool_search_call":
		dst = append(dst, `,"execution":"client"`...)
	}
	return append(append(append(dst, `,"status":"`...), s...), `"}`...)
}

// streamValue writes the field that streams, piece by piece.
func (e *encoder) streamValue(dst []byte, c *outCall) []byte {
	if c.event == "" {
		return dst
	}
	for rest := c.value; len(rest) > 0; {
		var piece []byte
		piece, rest = front.Slice(rest, front.SliceSize)
		dst = append(e.about(dst, c.event+".delta"), `,"delta":`...)
		dst = append(gemini.AppendQuoted(dst, piece), "}\n\n"...)
	}
	dst = append(append(append(e.about(dst, c.event+".done"), `,"`...), c.field...), `":`...)
	return append(gemini.AppendQuoted(dst, c.value), "}\n\n"...)
}

// words is a list of strings. Models write a single one at times.
type words []string

// UnmarshalJSON takes a list or a single string; null leaves w as it is.
func (w *words) UnmarshalJSON(b []byte) error {
	switch {
	case string(b) == "null":
		return nil
	case len(b) > 0 && b[0] == '"':
		*w = words{gemini.Text(b).String()}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(w))
}

// execAction is the action of a local shell call.
func execAction(args []byte) []byte {
	action := struct {
		Type             string            `json:"type"`
		Command          words             `json:"command"`
		Env              map[string]string `json:"env"`
		TimeoutMS        int               `json:"timeout_ms,omitempty"`
		User             string            `json:"user,omitempty"`
		WorkingDirectory string            `json:"working_directory,omitempty"`
	}{Command: words{}}
	fill(args, &action)
	action.Type = "exec"
	action.TimeoutMS = max(action.TimeoutMS, 0)
	if action.Env == nil {
		action.Env = map[string]string{}
	}
	return toJSON(&action)
}

// shellAction is the action of a shell call.
func shellAction(args []byte) []byte {
	action := struct {
		Commands        words `json:"commands"`
		TimeoutMS       int   `json:"timeout_ms,omitempty"`
		MaxOutputLength int   `json:"max_output_length,omitempty"`
	}{Commands: words{}}
	fill(args, &action)
	action.TimeoutMS, action.MaxOutputLength = max(action.TimeoutMS, 0), max(action.MaxOutputLength, 0)
	return toJSON(&action)
}

// patchOperation is the operation of an apply_patch call. A kind of operation that does not exist counts as an update, the
// one that fails where it does not fit.
func patchOperation(args []byte) []byte {
	var op struct {
		Type string  `json:"type"`
		Path string  `json:"path"`
		Diff *string `json:"diff,omitempty"`
	}
	fill(args, &op)
	switch op.Type {
	case "delete_file":
		op.Diff = nil
		return toJSON(&op)
	case "create_file":
	default:
		op.Type = "update_file"
	}
	if op.Diff == nil {
		op.Diff = new(string)
	}
	return toJSON(&op)
}

// fill reads a model's arguments, a JSON object. A field of another type than the tool has is left as it is.
func fill(args []byte, into any) {
	var mistyped *json.UnmarshalTypeError
	if err := json.Unmarshal(args, into); err != nil && !errors.As(err, &mistyped) {
		panic("BUG: a call's arguments are no JSON: " + err.Error())
	}
}

func toJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: an action has no JSON form: " + err.Error())
	}
	return b
}
