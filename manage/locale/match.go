package locale

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// pattern knows one of the catalog's formats in a text that arrives whole and in English, with its values in it, as those of
// servers do.
type pattern struct {
	english *regexp.Regexp
	chinese string
	known   int // bytes that are the format's own
}

var verb = regexp.MustCompile(`%(?:\[(\d+)\])?[-+#0]*\d*(?:\.\d+)?[a-zA-Z%]`)

// leastKnown is how much a format must say itself to be told from others.
const leastKnown = 4

// compile makes a pattern of each message, those first that say most themselves.
func compile(all []message) []pattern {
	var patterns []pattern
	for _, m := range all {
		if p := compileOne(m); p.known >= leastKnown {
			patterns = append(patterns, p)
		}
	}
	slices.SortStableFunc(patterns, func(a, b pattern) int { return cmp.Compare(b.known, a.known) })
	return patterns
}

func compileOne(m message) pattern {
	var b strings.Builder
	known, from := 0, 0
	literal := func(text string) {
		b.WriteString(regexp.QuoteMeta(text))
		known += len(strings.TrimSpace(text))
	}
	for _, at := range verb.FindAllStringIndex(m.english, -1) {
		literal(m.english[from:at[0]])
		if from = at[1]; m.english[from-1] == '%' {
			literal("%")
			continue
		}
		b.WriteString("(.+?)")
	}
	literal(m.english[from:])
	return pattern{regexp.MustCompile(`^(?s:` + b.String() + `)$`), m.chinese, known}
}

// say is text in Chinese, its values included as far as they are known. Not ok is another text.
func (p pattern) say(w Words, text string, depth int) (said string, ok bool) {
	values := p.english.FindStringSubmatch(text)
	if values == nil {
		return "", false
	}
	next := 0
	return verb.ReplaceAllStringFunc(p.chinese, func(v string) string {
		if strings.HasSuffix(v, "%") {
			return "%"
		}
		next++
		if n, err := strconv.Atoi(verb.FindStringSubmatch(v)[1]); err == nil {
			next = n
		}
		return w.text(values[next], depth-1)
	}), true
}

// hint parts what is wrong from what to do.
const hint = "\nhint: "

// What a server says is bounded in what it may cost.
const (
	deepest = 6       // values within values that are looked up
	longest = 4 << 10 // bytes of a text that is looked up
)

// Text is a whole text that was made elsewhere, with its values in it. One that is not known stays as it is; of one that says what
// failed and then why, each part is looked up.
func (w Words) Text(english string) string {
	if said := w.format(english); said != english && !strings.Contains(english, "%") {
		return said // it may be short: as a whole it is told from others
	}
	return w.text(english, deepest)
}

func (w Words) text(english string, depth int) string {
	if w.catalog == nil || depth == 0 || len(english) > longest {
		return english
	}
	if what, cure, ok := strings.Cut(english, hint); ok {
		return w.text(what, depth) + w.Say(hint) + w.text(cure, depth)
	}
	if said, ok := w.known(english, depth); ok {
		return said
	}
	for at := range len(english) {
		if why, ok := strings.CutPrefix(english[at:], ": "); ok {
			if what, ok := w.known(english[:at], depth); ok {
				return what + "：" + w.text(why, depth-1)
			}
		}
	}
	return english
}

func (w Words) known(english string, depth int) (said string, ok bool) {
	for _, p := range w.patterns() {
		if said, ok := p.say(w, english, depth); ok {
			return said, true
		}
	}
	return "", false
}
