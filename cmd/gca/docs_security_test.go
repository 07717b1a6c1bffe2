package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestSecurityDoc: each test that a page names is there, and docs/security.md names one for most of its claims.
func TestSecurityDoc(t *testing.T) {
	declared, err := exec.Command("grep", "-rhoE", `^func (Test|Fuzz|Benchmark)[A-Za-z0-9_]+\(`, "--include=*_test.go", "../..").Output()
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("../../docs/*.md")
	top, topErr := filepath.Glob("../../*.md")
	if err != nil || topErr != nil || len(pages) < 10 {
		t.Fatalf("%q, %v, %v", pages, err, topErr)
	}
	named := regexp.MustCompile("`((Test|Fuzz|Benchmark)[A-Za-z0-9_]+)[`/$]")
	for _, page := range append(pages, top...) {
		names := named.FindAllStringSubmatch(readText(t, page), -1)
		if filepath.Base(page) == "security.md" && len(names) < 50 {
			t.Errorf("docs/security.md names %d tests only", len(names))
		}
		for _, name := range names {
			if !bytes.Contains(declared, []byte("func "+name[1]+"(")) && !bytes.Contains(declared, []byte("func "+name[1]+"_")) { // -run takes it
				t.Errorf("%s: there is no %s", page, name[1])
			}
		}
	}
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
