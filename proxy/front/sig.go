package front

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Gemini 3 and later refuse a call of the current turn that comes back without the thought signature it was made with.
// Clients have no field for one, so a signature travels by what is there, in this order: what the request itself carries
// (Call.Carried), what the proxy remembers of the call's id (Lookup), and for the first call of each step Google's documented
// dummy. A signature is only good for the family of models that made it.

// dummy tells Gemini to skip the check (Gemini API docs); this is its base64 form, which strict readers take as well.
const dummy = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="

const (
	envelopePrefix = "gca1."
	maxEnvelope    = 1 << 20
)

type envelope struct {
	Model   string           `json:"m"`
	Records []envelopeRecord `json:"r,omitempty"`
}

type envelopeRecord struct {
	ClientID   string `json:"c"`
	UpstreamID string `json:"u,omitempty"`
	Signature  string `json:"s,omitempty"`
	Before     string `json:"b,omitempty"`
	After      string `json:"a,omitempty"`
}

// Seal packs what must come back with a conversation into one opaque string. It is never empty, with or without records.
// All records count as made by model.
func Seal(model string, records ...Record) string {
	e := envelope{Model: model}
	for _, r := range records {
		e.Records = append(e.Records, envelopeRecord{r.ClientID, r.UpstreamID, r.Signature, r.Before, r.After})
	}
	b, err := json.Marshal(e)
	if err != nil {
		panic("BUG: an envelope has no JSON form: " + err.Error())
	}
	return envelopePrefix + base64.RawURLEncoding.EncodeToString(b)
}

// Carry takes the records of a string that Seal made to those that the request carried, and returns them. Anything else, such as
// another server's signature, is not ok.
func (c *Call) Carry(sealed []byte) (records []Record, ok bool) {
	body, ok := bytes.CutPrefix(sealed, []byte(envelopePrefix))
	if !ok || len(body) > maxEnvelope {
		return nil, false
	}
	a := c.memory()
	decoded := a.Bytes.Make(base64.RawURLEncoding.DecodedLen(len(body)))
	n, err := base64.RawURLEncoding.Decode(decoded, body)
	if err != nil {
		return nil, false
	}
	from, model := len(c.Carried), ""
	w := &a.sealed
	w.Start(decoded[:n])
	w.Object("an object", func(name []byte) {
		switch string(name) {
		case "m":
			model = w.String()
		case "r":
			w.Array("an array", func(int) { c.Carried = append(c.Carried, a.record()) })
		default:
			w.Skip()
		}
	})
	if w.Done() != nil {
		c.Carried = c.Carried[:from]
		return nil, false
	}
	for i := range c.Carried[from:] {
		c.Carried[from+i].Model = model
	}
	return c.Carried[from:], true
}

// record reads one of an envelope.
func (a *Arena) record() (r Record) {
	w := &a.sealed
	w.Object("an object", func(name []byte) {
		switch string(name) {
		case "c":
			r.ClientID = w.String()
		case "u":
			r.UpstreamID = w.String()
		case "s":
			r.Signature = a.letters.Of(w.Unquoted(), lettersSize)
		case "b":
			r.Before = a.letters.Of(w.Unquoted(), lettersSize)
		case "a":
			r.After = a.letters.Of(w.Unquoted(), lettersSize)
		default:
			w.Skip()
		}
	})
	return r
}

// lettersSize is how many bytes of signatures lie in one piece of memory.
const lettersSize = 8 << 10

// restorer puts back what the parts of a history came with.
type restorer struct {
	arena   *Arena
	carried []Record
	known   map[string]int // carried, by the client's id
	target  string
	lookup  Lookup
	server  bool              // Google's own tools are declared, so that what they did may go back
	ids     map[string]string // Google's, by the client's
}

// restore puts back the signatures and ids that target's family made, what Google's own tools did where they are declared
// again, and the dummy where a signature is missing that must be there. contents must be Prepare's own copy.
func restore(contents []gemini.Content, call *Call, target string, lookup Lookup) {
	family := gemini.FamilyOf(target)
	r := restorer{arena: call.memory(), carried: call.Carried, target: target, lookup: lookup, server: call.BuiltIn != BuiltIn{} && family.Signatures}
	r.known, r.arena.ids = r.arena.index(call.Carried), fresh(r.arena.ids)
	r.ids = r.arena.ids
	for i := range contents {
		r.content(&contents[i])
	}
	if family.Signatures {
		placeDummies(contents)
	}
}

