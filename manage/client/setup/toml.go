package setup

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// tomlFormat is TOML. A path is one name: of a key above all tables, whose item is its line, or of a table as [a.b], whose item
// is all lines from its header on.
type tomlFormat struct{}

// expression is a line that begins a key or a table.
type expression struct {
	name  string // a.b, or [a.b]
	start int    // of its line
	table bool
}

// expressions are those of a text, in order. Keys are those above all tables alone.
func (tomlFormat) expressions(text []byte) ([]expression, error) {
	var decoded struct{}
	if err := toml.Unmarshal(text, &decoded); err != nil { // doubled keys and the like, which the parser below lets through
		var wrong *toml.DecodeError
		if errors.As(err, &wrong) {
			row, _ := wrong.Position()
			return nil, fmt.Errorf("line %d: %w", row, err)
		}
		return nil, err
	}
	var p unstable.Parser
	p.Reset(text)
	var out []expression
	tables := 0
	for p.NextExpression() {
		e := p.Expression()
		if e.Kind == unstable.Comment || e.Kind == unstable.KeyValue && tables > 0 {
			continue
		}
		var words []string
		at := -1
		for keys := e.Key(); keys.Next(); {
			if at < 0 {
				at = int(keys.Node().Raw.Offset)
			}
			words = append(words, string(keys.Node().Data))
		}
		one := expression{name: strings.Join(words, "."), start: bytes.LastIndexByte(text[:at], '\n') + 1, table: e.Kind != unstable.KeyValue}
		if one.table {
			tables++
			one.name = "[" + one.name + "]"
		}
		out = append(out, one)
	}
	return out, p.Error()
}

// span is where an item lies, not ok where there is none.
func (f tomlFormat) span(text []byte, name string) (start, end int, ok bool, err error) {
	all, err := f.expressions(text)
	if err != nil {
		return 0, 0, false, err
	}
	for i, e := range all {
		if e.name != name {
			continue
		}
		if !e.table {
			end, err = f.lineEnd(text, e.start)
			return e.start, end, true, err
		}
		end := len(text)
		if i+1 < len(all) {
			end = all[i+1].start
		}
		return e.start, e.start + len(ownLines(text[e.start:end], i+1 < len(all))), true, nil
	}
	return 0, 0, false, nil
}

// ownLines are a table's lines without the blank ones at its end, and without the comments before the next table.
func ownLines(block []byte, next bool) []byte {
	lines := bytes.SplitAfter(block, []byte("\n"))
	for n := len(lines); n > 1; n-- {
		line := bytes.TrimSpace(lines[n-1])
		if len(line) > 0 && (!next || line[0] != '#') {
			return bytes.TrimRight(bytes.Join(lines[:n], nil), "\r\n")
		}
	}
	return bytes.TrimRight(lines[0], "\r\n")
}

// lineEnd is the end of a key's line. What goes over several lines is not touched.
func (f tomlFormat) lineEnd(text []byte, start int) (int, error) {
	end := len(text)
	if n := bytes.IndexByte(text[start:], '\n'); n >= 0 {
		end = start + n
	}
	line := bytes.TrimRight(text[start:end], "\r")
	var decoded struct{}
	if err := toml.Unmarshal(line, &decoded); err != nil {
		return 0, fmt.Errorf("the setting that begins with %q goes over several lines", line)
	}
	return start + len(line), nil
}

func (f tomlFormat) get(text []byte, path []string) (string, bool, error) {
	start, end, ok, err := f.span(text, path[0])
	if !ok || err != nil {
		return "", false, err
	}
	return string(text[start:end]), true, nil
}

func (f tomlFormat) set(text []byte, path []string, raw string) ([]byte, error) {
	start, end, ok, err := f.span(text, path[0])
	switch {
	case err != nil:
		return nil, err
	case raw == "" && !ok:
		return text, nil
	case !ok:
		text, err = f.add(text, path[0], raw)
	case raw == "":
		text = cut(text, start, end, strings.HasPrefix(path[0], "["))
	default:
		text = bytes.Join([][]byte{text[:start], []byte(raw), text[end:]}, nil)
	}
	if err == nil {
		_, err = f.expressions(text) // what it became must be good, too
	}
	return text, err
}

// add puts a table at the end, and a key behind the last one above all tables.
func (f tomlFormat) add(text []byte, name, raw string) ([]byte, error) {
	if strings.HasPrefix(name, "[") {
		text = ended(text)
		if len(text) > 0 {
			text = append(text, '\n')
		}
		return append(text, raw+"\n"...), nil
	}
	all, err := f.expressions(text)
	if err != nil {
		return nil, err
	}
	at := 0
	for i, e := range all {
		if e.table {
			break
		}
		at = len(text)
		if i+1 < len(all) {
			at = all[i+1].start
		}
		at = e.start + len(ownLines(text[e.start:at], true))
		if n := bytes.IndexByte(text[at:], '\n'); n >= 0 {
			at += n + 1
		}
	}
	head := ended(text[:at])
	return append(append(head, raw+"\n"...), text[at:]...), nil
}

// cut takes lines out, for a table with the blank line before it.
func cut(text []byte, start, end int, table bool) []byte {
	if n := bytes.IndexByte(text[end:], '\n'); n >= 0 {
		end += n + 1
	}
	head := text[:start:start]
	if table && bytes.HasSuffix(head, []byte("\n\n")) {
		head = head[:len(head)-1]
	}
	return append(head, text[end:]...)
}

func (tomlFormat) empty(text []byte) bool { return strings.TrimSpace(string(text)) == "" }
