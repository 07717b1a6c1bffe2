package markdown

import (
	"slices"
	"strings"
)

// code is a fenced block of code that is written line by line.
type code struct {
	style    Style
	language string // as the fence names it
	syntax   syntax
	until    string // what ends the comment or text that is open over lines, "" if none is
}

// syntax is as much of a language as colours need.
type syntax struct {
	names    []string
	comments []string    // that go to the end of the line
	spans    [][2]string // comments and texts over lines
	quotes   string
	words    string // with spaces between
}

const (
	cWords  = "break case const continue default do else enum false for goto if null return sizeof static struct switch true typedef void while int long char double float bool auto unsigned new delete class public private protected virtual template typename using namespace try catch throw this override extends implements import package interface final abstract super instanceof throws foreach var let fn pub mut impl trait match mod use crate self where async await move ref loop unsafe as in is string when val fun object companion data func defer go chan map range select type nil fallthrough"
	jsWords = "async await break case catch class const continue debugger default delete do else export extends false finally for from function get if import in instanceof interface let new null of return set static super switch this throw true try type typeof undefined var void while with yield enum implements readonly declare namespace"
)

// syntaxes are those that models write most.
func syntaxes() []syntax {
	slashes, block := []string{"//"}, [][2]string{{"/*", "*/"}}
	return []syntax{
		{[]string{"go", "golang", "c", "h", "cpp", "c++", "cc", "cs", "csharp", "c#", "java", "kotlin", "kt", "rust", "rs", "swift", "scala", "php", "dart", "proto"}, slashes, block, "\"'`", cWords},
		{[]string{"js", "javascript", "jsx", "ts", "typescript", "tsx", "vue"}, slashes, block, "\"'`", jsWords},
		{[]string{"py", "python", "python3"}, []string{"#"}, [][2]string{{`"""`, `"""`}, {"'''", "'''"}}, "\"'",
			"False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield match case self"},
		{[]string{"sh", "bash", "zsh", "shell", "console", "fish", "dockerfile", "makefile", "make"}, []string{"#"}, nil, "\"'",
			"case do done elif else esac export fi for function if in local return set then unset until while FROM RUN COPY CMD ENV ENTRYPOINT WORKDIR EXPOSE sudo cd echo"},
		{[]string{"rb", "ruby", "perl", "pl", "r", "elixir", "ex", "nix", "powershell", "ps1"}, []string{"#"}, nil, "\"'",
			"begin break case class def do else elsif end ensure false for if in module my next nil not or and require rescue return self sub then true unless until use when while yield foreach function param try catch"},
		{[]string{"json", "jsonc", "json5"}, slashes, block, "\"", "true false null"},
		{[]string{"yaml", "yml", "toml", "ini", "conf", "nginx", "env", "properties"}, []string{"#", ";"}, nil, "\"'", "true false null yes no on off"},
		{[]string{"sql", "postgresql", "mysql", "sqlite", "lua", "haskell", "hs"}, []string{"--"}, block, "'\"",
			"select from where insert into values update set delete create table index drop alter join left right inner outer on group by order limit offset having and or not null is in as distinct union primary key references default begin commit case when then else end with SELECT FROM WHERE INSERT INTO VALUES UPDATE SET DELETE CREATE TABLE INDEX DROP ALTER JOIN LEFT RIGHT INNER OUTER ON GROUP BY ORDER LIMIT OFFSET HAVING AND OR NOT NULL IS IN AS DISTINCT UNION PRIMARY KEY REFERENCES DEFAULT BEGIN COMMIT CASE WHEN THEN ELSE END WITH local function return if for while do nil true false module import let data type instance class"},
		{[]string{"css", "scss", "less"}, nil, block, "\"'", "important media import supports keyframes"},
		{[]string{"html", "xml", "svg"}, nil, [][2]string{{"<!--", "-->"}}, "\"", ""},
	}
}

var (
	comment = ink{"2", ""}
	quoted  = ink{"32", ""}
	keyword = ink{"35", ""}
	number  = ink{"36", ""}
	added   = ink{"32", ""}
	removed = ink{"31", ""}
)

