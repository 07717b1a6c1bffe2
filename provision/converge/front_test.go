package converge

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A plan is made by who has no means to write: the compiler holds it.
var _ func(Agent, context.Context, *reader, Want) PlanMessage = Agent.show

// Who makes a writer is known by name, and none of these is on the way to a plan that is only shown: the front does it once the
// laptop has said that it means to deploy; Lock writes the lock alone, and PendingUpdates
// has apt fetch its lists.
func TestWriter_MadeBy(t *testing.T) {
	var makers []string
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			ast.Inspect(decl, func(n ast.Node) bool {
				var made ast.Expr
				switch n := n.(type) {
				case *ast.CallExpr:
					made = n.Fun
				case *ast.CompositeLit:
					made = n.Type
				}
				if id, ok := made.(*ast.Ident); ok && slices.Contains([]string{"writer", "newSystem", "system"}, id.Name) {
					makers = append(makers, decl.(*ast.FuncDecl).Name.Name+" "+id.Name)
				}
				return true
			})
		}
	}
	slices.Sort(makers)
	want := []string{"DeadMan newSystem", "Destroy newSystem", "InstallUpdates newSystem", "Local newSystem", "Lock newSystem", "PendingUpdates newSystem", "Renew newSystem", "Restart newSystem", "Stop newSystem", "Work newSystem", "front writer", "leaveUnwanted writer", "newSystem writer", "writer system"}
	if !slices.Equal(makers, want) {
		t.Errorf("writers are made by %q, want %q", makers, want)
	}
}

// whole is everything under root, the lock, the run folder and the times of change too.
func (m *machine) whole() []string {
	m.Helper()
	lines := m.tree()
	for _, path := range []string{"/", "/run", "/etc", "/var/lib", "/opt", LockFile, runDir, gcaDir} {
		info, err := os.Lstat(m.sys.at(path))
		if err == nil {
			lines = append(lines, path+" "+info.ModTime().String())
		}
	}
	return lines
}

// A plan that is only shown changes nothing, wherever the server stands.
func TestAgent_PlanMode(t *testing.T) {
	m := newMachine(t)
	f := func(name, keys string, steps bool, notes ...string) {
		t.Helper()
		before := m.whole()
		c, laptop, ended := m.dial()
		want := m.want(keys)
		want.Mode = ModePlan
		m.must(c.SendWant(want))
		plan, err := c.Plan()
		m.must(errors.Join(err, <-ended, laptop.Close())) // the agent ends by itself
		if (len(plan.Steps) > 0) != steps {
			t.Errorf("%s: %d steps", name, len(plan.Steps))
		}
		for _, note := range []string{"a deploy is at work", "waits to be finished", "died half-way"} {
			told := slices.ContainsFunc(plan.Notes, func(n string) bool { return strings.Contains(n, note) })
			if told != slices.Contains(notes, note) {
				t.Errorf("%s: notes %q", name, plan.Notes)
			}
		}
		if after := m.whole(); !slices.Equal(before, after) {
			t.Errorf("trap42 %s:\n%s", name, difference(before, after))
		}
	}
	f("fresh", "AIzaSyTest1", true)
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	f("deployed", "", false)
	f("new keys", "AIzaSyTest2", true)

	c, laptop, ended := m.dial()
	m.must(c.SendWant(m.want("AIzaSyTest2")))
	_, err = c.Plan()
	m.must(err)
	_, err = c.Apply(Events{})
	m.must(err)
	f("beside a deploy", "", false, "a deploy is at work")
	m.must(errors.Join(laptop.Close(), <-ended))
	m.letGo()
	f("beside a deploy whose laptop died", "", false, "waits to be finished")
	c, laptop, ended = m.dial()
	_, err = c.Attach()
	m.must(err)
	_, err = c.Follow(Events{})
	m.must(err)
	m.must(c.Rollback("no"))
	m.back(c.RolledBack(), "no")
	m.must(errors.Join(laptop.Close(), <-ended, m.lastWorker()))

	journal, err := openJournal(m.sys)
	m.must(errors.Join(err, journal.close()))
	f("after a death", "", false, "died half-way")
}

func TestParseConnection(t *testing.T) {
	f := func(text, client string, port int) {
		t.Helper()
		if c, p := parseConnection(text); c != client || p != port {
			t.Errorf("%q: %q, %d", text, c, p)
		}
	}
	f("203.0.113.9 50000 192.0.2.1 2222", "203.0.113.9", 2222)
	f("2001:db8::9 50000 2001:db8::1 22", "2001:db8::9", 22)
	f("fe80::9%eth0 50000 fe80::1%eth0 22", "fe80::9", 22)
	f("", "", 0)
	f("203.0.113.9 50000 192.0.2.1", "", 0)
	f("UNKNOWN 65535 UNKNOWN 65535", "", 65535)
	f("203.0.113.9 1 192.0.2.1 65536", "203.0.113.9", 0)
}

// What the want says itself counts; the rest the agent fills in.
func TestAgent_Complete(t *testing.T) {
	a := Agent{Connection: "203.0.113.9 50000 192.0.2.1 2222"}
	if w := a.complete(newReader(t.TempDir()), Want{}); w.Client != "203.0.113.9" || w.SSHPort != 2222 {
		t.Errorf("%+v", w)
	}
	if w := a.complete(newReader(t.TempDir()), Want{Client: "203.0.113.10", SSHPort: 22}); w.Client != "203.0.113.10" || w.SSHPort != 22 {
		t.Errorf("%+v", w)
	}
}

// Of two laptops whose persons said yes, the second is told at once whose deploy is at work.
func TestAgent_TwoAtTheQuestion(t *testing.T) {
	m := newMachine(t)
	first, firstStream, firstEnded := m.dial()
	second, stream, ended := m.startAs(Agent{Version: "1.2.3", SHA256: m.sum, ReadSettings: readTestSettings})
	_, err := second.Hello()
	m.must(err)
	for _, c := range []*Client{first, second} {
		m.must(c.SendWant(m.want("AIzaSyTest1")))
		_, err := c.Plan()
		m.must(err)
	}
	_, err = first.Apply(Events{})
	m.must(err)
	_, err = second.Apply(Events{})
	if r, ok := errors.AsType[*Refusal](err); !ok || r.Kind != RefusedLocked || !strings.Contains(r.Message, "from 203.0.113.9") {
		t.Errorf("%v", err)
	}
	m.must(errors.Join(stream.Close(), <-ended))
	m.must(first.Proven())
	_, err = first.Commit()
	m.must(errors.Join(err, firstStream.Close(), <-firstEnded, m.lastWorker()))
}
