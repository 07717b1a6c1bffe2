package gemini

import (
	"bytes"
	"testing"
)

// TestLetters: each string is what it was made of and stays so, whether it shares its memory or has its own.
func TestLetters(t *testing.T) {
	var l Letters
	b := make([]byte, 0, 64)
	var got []string
	for i := range 40 {
		b = append(b[:0], bytes.Repeat([]byte{'a' + byte(i%26)}, i)...)
		got = append(got, l.Of(b, 32))
	}
	for i, s := range got {
		if want := string(bytes.Repeat([]byte{'a' + byte(i%26)}, i)); s != want {
			t.Errorf("%d: %q, want %q", i, s, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { l.Of([]byte("word"), 512) }); n >= 1 {
		t.Errorf("a word takes %.2f allocations", n)
	}
}
