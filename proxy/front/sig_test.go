package front

import (
	"slices"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

const (
	flash38 = "gemini-3.8-flash"
	flash37 = "gemini-3.7-flash"
	pro25   = "gemini-2.5-pro"
)

// prepared prepares the history for a model and writes it as a line.
func prepared(t *testing.T, line, target string, carried []Record, stored ...Record) string {
	t.Helper()
	call := &Call{Request: &gemini.Request{Contents: Normalise(parseHistory(line))}, Carried: carried}
	lookup := func(id string) (Record, bool) {
		i := slices.IndexFunc(stored, func(r Record) bool { return r.ClientID == id })
		if i < 0 {
			return Record{}, false
		}
		return stored[i], true
	}
	if err := Prepare(call, target, lookup); err != nil {
		t.Fatal(err)
	}
	return formatHistory(call.Request.Contents)
}

func TestSignaturesComeBack(t *testing.T) {
	f := func(line, target string, carried, stored []Record, want string) {
		t.Helper()
		if got := prepared(t, line, target, carried, stored...); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", line, got, want)
		}
	}
	rec := func(id, upstream, sig, model string) []Record {
		return []Record{{ClientID: id, UpstreamID: upstream, Signature: sig, Model: model}}
	}
	const loop = "u:q / m:a(),b() / u:a=1,b=2"

	// E80, E83: carried, on the first call only
	f(loop, flash38, rec("a", "i1", "S", flash38), nil, "u:q / m:a()#i1<S>,b() / u:a=1#i1,b=2")
	// E81: remembered
	f(loop, flash38, nil, rec("a", "", "S", flash38), "u:q / m:a()<S>,b() / u:a=1,b=2")
	f(loop, flash38, nil, rec("b", "i2", "", flash38), "u:q / m:a()<dummy>,b()#i2 / u:a=1,b=2#i2")
	// carried before remembered
	f(loop, flash38, rec("a", "", "S", flash38), rec("a", "", "T", flash38), "u:q / m:a()<S>,b() / u:a=1,b=2")
	// E82: nothing known
	f(loop, flash38, nil, nil, "u:q / m:a()<dummy>,b() / u:a=1,b=2")
	f("u:q / m:a() / u:a=1 / m:b() / u:b=2", flash38, nil, nil, "u:q / m:a()<dummy> / u:a=1 / m:b()<dummy> / u:b=2")
	// older turns need nothing, and what the user adds begins a new turn
	f("u:q / m:a() / u:a=1 / m:x / u:r / m:b() / u:b=2", flash38, nil, nil,
		"u:q / m:a() / u:a=1 / m:x / u:r / m:b()<dummy> / u:b=2")
	f("u:q / m:a() / u:a=1,more", flash38, nil, nil, "u:q / m:a() / u:a=1 / u:more")
	f("u:q / m:a() / u:a=1,more", flash38, nil, rec("a", "", "S", flash38), "u:q / m:a()<S> / u:a=1 / u:more")
	// E85: another model
	f(loop, flash38, rec("a", "i1", "S", flash37), nil, "u:q / m:a()<dummy>,b() / u:a=1,b=2")
	f(loop, flash38, nil, rec("a", "i1", "S", pro25), "u:q / m:a()<dummy>,b() / u:a=1,b=2")
	// a version of the same model
	f(loop, flash38, rec("a", "", "S", "models/"+flash38+"-001"), nil, "u:q / m:a()<S>,b() / u:a=1,b=2")
	// carried without a model: the memory decides, else it is believed
	f(loop, flash38, rec("a", "", "S", ""), nil, "u:q / m:a()<S>,b() / u:a=1,b=2")
	f(loop, flash38, rec("a", "", "S", ""), rec("a", "i", "S", flash38), "u:q / m:a()#i<S>,b() / u:a=1#i,b=2")
	f(loop, flash38, rec("a", "", "S", ""), rec("a", "", "S", flash37), "u:q / m:a()<dummy>,b() / u:a=1,b=2")
	// E86: 2.5 gets real ones, never a dummy
	f(loop, pro25, nil, nil, "u:q / m:a(),b() / u:a=1,b=2")
	f(loop, pro25, rec("a", "", "S", pro25), nil, "u:q / m:a()<S>,b() / u:a=1,b=2")
}

