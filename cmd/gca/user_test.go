package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gemini-claude-adapter/gca/manage/client/clienttest"
)

// scriptTB lets a script own what it starts.
type scriptTB struct {
	testscript.T
	env *testscript.Env
}

func (s scriptTB) Helper()                           {}
func (s scriptTB) Cleanup(f func())                  { s.env.Defer(f) }
func (s scriptTB) Fatalf(format string, args ...any) { s.Fatal(fmt.Sprintf(format, args...)) }
func (s scriptTB) Errorf(format string, args ...any) { s.Fatal(fmt.Sprintf(format, args...)) }

// TestUserScripts are the specification of the user's commands. Each script has an adapter of its own: $URL, $TOKEN of the client
// laptop, $ADMIN_TOKEN, and $ADAPTER_PORT.
func TestUserScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/user", RequireExplicitExec: true, Cmds: map[string]func(*testscript.TestScript, bool, []string){"until": until}, Setup: func(env *testscript.Env) error {
		a := clienttest.Start(scriptTB{env.T(), env})
		for name, value := range map[string]string{
			"HOME": env.WorkDir + "/home", "XDG_CONFIG_HOME": "", "URL": a.URL, "TOKEN": clienttest.Token, "ADMIN_TOKEN": clienttest.AdminToken,
			"ADAPTER_PORT": a.URL[strings.LastIndex(a.URL, ":")+1:],
		} {
			env.Setenv(name, value)
		}
		return nil
	}})
}

// until runs a command again and again until its standard output has the words: until WORDS COMMAND….
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until WORDS COMMAND…")
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if err := ts.Exec(args[1], args[2:]...); err != nil {
			ts.Fatalf("%v", err)
		}
		if strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("it never printed %q", args[0])
		}
	}
}
