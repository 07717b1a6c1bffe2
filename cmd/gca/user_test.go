package main

import (
	"fmt"
	"testing"

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
// laptop, $ADMIN_TOKEN.
func TestUserScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/user", RequireExplicitExec: true, Setup: func(env *testscript.Env) error {
		a := clienttest.Start(scriptTB{env.T(), env})
		for name, value := range map[string]string{
			"HOME": env.WorkDir + "/home", "XDG_CONFIG_HOME": "", "URL": a.URL, "TOKEN": clienttest.Token, "ADMIN_TOKEN": clienttest.AdminToken,
		} {
			env.Setenv(name, value)
		}
		return nil
	}})
}
