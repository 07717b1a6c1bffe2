// Command licences writes the licences of everything that is linked into gca, on any system that it is built for. A release
// carries them. It ends with an error where a module has none, or one that nobody has looked at.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// program is what is linked, and systems are where it is built for.
const program = "github.com/gemini-claude-adapter/gca/cmd/gca"

func systems() []string { return []string{"linux", "darwin", "windows"} }

// module is one of Go's, as go list tells of it.
type module struct {
	Path, Version, Dir string
	Main               bool
	Replace            *module
}

// licence is a module with the texts that must go with it.
type licence struct {
	module
	kind  string
	texts []string
}

func main() {
	all, err := collect()
	if err == nil {
		out := bufio.NewWriter(os.Stdout)
		err = errors.Join(write(out, all), out.Flush())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

// collect finds the modules, by path, and Go's own library as the first.
func collect() ([]licence, error) {
	found := map[string]module{}
	for _, system := range systems() {
		if err := linked(system, found); err != nil {
			return nil, err
		}
	}
	root, err := exec.Command("go", "env", "GOROOT", "GOVERSION").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	words := strings.Fields(string(root))
	modules := []module{{Path: "the Go standard library", Version: words[1], Dir: words[0]}}
	for _, path := range slices.Sorted(maps.Keys(found)) {
		modules = append(modules, found[path])
	}
	var all []licence
	var faults []error
	for _, m := range modules {
		l, err := read(m)
		all, faults = append(all, l), append(faults, err)
	}
	return all, errors.Join(faults...)
}

// linked adds the modules of the program on one system.
func linked(system string, found map[string]module) error {
	cmd := exec.Command("go", "list", "-deps", "-json=Module", program)
	cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go list for %s: %w", system, err)
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct{ Module *module }
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("go list for %s: %w", system, err)
		}
		if m := p.Module; m != nil && !m.Main {
			if m.Replace != nil {
				m.Dir = m.Replace.Dir
			}
			found[m.Path] = *m
		}
	}
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|copyright)([-.].*)?$`)

// read takes the texts of a module's own folder.
func read(m module) (licence, error) {
	entries, err := os.ReadDir(m.Dir)
	if err != nil {
		return licence{module: m}, fmt.Errorf("%s: %w", m.Path, err)
	}
	l := licence{module: m}
	for _, e := range entries {
		if !e.Type().IsRegular() || !licenceFile.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(m.Dir, e.Name()))
		if err != nil {
			return l, err
		}
		l.texts = append(l.texts, strings.TrimSpace(string(text)))
	}
	l.kind = kindOf(strings.Join(l.texts, "\n"))
	if l.kind == "" {
		return l, fmt.Errorf("%s %s has no licence that is known here: read it, then see kindOf in cmd/licences", m.Path, m.Version)
	}
	return l, nil
}

// kindOf names a text by sentences that only it has. All of these let gca be given away with their text beside it.
func kindOf(text string) string {
	flat := strings.Join(strings.Fields(text), " ")
	for _, known := range []struct{ kind, sentence string }{
		{"Apache-2.0", "Apache License Version 2.0, January 2004"},
		{"MPL-2.0", "Mozilla Public License Version 2.0"},
		{"BSD-3-Clause", "may be used to endorse or promote products derived from this software"},
		{"BSD-2-Clause", "Redistributions in binary form must reproduce the above copyright notice"},
		{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee"},
		{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy"},
		{"Unlicense", "This is free and unencumbered software released into the public domain"},
	} {
		if strings.Contains(strings.ToLower(flat), strings.ToLower(known.sentence)) {
			return known.kind
		}
	}
	return ""
}

// write prints a table, then each module's texts.
func write(out io.Writer, all []licence) error {
	var text strings.Builder
	text.WriteString("gca is built of these parts, under the licences below. Its own is in the file LICENSE.\n\n")
	for _, l := range all {
		fmt.Fprintf(&text, "%-14s %s %s\n", l.kind, l.Path, l.Version)
	}
	for _, l := range all {
		fmt.Fprintf(&text, "\n%s\n%s %s\n\n%s\n", strings.Repeat("=", 72), l.Path, l.Version, strings.Join(l.texts, "\n\n"))
	}
	_, err := io.WriteString(out, text.String())
	return err
}
