package main

import (
	"io/fs"

	"github.com/gemini-claude-adapter/gca"
)

// templateTexts are the templates of a deploy.
func templateTexts() (map[string]string, error) { return textsOf("templates") }

// textsOf are the files of an embedded folder, by name.
func textsOf(dir string) (map[string]string, error) {
	entries, err := fs.ReadDir(gca.Templates, dir)
	if err != nil {
		return nil, err
	}
	texts := make(map[string]string)
	for _, entry := range entries {
		if entry.IsDir() {
			continue
		}
		text, err := fs.ReadFile(gca.Templates, dir+"/"+entry.Name())
		if err != nil {
			return nil, err
		}
		texts[entry.Name()] = string(text)
	}
	return texts, nil
}
