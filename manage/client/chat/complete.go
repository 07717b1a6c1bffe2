package chat

import (
	"os"
	"path/filepath"
	"strings"
)

// complete goes on with a line of the input: the name of a command, or of a file behind one that takes a file. several are the
// ways that it could go on, if there is more than one.
func complete(line string) (completed string, several []string) {
	if !strings.HasPrefix(line, "/") {
		return line, nil
	}
	name, argument, found := strings.Cut(line, " ")
	var all []string
	switch {
	case !found:
		for _, c := range commands() {
			word := c.name
			if c.argument != "" {
				word += " "
			}
			all = append(all, word)
		}
		return goOn(line, all)
	case name == "/file" || name == "/image" || name == "/save":
		for _, path := range files(argument) {
			all = append(all, name+" "+path)
		}
		return goOn(line, all)
	}
	return line, nil
}

// goOn is as much as all words that begin with a line have in common.
func goOn(line string, all []string) (string, []string) {
	var fit []string
	for _, word := range all {
		if strings.HasPrefix(word, line) {
			fit = append(fit, word)
		}
	}
	if len(fit) == 0 {
		return line, nil
	}
	common := fit[0]
	for _, word := range fit[1:] {
		for !strings.HasPrefix(word, common) {
			common = common[:len(common)-1]
		}
	}
	if len(fit) == 1 {
		return common, nil
	}
	return strings.ToValidUTF8(common, ""), fit
}

const maxFiles = 200

// files are those whose paths begin as typed; folders end in a slash.
func files(typed string) []string {
	shown, _ := filepath.Split(typed)
	dir := expand(shown)
	if dir == "" {
		dir = "."
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		path := shown + e.Name()
		if e.IsDir() {
			path += "/"
		}
		hidden := strings.HasPrefix(e.Name(), ".") && !strings.HasPrefix(typed[len(shown):], ".")
		if !hidden && strings.HasPrefix(path, typed) && len(out) < maxFiles {
			out = append(out, path)
		}
	}
	return out
}
