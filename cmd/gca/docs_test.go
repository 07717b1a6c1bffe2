package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

const repository = "../.."

// chapter is what stands below one heading of a document, up to the next.
type chapter struct {
	level    int
	title    string
	spans    []string // of code within text
	blocks   []block
	commands []string // lines of blocks and spans, in their order
	rows     []string // first cells of tables
	exits    []string // of each row that speaks of exit codes: its numbers, in order
	links    []string
}

// block is a block of code. mark is the comment before it: who can run it word for word.
type block struct{ mark, text string }

var mark = regexp.MustCompile(`^<!-- (lab|fake) -->\s*$`)

// readDocument takes a Markdown file apart. What stands before the first heading is a chapter, too.
func readDocument(t *testing.T, file string) []*chapter {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(repository, file))
	if err != nil {
		t.Fatal(err)
	}
	markdown := goldmark.New(goldmark.WithExtensions(extension.Table))
	chapters := []*chapter{{}}
	marked := ""
	err = ast.Walk(markdown.Parser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		last := chapters[len(chapters)-1]
		switch n := n.(type) {
		case *ast.Heading:
			chapters = append(chapters, &chapter{level: n.Level, title: textOf(n, source)})
		case *ast.HTMLBlock:
			marked = ""
			if found := mark.FindStringSubmatch(linesOf(n, source)); found != nil {
				marked = found[1]
			}
		case *ast.CodeBlock, *ast.FencedCodeBlock:
			b := block{marked, linesOf(n, source)}
			last.blocks, last.commands, marked = append(last.blocks, b), append(last.commands, strings.Split(b.withoutRemarks(), "\n")...), ""
		case *ast.CodeSpan:
			span := strings.ReplaceAll(strings.Join(strings.Fields(textOf(n, source)), " "), `\|`, "|")
			last.spans, last.commands = append(last.spans, span), append(last.commands, span)
		case *ast.Link:
			last.links = append(last.links, string(n.Destination))
		case *extast.TableRow:
			last.rows, last.exits = append(last.rows, textOf(n.FirstChild(), source)), append(last.exits, exitsOf(textOf(n, source)))
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return chapters
}

func textOf(n ast.Node, source []byte) string {
	var b strings.Builder
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		if leaf, ok := child.(*ast.Text); ok {
			b.Write(leaf.Segment.Value(source))
			if leaf.SoftLineBreak() {
				b.WriteString(" ")
			}
			continue
		}
		b.WriteString(textOf(child, source))
	}
	return b.String()
}

// aboutExits finds what a row says of exit codes, up to the next of its parts; the order of the words differs between the languages.
var (
	aboutExits = regexp.MustCompile(`[^；;]*(?:exit codes?|退出码)[^；;]*`)
	digits     = regexp.MustCompile(`\b\d+\b`)
)

func exitsOf(row string) string {
	found := digits.FindAllString(strings.Join(aboutExits.FindAllString(row, -1), " "), -1)
	slices.Sort(found)
	return strings.Join(found, " ")
}

func linesOf(n ast.Node, source []byte) string { return string(n.Lines().Value(source)) }

var remark = regexp.MustCompile(`\s+#.*`)

// withoutRemarks is a block without what explains it, which is in its document's language.
func (b block) withoutRemarks() string { return remark.ReplaceAllString(b.text, "") }

// documents are all that users read.
func documents(t *testing.T) []string {
	t.Helper()
	guides, err := filepath.Glob(filepath.Join(repository, "docs", "*.md"))
	if err != nil || len(guides) < 9 {
		t.Fatalf("%d guides, %v", len(guides), err)
	}
	files := []string{"README.md", "README.zh-CN.md", "CONTRIBUTING.md"}
	for _, guide := range guides {
		files = append(files, "docs/"+filepath.Base(guide))
	}
	return files
}

// The Chinese README has every heading, command, setting, path and link of the English one, and no others, so neither falls behind.
func TestReadme_Chinese(t *testing.T) {
	english, chinese := readDocument(t, "README.md"), readDocument(t, "README.zh-CN.md")
	if len(english) != len(chinese) {
		t.Fatalf("README.md has %d headings, README.zh-CN.md %d", len(english)-1, len(chinese)-1)
	}
	for i, en := range english {
		zh := chinese[i]
		if en.level != zh.level {
			t.Errorf("%q has level %d, %q %d", en.title, en.level, zh.title, zh.level)
		}
		same := func(what string, inEnglish, inChinese []string) {
			t.Helper()
			for _, one := range missing(inEnglish, inChinese) {
				t.Errorf("%s: %s in README.md alone: %q", en.title, what, one)
			}
			for _, one := range missing(inChinese, inEnglish) {
				t.Errorf("%s: %s in README.zh-CN.md alone: %q", zh.title, what, one)
			}
		}
		same("code", en.spans, zh.spans)
		same("setting or path", machineWords(en), machineWords(zh))
		same("link", notEachOther(en.links), notEachOther(zh.links))
		var blocks, blocksZH []string
		for _, b := range en.blocks {
			blocks = append(blocks, b.withoutRemarks())
		}
		for _, b := range zh.blocks {
			blocksZH = append(blocksZH, b.withoutRemarks())
		}
		same("block", blocks, blocksZH)
		if len(en.rows) != len(zh.rows) {
			t.Errorf("%s has %d rows of tables, %s %d", en.title, len(en.rows), zh.title, len(zh.rows))
			continue
		}
		for i, exits := range en.exits {
			if zh.exits[i] != exits {
				t.Errorf("%s: the exit codes are %q in README.md, %q in README.zh-CN.md", en.rows[i], exits, zh.exits[i])
			}
		}
	}
}

