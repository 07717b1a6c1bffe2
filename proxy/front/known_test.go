package front

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

func TestKnown(t *testing.T) {
	k := NewKnown[[]gemini.Text]()
	reads := 0
	ask := func(k *Known[[]gemini.Text], body string) (texts []gemini.Text, w *gemini.Walker, err error) {
		text := []byte(body)
		w = gemini.NewWalker(text)
		w.Object("an object", func(name []byte) {
			if string(name) != "tools" {
				w.Skip()
				return
			}
			texts = k.Read(w, func(w *gemini.Walker) (list []gemini.Text) {
				reads++
				w.Array("an array", func(int) { list = append(list, w.Text()) })
				return list
			})
		})
		err = w.Done()
		for i := range text {
			text[i] = '#' // the request's memory is another's now
		}
		return texts, w, err
	}
	long := strings.Repeat("x", leastKnown)
	same := func(body string, wantReads int, plain bool, last string) {
		t.Helper()
		reads = 0
		texts, w, err := ask(k, body)
		if err != nil || reads != wantReads || w.Plain() != plain {
			t.Errorf("%.40s: %v, %d reads, plain %v", body, err, reads, w.Plain())
		}
		if wantReads == 0 && string(texts[len(texts)-1]) != last {
			t.Errorf("%.40s: ends with %s", body, texts[len(texts)-1])
		}
	}
	body := `{"tools": ["` + long + `", "a"] , "more":[1]}`
	same(body, 1, true, "")
	same(body, 2, true, "") // once more, to keep it
	same(body, 0, true, `"a"`)
	same(`{"x":1,"tools":["`+long+`", "a"]}`, 0, true, `"a"`)
	same(`{"tools":["`+long+`","a"]}`, 1, true, "") // not byte for byte
	escaped := `{"tools":["` + long + `", "\u00e9"]}`
	same(escaped, 1, false, "")
	same(escaped, 2, false, "")
	same(escaped, 0, false, `"\u00e9"`)

	for _, bad := range []string{`{"tools":["` + long + `", 1]}`, `{"tools":["` + long + `", "a"}`} {
		for range 3 {
			if _, _, err := ask(k, bad); err == nil {
				t.Errorf("%.20s was taken", bad)
			}
		}
	}
	small := `{"tools":["a"]}`
	same(small, 1, true, "")
	same(small, 1, true, "")
	if texts, _, err := ask(nil, small); err != nil || !slices.EqualFunc(texts, []string{"x"}, func(gemini.Text, string) bool { return true }) {
		t.Error(texts, err)
	}
}

// Its memory is bounded, in blocks and in bytes.
func TestKnown_bounds(t *testing.T) {
	f := func(n, size int) {
		k := NewKnown[int]()
		for i := range n {
			body := fmt.Sprintf(`["%d%s"]`, i, strings.Repeat("y", size))
			for range 2 {
				w := gemini.NewWalker([]byte(body))
				k.Read(w, func(w *gemini.Walker) int { w.Skip(); return i })
			}
		}
		total := 0
		blocks := *k.blocks.Load()
		for _, b := range blocks {
			total += b.Size()
		}
		if len(blocks) == 0 || len(blocks) > knownBlocks || total > knownBytes || blocks[0].made != n-1 {
			t.Errorf("%d blocks of %d bytes, the newest is %d", len(blocks), total, blocks[0].made)
		}
	}
	f(knownBlocks+10, leastKnown)
	f(10, knownBytes/5)
	f(5, leastKnown)
}
