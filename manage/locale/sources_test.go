package locale

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// texts are the formats that the code shows to people, with the places where they stand.
type texts struct {
	fset  *token.FileSet
	found map[string]string
	all   map[string]bool // every format, shown or not
}

func newTexts() *texts { return &texts{token.NewFileSet(), map[string]string{}, map[string]bool{}} }

// places say which arguments of which calls are shown: by the folder, the function's name, and how many arguments it takes at least.
var places = []struct {
	folder, call string
	least        int
	args         []int
}{
	{"cmd/gca", "Say", 1, []int{0}},
	{"cmd/gca", "confirm", 2, []int{0}},
	{"cmd/gca", "choose", 3, []int{0}},
	{"cmd/gca", "text", 2, []int{0}},
	{"cmd/gca", "secret", 1, []int{0}},
	{"cmd/gca", "keys", 1, []int{0}},
	{"cmd/gca", "pick", 2, []int{0}},
	{"cmd/gca", "bytes", 1, []int{0}},
	{"cmd/gca", "agreed", 3, []int{2}},
	{"cmd/gca", "say", 1, []int{0}},
	{"cmd/gca", "plain", 2, []int{1}},
	{"manage/client", "found", 2, []int{0, 1}},
	{"manage/client", "broken", 2, []int{0, 1}},
	{"manage", "Say", 1, []int{0}},
	{"manage", "line", 2, []int{0, 1}},
	{"manage", "problem", 2, []int{0, 1}},
	{"provision", "Warn", 1, []int{0}},
	{"provision/converge", "step", 4, []int{2}},
	{"provision/converge", "remark", 1, []int{0}},
	{"provision/converge", "warning", 4, []int{1, 2, 3}},
	{"provision/converge", "failure", 4, []int{1, 2, 3}},
	{"provision/converge", "refuse", 3, []int{1, 2}},
}

// scan reads the Go files of a folder, tests left out.
func (x *texts) scan(t *testing.T, folder string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", folder, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", folder, len(files), err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(x.fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok {
				x.all[formatOf(e)] = true
			}
			return true
		})
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Body != nil {
					x.function(folder, d)
				}
			case *ast.GenDecl:
				x.constants(d)
			}
		}
	}
}

// constants takes the names of a deploy's groups, of hops, and the titles that are constants.
func (x *texts) constants(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		value, ok := spec.(*ast.ValueSpec)
		if !ok || d.Tok != token.CONST || len(value.Values) != len(value.Names) {
			continue
		}
		for i, name := range value.Names {
			if shownConstant.MatchString(name.Name) {
				x.add(value.Values[i], nil)
			}
		}
	}
}

var shownConstant = regexp.MustCompile(`^(Group|Hop|title)[A-Z]|^reinstall$`)

// function finds the texts of one function.
func (x *texts) function(folder string, f *ast.FuncDecl) {
	local := assignments(f)
	ast.Inspect(f.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			x.call(folder, n, local)
		case *ast.CompositeLit:
			x.literal(folder, n, local)
		case *ast.ReturnStmt:
			if f.Name.Name == "title" || folder == "manage/client" && of(f, "Who") && f.Name.Name == "String" {
				x.add(n.Results[0], local)
			}
		case *ast.AssignStmt:
			x.assigned(folder, n, local)
		}
		return true
	})
}

// of reports whether f is a method of a type itself.
func of(f *ast.FuncDecl, receiver string) bool {
	return f.Recv != nil && nameOf(f.Recv.List[0].Type) == receiver
}

// assigned takes what an error of the client's is given after it was made.
func (x *texts) assigned(folder string, a *ast.AssignStmt, local map[string][]ast.Expr) {
	if folder != "manage/client" || len(a.Lhs) != len(a.Rhs) {
		return
	}
	for i, left := range a.Lhs {
		if field, ok := left.(*ast.SelectorExpr); ok && slices.Contains([]string{"Message", "Hint"}, field.Sel.Name) {
			x.add(a.Rhs[i], local)
		}
	}
}

func (x *texts) call(folder string, call *ast.CallExpr, local map[string][]ast.Expr) {
	name := nameOf(call.Fun)
	for _, p := range places {
		if p.folder == folder && p.call == name && len(call.Args) >= p.least {
			for _, i := range p.args {
				x.add(call.Args[i], local)
			}
		}
	}
	if name == "add" && folder == "provision/converge" {
		x.added(call.Args, local)
	}
	if name == "append" {
		for _, more := range call.Args[1:] {
			if nameOf(call.Args[0]) == "notes" {
				x.add(more, local)
			}
		}
	}
	if name == "Count" && len(call.Args) == 2 {
		if noun := formatOf(call.Args[1]); !strings.ContainsAny(noun, "%\n") {
			x.found["%d "+noun+"s"] = x.fset.Position(call.Pos()).String()
		}
	}
}

// added tells apart what is added to a plan (kind, name, title, step), to obstacles (kind, hint, format, values), and to what a
// look finds (when, id, what, means, cure).
func (x *texts) added(args []ast.Expr, local map[string][]ast.Expr) {
	shown := args[len(args):]
	switch first := nameOf(args[0]); {
	case strings.HasPrefix(first, "Kind") && len(args) == 4:
		shown = args[2:3]
	case strings.HasPrefix(first, "Refused"):
		shown = args[1:3]
	case len(args) == 5:
		shown = args[2:]
	}
	for _, e := range shown {
		x.add(e, local)
	}
}

// literal takes the texts of a converge.Finding, of the error that a deploy ends with, and of the hop that broke.
func (x *texts) literal(folder string, lit *ast.CompositeLit, local map[string][]ast.Expr) {
	name := nameOf(lit.Type)
	for i, e := range lit.Elts {
		pair, keyed := e.(*ast.KeyValueExpr)
		switch {
		case name == "Finding" && !keyed && i >= 2, (name == "Problem" || name == "Trouble") && !keyed:
			x.add(e, local)
		case keyed && (name == "Finding" || name == "Error" && slices.Contains([]string{"provision", "manage/client"}, folder)) && slices.Contains([]string{"What", "Means", "Cure", "Message", "Hint"}, nameOf(pair.Key)):
			x.add(pair.Value, local)
		}
	}
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// assignments are what a function's variables may be.
func assignments(f *ast.FuncDecl) map[string][]ast.Expr {
	all := map[string][]ast.Expr{}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok && len(a.Lhs) == len(a.Rhs) {
			for i, left := range a.Lhs {
				if name := nameOf(left); name != "" {
					all[name] = append(all[name], a.Rhs[i])
				}
			}
		}
		return true
	})
	return all
}

// add takes down the formats that e may be.
func (x *texts) add(e ast.Expr, local map[string][]ast.Expr) {
	if id, ok := e.(*ast.Ident); ok {
		for _, value := range local[id.Name] {
			if inner, ok := value.(*ast.Ident); !ok || inner.Name != id.Name {
				x.add(value, nil)
			}
		}
		return
	}
	if format := formatOf(e); strings.ContainsFunc(verb.ReplaceAllString(format, ""), isLetter) {
		x.found[format] = x.fset.Position(e.Pos()).String()
	}
}

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' }

// formatOf is the format of an expression: what it adds to its own texts is %s.
func formatOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil {
			return text
		}
	case *ast.BinaryExpr:
		return formatOf(e.X) + formatOf(e.Y)
	case *ast.ParenExpr:
		return formatOf(e.X)
	case *ast.CallExpr:
		if nameOf(e.Fun) == "Sprintf" || nameOf(e.Fun) == "Errorf" {
			return formatOf(e.Args[0])
		}
	}
	return "%s"
}