var machineWord = regexp.MustCompile(`\b[A-Z]{2,}(?:_[A-Z]+)+\b|(?:GET|POST) /\S*|/v1\w+/`)

// machineWords are the settings and paths that tables begin with.
func machineWords(c *chapter) []string {
	return machineWord.FindAllString(strings.Join(c.rows, "\n"), -1)
}

func notEachOther(links []string) []string {
	return slices.DeleteFunc(slices.Clone(links), func(link string) bool { return strings.HasPrefix(link, "README.") })
}

// missing are those of all that are not in other.
func missing(all, other []string) []string {
	return slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(all))), func(one string) bool { return slices.Contains(other, one) })
}

// Every setting and every command is in the README.
func TestReadme_Complete(t *testing.T) {
	var spans, rows []string
	for _, c := range readDocument(t, "README.md") {
		spans, rows = append(spans, c.spans...), append(rows, c.rows...)
	}
	for _, name := range config.Names() {
		if !regexp.MustCompile(`\b` + name + `\b`).MatchString(strings.Join(rows, "\n")) {
			t.Errorf("the setting %s has no row in README.md", name)
		}
	}
	for _, cmd := range newRoot(&streams{}).Commands() {
		named := regexp.MustCompile(`^(gca )?` + cmd.Name() + `\b`)
		if cmd.IsAvailableCommand() && !slices.ContainsFunc(spans, named.MatchString) {
			t.Errorf("the command gca %s is not in README.md", cmd.Name())
		}
	}
}

// What a document points to is there.
func TestDocs_Links(t *testing.T) {
	for _, file := range documents(t) {
		for _, c := range readDocument(t, file) {
			for _, link := range c.links {
				if !strings.Contains(link, "://") {
					checkLink(t, file, link)
				}
			}
		}
	}
}

func checkLink(t *testing.T, file, link string) {
	t.Helper()
	path, anchor, _ := strings.Cut(link, "#")
	target := filepath.Join(filepath.Dir(file), path)
	if path == "" {
		target = file
	}
	if _, err := os.Stat(filepath.Join(repository, target)); err != nil {
		t.Errorf("%s points to %s: %v", file, link, err)
		return
	}
	named := func(c *chapter) bool { return strings.ReplaceAll(strings.ToLower(c.title), " ", "-") == anchor }
	if anchor != "" && !slices.ContainsFunc(readDocument(t, target), named) {
		t.Errorf("%s points to %s, and there is no such heading", file, link)
	}
}

// Every command that a document shows is one that there is, with flags that it has and arguments that it takes.
func TestDocs_Commands(t *testing.T) {
	found := 0
	for _, file := range documents(t) {
		if file == "docs/architecture.md" {
			continue // its blocks are drawings
		}
		for _, c := range readDocument(t, file) {
			for _, b := range c.blocks {
				for line := range strings.Lines(strings.ReplaceAll(b.withoutRemarks(), "\\\n", " ")) {
					for _, command := range commandsIn(line) {
						found++
						if err := parses(command, true); err != nil {
							t.Errorf("%s: %s: %v", file, strings.TrimSpace(line), err)
						}
					}
				}
			}
			for _, span := range c.spans {
				if words, ok := mentioned(span); ok {
					found++
					if err := parses(words, false); err != nil {
						t.Errorf("%s: `%s`: %v", file, span, err)
					}
				}
			}
		}
	}
	if found < 150 {
		t.Errorf("only %d commands were found: the documents are read wrongly", found)
	}
}

// commandsIn are the words of each gca and gemini-manage in a line of shell.
func commandsIn(line string) [][]string {
	var all [][]string
	words, err := shellquote.Split(line)
	if err != nil {
		return nil
	}
	var command []string
	for _, word := range append(words, ";") {
		switch {
		case slices.Contains([]string{"|", ";", "&&", ">", "<"}, word), strings.Contains(word, "──"):
			if command != nil {
				all = append(all, command)
			}
			command = nil
		case command != nil:
			command = append(command, word)
		case programName.MatchString(word):
			command = []string{filepath.Base(word)}
		}
	}
	return all
}

var (
	programName = regexp.MustCompile(`^(\S*/)?(gca|gemini-manage)$`)
	optional    = regexp.MustCompile(`\[[^\]]*\]`)
)

// mentioned are the words of a command that a text names, as "gca keys list host".
func mentioned(span string) (words []string, ok bool) {
	span = strings.TrimPrefix(strings.TrimPrefix(span, "sudo "), "bin/")
	if !strings.HasPrefix(span, "gca ") && !strings.HasPrefix(span, "gemini-manage ") || strings.Contains(span, "/0.") {
		return nil, false
	}
	words, err := shellquote.Split(optional.ReplaceAllString(span, ""))
	if err != nil || len(words) < 2 {
		return nil, false
	}
	for i, word := range words {
		words[i], _, _ = strings.Cut(word, "|") // of several the first
	}
	return words, true
}

// parses reads a command line as gca does. Without all it names a command, and may leave arguments out.
func parses(words []string, all bool) error {
	root := newRoot(&streams{})
	if words[0] == "gemini-manage" {
		root = newManageRoot(&streams{})
	}
	cmd, rest, err := root.Find(words[1:])
	if err != nil {
		return err
	}
	if cmd == root && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		return errors.New("there is no such command")
	}
	if err := cmd.ParseFlags(rest); err != nil && !errors.Is(err, pflag.ErrHelp) {
		return err
	}
	if cmd.HasSubCommands() && !cmd.Runnable() && cmd.Flags().NArg() > 0 {
		return errors.New("there is no such command")
	}
	if !all {
		return nil
	}
	return checkArgs(cmd)
}

func checkArgs(cmd *cobra.Command) error {
	if help := cmd.Flags().Lookup("help"); help != nil && help.Changed {
		return nil
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}
