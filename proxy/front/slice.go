package front

import "unicode/utf8"

// SliceSize is the longest piece, in bytes, in which a call's arguments are streamed.
const SliceSize = 4 << 10

// Slice cuts JSON text after at most limit bytes, 16 or more, for clients that look at it piece by piece: never inside a
// character or an escape, so that each piece is readable by itself. Text that is not JSON is cut somewhere.
func Slice(text []byte, limit int) (head, rest []byte) {
	if len(text) <= limit {
		return text, nil
	}
	cut := limit
	for cut > limit-utf8.UTFMax && !utf8.RuneStart(text[cut]) {
		cut--
	}
	// An escape is at most the 12 bytes of a surrogate pair, \ud83d\ude00; a run of backslashes is cut between pairs.
	from := cut - 1
	for from > cut-12 && text[from] != '\\' {
		from--
	}
	run := from
	for run >= 0 && text[run] == '\\' {
		run--
	}
	if (from-run)%2 == 1 && cut < escapeEnd(text, from) {
		cut = from
	}
	if isLowEscape(text[cut:]) && isHighEscape(text[:cut]) {
		cut -= len(`\ud83d`)
	}
	return text[:cut], text[cut:]
}

// escapeEnd is where the escape that begins at i ends.
func escapeEnd(text []byte, i int) int {
	if i+1 < len(text) && text[i+1] == 'u' {
		return i + len(`\uXXXX`)
	}
	return i + len(`\n`)
}

// isLowEscape reports whether text begins with the second half of a surrogate pair.
func isLowEscape(text []byte) bool {
	return len(text) >= 6 && text[0] == '\\' && text[1] == 'u' && text[2]|0x20 == 'd' && text[3]|0x20 >= 'c'
}

// isHighEscape reports whether text ends with the first half of one.
func isHighEscape(text []byte) bool {
	if len(text) < 6 {
		return false
	}
	t := text[len(text)-6:]
	return t[0] == '\\' && t[1] == 'u' && t[2]|0x20 == 'd' && (t[3] == '8' || t[3] == '9' || t[3]|0x20 == 'a' || t[3]|0x20 == 'b')
}