func (r *restorer) content(c *gemini.Content) {
	parts := c.Parts
	if r.server {
		parts = r.withServerParts(c.Parts)
	}
	for i := range parts {
		p := &parts[i]
		switch {
		case p.FunctionCall != nil:
			record := r.find(p.FunctionCall.ClientID)
			p.ThoughtSignature = record.Signature
			if r.ids[p.FunctionCall.ClientID] = record.UpstreamID; record.UpstreamID != "" {
				p.FunctionCall = r.arena.Calls.New(*p.FunctionCall)
				p.FunctionCall.ID = record.UpstreamID
			}
		case p.FunctionResponse != nil && r.ids[p.FunctionResponse.ClientID] != "":
			p.FunctionResponse = r.arena.Responses.New(*p.FunctionResponse)
			p.FunctionResponse.ID = r.ids[p.FunctionResponse.ClientID]
		}
	}
	c.Parts = parts
}

// withServerParts puts the parts of Google's own tools around the calls that they belong to, and in the place of the texts
// that tell of them.
func (r *restorer) withServerParts(parts []gemini.Part) []gemini.Part {
	given := map[string]bool{} // by a call: its id, or the list itself
	for _, p := range parts {
		if p.FunctionCall == nil {
			continue
		}
		if record := r.find(p.FunctionCall.ClientID); record.Before != "" || record.After != "" {
			list, _ := cutSaid(record.Before)
			given[record.ClientID], given[list] = true, true
		}
	}
	out := make([]gemini.Part, 0, len(parts))
	for _, p := range parts {
		switch {
		case p.FunctionCall != nil:
			record := r.find(p.FunctionCall.ClientID)
			list, said := cutSaid(record.Before)
			out = append(insertBefore(out, said, serverParts(list)), p)
			out = append(out, serverParts(record.After)...)
		case p.ServerID == "":
			out = append(out, p)
		default:
			list := r.find(p.ServerID).Before
			raw := serverParts(list)
			switch {
			case given[p.ServerID] || len(raw) > 0 && given[list]:
			case len(raw) > 0:
				out = append(out, raw...)
			default:
				out = append(out, p)
			}
		}
	}
	return out
}

// serverParts reads Record.Before or After. It may have come by way of the client, so that only what they are for is taken.
func serverParts(list string) []gemini.Part {
	var parts []gemini.Part
	if list == "" || json.Unmarshal([]byte(list), &parts) != nil {
		return nil
	}
	var out []gemini.Part
	for _, p := range parts {
		switch {
		case len(p.ToolCall) > 0 && p.ToolCall[0] == '{':
			out = append(out, gemini.Part{ToolCall: p.ToolCall, ThoughtSignature: p.ThoughtSignature})
		case len(p.ToolResponse) > 0 && p.ToolResponse[0] == '{':
			out = append(out, gemini.Part{ToolResponse: p.ToolResponse, ThoughtSignature: p.ThoughtSignature})
		}
	}
	return out
}

// index finds records by the client's id; the first of an id is completed by the others.
func (a *Arena) index(records []Record) map[string]int {
	a.known = fresh(a.known)
	for i := range records {
		first, known := a.known[records[i].ClientID]
		if !known {
			a.known[records[i].ClientID] = i
			continue
		}
		records[first] = mergeRecords(records[first], records[i])
	}
	return a.known
}

// mergeRecords completes a by b, which is about the same call.
func mergeRecords(a, b Record) Record {
	for _, field := range []struct{ to, from *string }{
		{&a.ClientID, &b.ClientID}, {&a.Name, &b.Name}, {&a.UpstreamID, &b.UpstreamID}, {&a.Signature, &b.Signature},
		{&a.Model, &b.Model}, {&a.Before, &b.Before}, {&a.After, &b.After},
	} {
		if *field.to == "" {
			*field.to = *field.from
		}
	}
	return a
}

// find is the record of a call if it is good for the target, else the zero Record. A carried signature that does not say
// which model made it is believed unless the proxy remembers better. What Google's own tools did is asked of the proxy's
// memory too: the carrier of a call is gone before the tools that follow it have run.
func (r *restorer) find(clientID string) Record {
	var record Record
	at, carried := r.known[clientID]
	if carried {
		record = r.carried[at]
	}
	if (!carried || record.Model == "" || r.server) && r.lookup != nil {
		if remembered, found := r.lookup(clientID); found && carried && record.Model != "" {
			record = mergeRecords(record, remembered)
		} else if found {
			record = remembered
		}
	}
	if record.Model != "" && !gemini.SameFamily(record.Model, r.target) {
		return Record{}
	}
	return record
}

