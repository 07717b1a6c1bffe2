package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// built is the static binary as users get it, made once for all tests that deploy it.
var built struct {
	once sync.Once
	dir  string
	path string
	out  []byte
	err  error
}

func TestMain(m *testing.M) {
	lab.RunHolder()
	dir, err := os.MkdirTemp("", "gca-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built.dir = dir
	testscript.Main(cleanup{m, dir}, map[string]func(){
		"gca": func() {
			os.Exit(run(context.Background(), os.Args, &streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
		},
		"gemini-manage": func() {
			os.Exit(run(context.Background(), os.Args, &streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
		},
	})
}

// cleanup removes the built binary when the tests have run.
type cleanup struct {
	m   *testing.M
	dir string
}

func (c cleanup) Run() int {
	code := c.m.Run()
	if err := os.RemoveAll(c.dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// TestScripts are the specification of the commands, as far as no server is needed.
func TestScripts(t *testing.T) {
	binary, archive := buildOnce(t), archiveOf(t, file{"etc/gemini-adapter/adapter.env", []byte("HOST=127.0.0.1\n")}, file{"etc/gemini-adapter/keys", []byte("key-one-1111\n")})
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true, Setup: func(env *testscript.Env) error {
		env.Setenv("HOME", env.WorkDir+"/home")
		env.Setenv("GCA_BINARY", binary)
		env.Setenv("ARCHIVE", archive)
		return nil
	}})
}
