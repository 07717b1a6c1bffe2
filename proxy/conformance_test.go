package proxy

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// conformanceCases is how many cases the checklist of the protocols has. Each is a test TestE001_… to TestE140_… of this
// package, which asks a server over HTTP.
const conformanceCases = 140

var conformanceName = regexp.MustCompile(`^TestE(\d+)_\p{L}\w*$`)

// TestConformanceIsComplete: each number has one test.
func TestConformanceIsComplete(t *testing.T) {
	tests := map[int][]string{}
	for _, name := range testsHere(t) {
		if !strings.HasPrefix(name, "TestE0") && !strings.HasPrefix(name, "TestE1") {
			continue
		}
		n, ok := conformanceNumber(name)
		if !ok {
			t.Errorf("%s: expected TestE, three digits from 001 to %d, an underscore and a name", name, conformanceCases)
		}
		tests[n] = append(tests[n], name)
	}
	for n := 1; n <= conformanceCases; n++ {
		switch len(tests[n]) {
		case 0:
			t.Errorf("case %d has no test TestE%03d_…", n, n)
		case 1:
		default:
			t.Errorf("case %d has more than one test: %s", n, strings.Join(tests[n], " "))
		}
	}
}

func TestConformanceNumber(t *testing.T) {
	f := func(name string, want int, wantOK bool) {
		t.Helper()
		if n, ok := conformanceNumber(name); n != want || ok != wantOK {
			t.Errorf("%s: %d, %v", name, n, ok)
		}
	}
	f("TestE001_OneCredential", 1, true)
	f("TestE140_X", 140, true)
	f("TestE000_X", 0, false)
	f("TestE141_X", 141, false)
	f("TestE01_X", 1, false)
	f("TestE0100_X", 100, false)
	f("TestE010", 0, false)
}

// conformanceNumber is the number of the case that a test is named after.
func conformanceNumber(name string) (n int, ok bool) {
	match := conformanceName.FindStringSubmatch(name)
	if match == nil {
		return 0, false
	}
	n, err := strconv.Atoi(match[1])
	return n, err == nil && fmt.Sprintf("%03d", n) == match[1] && n >= 1 && n <= conformanceCases
}

// testsHere lists the test functions of this package's files.
func testsHere(t *testing.T) (names []string) {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				names = append(names, fn.Name.Name)
			}
		}
	}
	return names
}