func newCode(info string, style Style) *code {
	language, _, _ := strings.Cut(info, " ")
	c := &code{style: style, language: strings.ToLower(language)}
	for _, s := range syntaxes() {
		if slices.Contains(s.names, c.language) {
			c.syntax = s
		}
	}
	return c
}

const codeIndent = "  "

// open and close are the block's edges: its fences where there are no colours.
func (c *code) open() string {
	if c.style.Colour {
		if c.language == "" {
			return ""
		}
		return codeIndent + c.style.paint(faint, c.language) + "\n"
	}
	return "```" + c.language + "\n"
}

func (c *code) close() string {
	if c.style.Colour {
		return ""
	}
	return "```\n"
}

// line shows a line, which is never broken: the terminal does that, and who copies it gets it whole.
func (c *code) line(text string) string {
	switch {
	case !c.style.Colour:
		return text + "\n"
	case c.language == "diff" || c.language == "patch":
		return codeIndent + c.diffLine(text) + "\n"
	}
	return codeIndent + c.paintLine(text) + "\n"
}

func (c *code) diffLine(text string) string {
	switch {
	case strings.HasPrefix(text, "+"):
		return c.style.paint(added, text)
	case strings.HasPrefix(text, "-"):
		return c.style.paint(removed, text)
	case strings.HasPrefix(text, "@@"):
		return c.style.paint(number, text)
	}
	return text
}

// paintLine colours what it knows of the language.
func (c *code) paintLine(text string) string {
	var b strings.Builder
	for text != "" {
		piece, how := c.next(text)
		if how == (ink{}) {
			b.WriteString(piece)
		} else {
			b.WriteString(c.style.paint(how, piece))
		}
		text = text[len(piece):]
	}
	return b.String()
}

// next is the piece that a text begins with, and how it is written.
func (c *code) next(text string) (piece string, how ink) {
	if c.until != "" {
		return c.through(text, 0), comment
	}
	for _, span := range c.syntax.spans {
		if strings.HasPrefix(text, span[0]) {
			c.until = span[1]
			return c.through(text, len(span[0])), comment
		}
	}
	for _, mark := range c.syntax.comments {
		if strings.HasPrefix(text, mark) {
			return text, comment
		}
	}
	switch first := text[0]; {
	case strings.IndexByte(c.syntax.quotes, first) >= 0:
		return quotedText(text), quoted
	case isWord(first):
		end := strings.IndexFunc(text, func(r rune) bool { return r > 0x7f || !isWord(byte(r)) })
		if end < 0 {
			end = len(text)
		}
		return text[:end], c.wordInk(text[:end])
	}
	end := 1
	for end < len(text) && !isWord(text[end]) && !c.begins(text[end:]) {
		end++
	}
	return text[:end], ink{}
}

// begins reports whether something starts here that is no plain sign.
func (c *code) begins(text string) bool {
	if strings.IndexByte(c.syntax.quotes, text[0]) >= 0 {
		return true
	}
	for _, span := range c.syntax.spans {
		if strings.HasPrefix(text, span[0]) {
			return true
		}
	}
	return slices.ContainsFunc(c.syntax.comments, func(mark string) bool { return strings.HasPrefix(text, mark) })
}

// through goes on to the end of what is open, which may be on another line.
func (c *code) through(text string, from int) string {
	at := strings.Index(text[from:], c.until)
	if at < 0 {
		return text
	}
	end := from + at + len(c.until)
	c.until = ""
	return text[:end]
}

func quotedText(text string) string {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case text[0]:
			return text[:i+1]
		}
	}
	return text
}

func isWord(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

func (c *code) wordInk(word string) ink {
	switch {
	case c.syntax.names == nil:
		return ink{}
	case word[0] >= '0' && word[0] <= '9':
		return number
	case strings.Contains(" "+c.syntax.words+" ", " "+word+" "):
		return keyword
	}
	return ink{}
}
