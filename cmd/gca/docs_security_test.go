package main

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"testing"
)

// TestSecurityDoc: each test that docs/security.md names for a claim is there.
func TestSecurityDoc(t *testing.T) {
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	declared, err := exec.Command("grep", "-rhoE", `^func (Test|Fuzz)[A-Za-z0-9_]+\(`, "--include=*_test.go", "../..").Output()
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((Test|Fuzz)[A-Za-z0-9_]+)`").FindAllSubmatch(text, -1)
	if len(named) < 30 {
		t.Errorf("it names %d tests only", len(named))
	}
	for _, name := range named {
		if !bytes.Contains(declared, []byte("func "+string(name[1])+"(")) {
			t.Errorf("there is no %s", name[1])
		}
	}
}
