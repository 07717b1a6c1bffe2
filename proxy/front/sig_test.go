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

func TestE80_E86_SignaturesComeBack(t *testing.T) {
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

func TestE84_RepairPutsDummies(t *testing.T) {
	call := &Call{Request: &gemini.Request{Contents: Normalise(parseHistory(
		"u:p / m:z() / u:z=0 / m:x / u:q / m:a(),b() / u:a=1,b=2 / m:c() / u:c=3"))}}
	for _, id := range []string{"z", "a", "b", "c"} {
		call.Carried = append(call.Carried, Record{ClientID: id, Signature: "S" + id, Model: flash38})
	}
	if err := Prepare(call, flash38, nil); err != nil {
		t.Fatal(err)
	}
	Repair(call)
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

func TestSealAndUnseal(t *testing.T) {
	in := []Record{{ClientID: "toolu_1", UpstreamID: "u", Signature: "A+/=_-", Model: flash38}, {ClientID: "toolu_2", Model: flash38}}
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
