package front

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

func TestSlice(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		var got []string
		for rest := []byte(text); ; {
			var head []byte
			head, rest = Slice(rest, 16)
			got = append(got, string(head))
			if rest == nil {
				break
			}
		}
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%s in pieces is %q, want %q", text, got, want)
		}
	}
	f(``, ``)
	f(`{"a":"012345678"`, `{"a":"012345678"`)
	f(`{"a":"012345678"}`, `{"a":"012345678"`, `}`)
	f(`{"a":"01234567ä"}`, `{"a":"01234567ä`, `"}`)
	f(`{"a":"012345678ä"}`, `{"a":"012345678`, `ä"}`)
	f(`{"a":"012345678\n"}`, `{"a":"012345678`, `\n"}`)
	f(`{"a":"01234567\n"}`, `{"a":"01234567\n`, `"}`)
	f(`{"a":"01234567\\n"}`, `{"a":"01234567\\`, `n"}`)
	f(`{"a":"012345\\\n"}`, `{"a":"012345\\\n`, `"}`)
	f(`{"a":"0123456\\\n"}`, `{"a":"0123456\\`, `\n"}`)
	f(`{"a":"01234\u00fc"}`, `{"a":"01234`, `\u00fc"}`)
	f(`{"a":"012\u00fc45"}`, `{"a":"012\u00fc4`, `5"}`)
	f(`{"a":"\ud83d\ude00"}`, `{"a":"`, `\ud83d\ude00"}`)
	f(`{"a":"0123\ud83d\ude00"}`, `{"a":"0123`, `\ud83d\ude00"}`)
}

// FuzzSlice checks that each piece of a string is a string of its own.
func FuzzSlice(f *testing.F) {
	f.Add("plain, ä, 日本, 🙂\n\t\"\\\\\u2028", 16)
	f.Add(strings.Repeat(`\`, 99), 17)
	f.Add(`\ud83d\ude00\ud83d\ude00`, 18)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = 16 + (limit&0xff)%64
		for _, literal := range [][]byte{gemini.Quote(s), []byte(`"` + s + `"`)} {
			if !json.Valid(literal) || !utf8.Valid(literal) {
				continue
			}
			text := literal[1 : len(literal)-1]
			var all []byte
			for rest := text; ; {
				var head []byte
				head, rest = Slice(rest, limit)
				if len(head) > limit || (len(head) == 0 && len(rest) > 0) || !json.Valid([]byte(`"`+string(head)+`"`)) || !utf8.Valid(head) {
					t.Fatalf("%q is no piece of %q", head, text)
				}
				if all = append(all, head...); rest == nil {
					break
				}
			}
			if !bytes.Equal(all, text) {
				t.Errorf("the pieces of %q are %q", text, all)
			}
		}
	})
}
