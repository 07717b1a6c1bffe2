package main

import (
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// The server's name is the whole machine's: one that another folder's demo made, or nobody's, is not taken down.
func TestOwned(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	ours := &lab.Server{Name: serverName, HostKeys: []lab.HostKey{{Line: "ssh-ed25519 AAAA", Fingerprint: "SHA256:ours"}}}
	later := &lab.Server{Name: serverName, HostKeys: []lab.HostKey{{Line: "ssh-ed25519 BBBB", Fingerprint: "SHA256:later"}}}
	f := func(dir string, s *lab.Server, want bool) {
		t.Helper()
		err := owned(dir, s)
		if want != (err == nil) || err != nil && !strings.Contains(err.Error(), "was not made by a demo in "+dir+"\nhint: make demo-down") {
			t.Errorf("%v of %s: %v", s.HostKeys, dir, err)
		}
	}
	f(dir, ours, false)
	if err := claim(dir, ours); err != nil {
		t.Fatal(err)
	}
	f(dir, ours, true)
	f(dir, later, false)
	f(other, ours, false)
	ours.HostKeys = nil
	f(dir, ours, false)
}
