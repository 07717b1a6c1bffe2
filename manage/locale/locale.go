// Package locale says in English or in Chinese what a person reads. English is the language of the code: a text is looked up by its
// English form, and what the catalog does not have stays English. Logs and JSON are never translated.
package locale

import (
	"fmt"
	"strings"
	"sync"

	"golang.org/x/text/language"
	"golang.org/x/text/message/catalog"
)

// Variable carries a language from a laptop to the server that it asks, whose own locale is another person's.
const Variable = "GCA_WORDS"

// Words say things in one language. The zero value says them in English.
type Words struct {
	catalog  *catalog.Builder
	patterns func() []pattern
}

// For is the language of a person: of LC_ALL, LC_MESSAGES or LANG, the first that is set, or what a laptop says.
func For(getenv func(name string) string) Words {
	for _, name := range []string{Variable, "LC_ALL", "LC_MESSAGES", "LANG"} {
		if locale := getenv(name); locale != "" {
			if !chinese(locale) {
				break
			}
			return Chinese()
		}
	}
	return Words{}
}

// chinese reports whether a locale such as zh_CN.UTF-8 is Chinese, and can show it.
func chinese(locale string) bool {
	locale, _, _ = strings.Cut(locale, "@")
	name, charset, named := strings.Cut(locale, ".")
	if named && !strings.EqualFold(strings.ReplaceAll(charset, "-", ""), "utf8") {
		return false
	}
	tag, err := language.Parse(name)
	base, _ := tag.Base()
	return err == nil && base.String() == "zh"
}

// Chinese are the words of that language.
func Chinese() Words {
	all := messages()
	b := catalog.NewBuilder(catalog.Fallback(language.English))
	for _, m := range all {
		if err := b.SetString(language.Chinese, m.english, m.chinese); err != nil {
			panic(fmt.Sprintf("BUG: the message %q: %v", m.english, err)) // a test sets them all
		}
	}
	return Words{b, sync.OnceValue(func() []pattern { return compile(all) })}
}

// Carried is what Variable is to be for a server to say the same words.
func (w Words) Carried() string {
	if w.catalog == nil {
		return language.English.String()
	}
	return language.Chinese.String()
}

// Say is fmt.Sprintf of a format that is given in English. Numbers are shown as they are: most are ports, sizes and versions, which
// package message would write with commas.
func (w Words) Say(english string, args ...any) string {
	return fmt.Sprintf(w.format(english), args...)
}

// format is the format in this language.
func (w Words) format(english string) string {
	if w.catalog == nil {
		return english
	}
	found := &rendering{}
	if err := w.catalog.Context(language.Chinese, found).Execute(english); err != nil {
		return english // it is not in the catalog
	}
	return found.text
}

// rendering takes a message as it is in the catalog.
type rendering struct{ text string }

func (r *rendering) Render(text string) { r.text += text }
func (r *rendering) Arg(int) any        { return nil }

// Count is "1 step" or "2 steps", of a noun that is given in English.
func (w Words) Count(n int, noun string) string {
	switch {
	case w.catalog != nil:
		return w.Say("%d "+noun+"s", n)
	case n == 1:
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