// placeDummies signs the first call of each step of the current turn that has no signature. The current turn is what
// follows the last user content that is not a list of results.
func placeDummies(contents []gemini.Content) {
	for i := len(contents) - 1; i >= 0; i-- {
		c := &contents[i]
		if c.Role == gemini.RoleUser && !onlyResults(c) {
			return
		}
		for j := range c.Parts {
			if p := &c.Parts[j]; p.FunctionCall != nil {
				if p.ThoughtSignature == "" {
					p.ThoughtSignature = dummy
				}
				break
			}
		}
	}
}

// lacksDummy reports whether placeDummies would place one.
func lacksDummy(contents []gemini.Content) bool {
	for i := len(contents) - 1; i >= 0; i-- {
		c := &contents[i]
		if c.Role == gemini.RoleUser && !onlyResults(c) {
			return false
		}
		first := slices.IndexFunc(c.Parts, func(p gemini.Part) bool { return p.FunctionCall != nil })
		if first >= 0 && c.Parts[first].ThoughtSignature == "" {
			return true
		}
	}
	return false
}

// resign takes away the real signatures of a prepared call, and with them the parts that are nothing without one; every step
// of the current turn gets the dummy.
func resign(call *Call) {
	for i := range call.Request.Contents {
		c := &call.Request.Contents[i]
		c.Parts = slices.DeleteFunc(c.Parts, func(p gemini.Part) bool { return p.ToolCall != nil || p.ToolResponse != nil })
		for j := range c.Parts {
			c.Parts[j].ThoughtSignature = ""
		}
	}
	call.Request.Contents = slices.DeleteFunc(call.Request.Contents, func(c gemini.Content) bool { return len(c.Parts) == 0 })
	if gemini.FamilyOf(call.Target).Signatures {
		placeDummies(call.Request.Contents)
	}
}

// Recorder makes the records of an answer's calls. The zero value but for Model is ready; events come in their order.
type Recorder struct {
	Model string // that makes the calls

	last  Record // of the last call, if there was one
	loose string // what Google's own tools did before the first call
	said  int    // bytes of text since then
}

// Note takes an event and returns the record that it begins or completes, if any; one of the same ClientID takes its place.
func (r *Recorder) Note(ev *gemini.Event) (Record, bool) {
	switch ev.Kind {
	case gemini.EventCall:
		r.last = Record{ClientID: ev.Call.ClientID, Name: ev.Call.Name, UpstreamID: ev.Call.ID, Signature: ev.Signature,
			Model: r.Model, Before: appendSaid(r.loose, r.said)}
		r.loose, r.said = "", 0
		return r.last, true
	case gemini.EventText:
		if r.loose != "" {
			r.said += len(ev.Text.String())
		}
	case gemini.EventServerCall:
		return r.server(`{"toolCall":`, ev)
	case gemini.EventServerResult:
		return r.server(`{"toolResponse":`, ev)
	}
	return Record{}, false
}

func (r *Recorder) server(head string, ev *gemini.Event) (Record, bool) {
	part := append([]byte(head), ev.Server...)
	if ev.Signature != "" {
		part = gemini.AppendQuoted(append(part, `,"thoughtSignature":`...), ev.Signature)
	}
	part = append(part, '}')
	if r.last.ClientID == "" {
		r.loose, r.said = appendPart(r.loose, part), 0
		return Record{}, false
	}
	r.last.After = appendPart(r.last.After, part)
	return r.last, true
}

// maxServerParts bounds, in bytes, what is kept of Google's own tools around one call; what is beyond is left out.
const maxServerParts = 256 << 10

func appendPart(list string, part []byte) string {
	switch {
	case len(list)+len(part) > maxServerParts:
		return list
	case list == "":
		return "[" + string(part) + "]"
	}
	return list[:len(list)-1] + "," + string(part) + "]"
}

// Server is the record that holds what Google's own tools did so far beside, or in the end without, calls of functions:
// the last call's, else one under an id of the front's own. ok is false when they did nothing that it holds.
func (r *Recorder) Server(id string) (record Record, ok bool) {
	if r.last.ClientID != "" {
		return r.last, r.last.Before != "" || r.last.After != ""
	}
	return Record{ClientID: id, Model: r.Model, Before: r.loose}, r.loose != ""
}