func TestRepairPutsDummies(t *testing.T) {
	call := &Call{Request: &gemini.Request{Contents: Normalise(parseHistory(
		"u:p / m:z() / u:z=0 / m:x / u:q / m:a(),b() / u:a=1,b=2 / m:c() / u:c=3"))}}
	for _, id := range []string{"z", "a", "b", "c"} {
		call.Carried = append(call.Carried, Record{ClientID: id, Signature: "S" + id, Model: flash38})
	}
	if err := Prepare(call, flash38, nil); err != nil {
		t.Fatal(err)
	}
	Repair(call, FaultSignature)
	want := "u:p / m:z() / u:z=0 / m:x / u:q / m:a()<dummy>,b() / u:a=1,b=2 / m:c()<dummy> / u:c=3"
	if got := formatHistory(call.Request.Contents); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := Prepare(call, flash38, nil); err != nil {
		t.Fatal(err)
	}
	if got := formatHistory(call.Request.Contents); !strings.Contains(got, "m:a()<Sa>,b()<Sb>") {
		t.Errorf("after Repair, Prepare has lost what Decode made: %s", got)
	}
}

func TestPrepareMayBeCalledForAnotherModel(t *testing.T) {
	fresh := func() *Call {
		return &Call{Request: &gemini.Request{Contents: Normalise(parseHistory("u:q / m:a() / u:a=1*png / m:x"))},
			Carried: []Record{{ClientID: "a", UpstreamID: "i", Signature: "S", Model: flash38}}, MaxTokens: 100}
	}
	wire := func(call *Call, target string) string {
		if err := Prepare(call, target, nil); err != nil {
			t.Fatal(err)
		}
		return string(call.Request.AppendJSON(nil))
	}
	reused := fresh()
	for _, target := range []string{flash38, pro25, flash37, "gemini-2.5-flash", flash38} {
		if got, want := wire(reused, target), wire(fresh(), target); got != want {
			t.Errorf("%s: a call prepared before gives\n%s\na fresh one\n%s", target, got, want)
		}
	}
}

