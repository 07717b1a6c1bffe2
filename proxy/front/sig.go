package front

import (
	"encoding/base64"
	"encoding/json"
	"strings"

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
}

// Seal packs what must come back with a conversation into one opaque string. It is never empty, with or without records.
// All records count as made by model.
func Seal(model string, records ...Record) string {
	e := envelope{Model: model}
	for _, r := range records {
		e.Records = append(e.Records, envelopeRecord{r.ClientID, r.UpstreamID, r.Signature})
	}
	b, err := json.Marshal(e)
	if err != nil {
		panic("BUG: an envelope has no JSON form: " + err.Error())
	}
	return envelopePrefix + base64.RawURLEncoding.EncodeToString(b)
}

// Unseal returns the records of a string that Seal made. Anything else, such as another server's signature, is not ok.
func Unseal(s string) (records []Record, ok bool) {
	body, ok := strings.CutPrefix(s, envelopePrefix)
	if !ok || len(body) > maxEnvelope {
		return nil, false
	}
	b, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return nil, false
	}
	var e envelope
	if err := json.Unmarshal(b, &e); err != nil {
		return nil, false
	}
	for _, r := range e.Records {
		records = append(records, Record{
			ClientID: r.ClientID, UpstreamID: r.UpstreamID, Signature: r.Signature, Model: e.Model,
		})
	}
	return records, true
}

// restore puts back the signatures and ids that target's family made, and the dummy where one is missing that must be
// there. contents must be Prepare's own copy.
func restore(contents []gemini.Content, carried []Record, target string, lookup Lookup) {
	known := map[string]Record{}
	for _, r := range carried {
		known[r.ClientID] = r
	}
	ids := map[string]string{}
	for i := range contents {
		for j := range contents[i].Parts {
			p := &contents[i].Parts[j]
			switch {
			case p.FunctionCall != nil:
				r := find(p.FunctionCall.ClientID, known, target, lookup)
				p.ThoughtSignature = r.Signature
				if ids[p.FunctionCall.ClientID] = r.UpstreamID; r.UpstreamID != "" {
					call := *p.FunctionCall
					call.ID, p.FunctionCall = r.UpstreamID, &call
				}
			case p.FunctionResponse != nil && ids[p.FunctionResponse.ClientID] != "":
				response := *p.FunctionResponse
				response.ID, p.FunctionResponse = ids[response.ClientID], &response
			}
		}
	}
	if gemini.FamilyOf(target).Signatures {
		placeDummies(contents)
	}
}

// find is the record of a call if it is good for target, else the zero Record. A carried signature that does not say which
// model made it is believed unless the proxy remembers better.
func find(clientID string, carried map[string]Record, target string, lookup Lookup) Record {
	r, ok := carried[clientID]
	if (!ok || r.Model == "") && lookup != nil {
		if remembered, found := lookup(clientID); found {
			r = remembered
		}
	}
	if r.Model != "" && !gemini.SameFamily(r.Model, target) {
		return Record{}
	}
	return r
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

// Repair gets a prepared call ready for the one retry after Google refused a thought signature: real signatures go, and
// every step of the current turn gets the dummy.
func Repair(call *Call) {
	for i := range call.Request.Contents {
		for j := range call.Request.Contents[i].Parts {
			call.Request.Contents[i].Parts[j].ThoughtSignature = ""
		}
	}
	if gemini.FamilyOf(call.Target).Signatures {
		placeDummies(call.Request.Contents)
	}
}
