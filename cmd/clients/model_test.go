package clients

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"slices"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// families are models whose rules differ from those of the model that the other tests use.
var families = []string{"gemini-2.5-flash", "gemini-3-flash-preview", "gemini-4-argon"}

// step is what the model says once it has seen as many rounds of tool results as there are steps before.
type step func(r *rig, said string) fakegemini.Answer

// model plays a script. Requests without functions (titles, searches) are left to the fake's own model.
func (r *rig) model(script []step) fakegemini.Responder {
	return func(q fakegemini.Recorded) (fakegemini.Answer, bool) {
		if len(script) == 0 || q.Request == nil || len(functions(q)) == 0 {
			return fakegemini.Answer{}, false
		}
		rounds, said := 0, ""
		for _, c := range q.Request.Contents {
			results := ""
			for _, p := range c.Parts {
				if p.FunctionResponse != nil {
					results += string(p.FunctionResponse.Response)
				}
			}
			if results != "" {
				rounds, said = rounds+1, results
			}
		}
		if rounds >= len(script) {
			r.t.Errorf("the client asks for step %d of %d", rounds+1, len(script))
			return fakegemini.Say("That is all."), true
		}
		return script[rounds](r, said), true
	}
}

// functions are the names that a request declares.
func functions(q fakegemini.Recorded) []string {
	var out []string
	for _, t := range q.Request.Tools {
		for _, f := range t.FunctionDeclarations {
			out = append(out, f.Name)
		}
	}
	return out
}

// call is a call of a function by its name; arguments are pairs of names and values.
func call(name string, arguments ...string) fakegemini.FunctionCall {
	args := map[string]string{}
	for i := 0; i < len(arguments); i += 2 {
		args[arguments[i]] = arguments[i+1]
	}
	data, err := json.Marshal(args)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return fakegemini.Call(name, string(data))
}

// does is a step of calls, side by side, after a thought.
func does(calls func(r *rig) []fakegemini.FunctionCall) step {
	return func(r *rig, _ string) fakegemini.Answer {
		made := calls(r)
		last, _ := r.fake.Last()
		for _, c := range made {
			if !slices.Contains(functions(last), c.Name) {
				r.t.Errorf("%s isn't declared, these are: %s", c.Name, strings.Join(functions(last), " "))
			}
		}
		return fakegemini.Reply(fakegemini.Thought("**Working**\n\nI use a tool."), fakegemini.Calls(made...))
	}
}

// says is a last step: a text, with the end of what the tools gave.
func says(text string) step {
	return func(_ *rig, said string) fakegemini.Answer {
		return fakegemini.Say(text+" ", said[max(0, len(said)-400):])
	}
}

// picture is a small PNG.
func picture(t *testing.T) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 32, 32))
	for i := range 32 {
		img.Set(i, i, color.RGBA{uint8(8 * i), 0, 128, 255})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// images counts the pictures of a request, those in results of functions included.
func images(q fakegemini.Recorded) int {
	n := 0
	count := func(b *fakegemini.Blob) {
		if b != nil && strings.HasPrefix(b.MimeType, "image/") && len(b.Data) > 50 {
			n++
		}
	}
	for _, c := range q.Request.Contents {
		for _, p := range c.Parts {
			count(p.InlineData)
			if p.FunctionResponse != nil {
				for _, rp := range p.FunctionResponse.Parts {
					count(rp.InlineData)
				}
			}
		}
	}
	return n
}

// sees fails the test unless the last request has a picture.
func (r *rig) sees(want int) {
	r.t.Helper()
	all := r.prompts()
	if len(all) == 0 || images(all[len(all)-1]) < want {
		r.t.Errorf("the model saw fewer than %d pictures%s", want, r.asked())
	}
}