// What Google's own tools did comes back around the calls it came with, or in the place of the text that tells of it.
func TestServerPartsComeBack(t *testing.T) {
	event := func(kind gemini.EventKind, raw, signature string) *gemini.Event {
		return &gemini.Event{Kind: kind, Server: []byte(raw), Signature: signature}
	}
	var r Recorder
	r.Model = flash38
	r.Note(event(gemini.EventServerCall, `{"x":"<1>"}`, "S1"))
	r.Note(event(gemini.EventServerResult, `{"x": 2}`, ""))
	loose, ok := r.Server("srv")
	if !ok || loose.ClientID != "srv" {
		t.Errorf("before a call: %+v, %v", loose, ok)
	}
	if _, ok := r.Note(&gemini.Event{Kind: gemini.EventCall, Call: &gemini.FunctionCall{ClientID: "a"}, Signature: "Sa"}); !ok {
		t.Error("no record of a call")
	}
	around, ok := r.Note(event(gemini.EventServerCall, `{"x":3}`, "S3"))
	if again, _ := r.Server("srv"); !ok || again != around || around.Signature != "Sa" {
		t.Errorf("after a call: %+v, %v", around, ok)
	}

	f := func(target, line string, carried []Record, want string, stored ...Record) {
		t.Helper()
		call := &Call{Request: &gemini.Request{Contents: Normalise(parseHistory(line))}, Carried: carried, BuiltIn: BuiltIn{Search: true}}
		for _, c := range call.Request.Contents {
			for j := range c.Parts {
				if id, ok := strings.CutPrefix(c.Parts[j].Text.String(), "told:"); ok {
					c.Parts[j].ServerID = id
				}
			}
		}
		lookup := func(id string) (Record, bool) {
			i := slices.IndexFunc(stored, func(r Record) bool { return r.ClientID == id })
			return append(stored, Record{})[max(i, 0)], i >= 0
		}
		if err := Prepare(call, target, lookup); err != nil {
			t.Fatal(err)
		}
		if got := formatHistory(call.Request.Contents); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	const parts = `{"x":"<1>"}<S1>,{"x": 2}`
	f(flash38, "u:q / m:told:srv,yes / u:r", []Record{loose}, "u:q / m:"+parts+",yes / u:r")
	f(flash38, "u:q / m:told:srv,yes / u:r", nil, "u:q / m:told:srv,yes / u:r")
	f(flash37, "u:q / m:told:srv,yes / u:r", []Record{loose}, "u:q / m:told:srv,yes / u:r")
	f(pro25, "u:q / m:told:srv,yes / u:r", []Record{loose}, "u:q / m:told:srv,yes / u:r")
	const whole = "u:q / m:look," + parts + `,a()<Sa>,{"x":3}<S3> / u:a=1`
	f(flash38, "u:q / m:look,a() / u:a=1", nil, whole, around)
	f(flash38, "u:q / m:look,a(),told:a / u:a=1", []Record{around}, whole)
	// the carrier of the call went before what followed it
	carried := around
	carried.After = ""
	f(flash38, "u:q / m:look,a(),told:a / u:a=1", []Record{carried, around}, whole)
	f(flash38, "u:q / m:look,a() / u:a=1", []Record{carried}, whole, around)
	f(pro25, "u:q / m:look,a(),told:a / u:a=1", []Record{around}, "u:q / m:look,told:a,a() / u:a=1")
	// no client gets anything else in
	for _, bad := range []string{"x", "{}", `[{"text":"x"},{"toolCall":"x"},{"functionCall":{"name":"f"}}]`} {
		f(flash38, "u:q / m:told:srv,yes", []Record{{ClientID: "srv", Model: flash38, Before: bad}}, "u:q / m:told:srv,yes / u:"+continuePrompt)
	}
	// without the tools they do not go back
	if got := prepared(t, "u:q / m:a() / u:a=1", flash38, []Record{around}); got != "u:q / m:a()<Sa> / u:a=1" {
		t.Errorf("undeclared: %s", got)
	}
}

func TestRepairDropsServerParts(t *testing.T) {
	call := &Call{Target: flash38, Request: &gemini.Request{Contents: []gemini.Content{
		{Role: gemini.RoleUser, Parts: []gemini.Part{{Text: gemini.Quote("q")}}},
		{Role: gemini.RoleModel, Parts: []gemini.Part{{ToolCall: []byte(`{}`), ThoughtSignature: "S"}, {Text: gemini.Quote("x")}}},
		{Role: gemini.RoleModel, Parts: []gemini.Part{{ToolResponse: []byte(`{}`), ThoughtSignature: "S"}}},
	}}}
	Repair(call, FaultSignature)
	if got := formatHistory(call.Request.Contents); got != "u:q / m:x" {
		t.Errorf("got %s", got)
	}
}

func TestRecorderIsBounded(t *testing.T) {
	r := Recorder{Model: flash38}
	for range 100 {
		r.Note(&gemini.Event{Kind: gemini.EventServerCall, Server: []byte(`"` + strings.Repeat("x", 10_000) + `"`)})
	}
	if record, _ := r.Server("s"); len(record.Before) > maxServerParts || len(record.Before) < maxServerParts/2 {
		t.Errorf("%d bytes are kept", len(record.Before))
	}
}

// Unseal is what a string that Seal made holds.
func Unseal(s string) (records []Record, ok bool) { return new(Call).Carry([]byte(s)) }

func TestSealAndUnseal(t *testing.T) {
	in := []Record{{ClientID: "toolu_1", UpstreamID: "u", Signature: "A+/=_-", Model: flash38, Before: `[{"a": "<"}]`, After: "[]"}, {ClientID: "toolu_2", Model: flash38}}
	out, ok := Unseal(Seal(flash38, in...))
	if !ok || !slices.Equal(in, out) {
		t.Errorf("got %+v, %v", out, ok)
	}
	if out, ok := Unseal(Seal(flash38)); !ok || len(out) != 0 {
		t.Errorf("an empty envelope gives %+v, %v", out, ok)
	}
	for _, foreign := range []string{"", "EqQBCkYIBxgC", "gca1", "gca1.!", "gca1.AAAA", "gca2." + Seal(flash38)[5:]} {
		if _, ok := Unseal(foreign); ok {
			t.Errorf("%q was taken", foreign)
		}
	}
	if _, ok := Unseal(envelopePrefix + strings.Repeat("A", maxEnvelope+1)); ok {
		t.Error("an envelope beyond the limit was taken")
	}
}

func FuzzUnseal(f *testing.F) {
	f.Add(Seal(flash38, Record{ClientID: "a", Signature: "S"}))
	f.Add("gca1.e30")
	f.Fuzz(func(t *testing.T, s string) {
		records, ok := Unseal(s)
		if !ok {
			return
		}
		model := ""
		if len(records) > 0 {
			model = records[0].Model
		}
		again, ok := Unseal(Seal(model, records...))
		if !ok || !slices.Equal(records, again) {
			t.Errorf("%q: %+v became %+v", s, records, again)
		}
	})
}
