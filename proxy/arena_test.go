package proxy

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

var marks = regexp.MustCompile(`mark\d+x`)

// foreign is a mark in a text that is not mark, "" if there is none.
func foreign(text, mark string) string {
	for _, found := range marks.FindAllString(text, -1) {
		if found != mark {
			return found
		}
	}
	return ""
}

var callIDs = regexp.MustCompile(`"(toolu|call)_(\d+)"`)

// marked is a conversation of so many turns whose texts, ids, arguments, results and signatures have the mark; its last call has no
// result, and the first message several texts.
func marked(path, mark string, turns int, stream bool) string {
	body := callIDs.ReplaceAllString(string(longRequest(path, turns)), `"${1}_`+mark+`_$2"`)
	body = string(thoughtful([]byte(body), mark))
	body = strings.NewReplacer(`"ok"`, `"`+mark+`"`, `"path":"a"`, `"path":"\u00e4`+mark+`\n"`, `\"path\":\"a\"`, `\"path\":\"\\n`+mark+`\"`,
		`\"x\"`, mark, `"go"`, `[{"type":"`+map[bool]string{true: "input_"}[path == replies]+`text","text":"`+mark+`"},{"type":"text","text":"\u4e16`+mark+`"}]`,
		`"max_tokens":32000`, fmt.Sprintf(`"max_tokens":32000,"stream":%t,"instructions":%q`, stream, mark)).Replace(body)
	i := strings.LastIndex(body, ",{")
	return body[:i] + "]}"
}

// Requests are translated in memory that others had before, at the same time in several. Nothing of one gets into another, nor into
// another's answer.
func TestNothingOfARequestIsInAnother(t *testing.T) {
	t.Parallel()
	r := start(t, "a b c d", nil)
	r.fake.Respond(func(rec fg.Recorded) (fg.Answer, bool) {
		mark := marks.FindString(string(rec.Body))
		if other := foreign(string(rec.Body), mark); other != "" || mark == "" {
			t.Errorf("%s got to Google with a request of %q", other, mark)
		}
		return fg.Say(mark), true
	})
	paths := []string{messages, completions, replies}
	var wait sync.WaitGroup
	for client := range 4 {
		wait.Go(func() {
			for i := range 12 {
				mark := fmt.Sprintf("mark%dx", client*1000+i)
				path := paths[(client+i)%len(paths)]
				got := r.do("POST", path, marked(path, mark, 1+(i*7+client*13)%30, i%2 == 0))
				if got.status != 200 || !strings.Contains(got.body, mark) {
					t.Errorf("%s: %d %s", mark, got.status, got.body)
				}
				if other := foreign(got.body, mark); other != "" {
					t.Errorf("%s is in the answer to %s", other, mark)
				}
			}
		})
	}
	wait.Wait()
}

// A request of 100 KB is translated in memory that was there before, but for thought signatures, which are copied. The least of
// several runs counts: the pool may be emptied at any time.
func TestTranslatingTakesLittleMemory(t *testing.T) {
	f := func(path string, body []byte, signatures float64) {
		t.Helper()
		translate := translator(t, path)
		for range 3 { // from the second time on tools are known
			translate(body)
		}
		if objects, bytes := allocated(func() { translate(body) }, false); objects > 20 || bytes > 16<<10+signatures {
			t.Errorf("%s: %.0f objects, %.0f bytes", path, objects, bytes)
		}
	}
	for _, path := range []string{messages, completions, replies} {
		f(path, longRequest(path, 40), 0)
	}
	f(messages, thoughtful(longRequest(messages, 40), strings.Repeat("Ab+/", 200)), 40*800)
}
