package main

import (
	"bytes"
	"strings"
	"testing"
)

// Who brought archives to the laptop is told that those are not on the server.
func TestTellNoBackups(t *testing.T) {
	var out bytes.Buffer
	err := tellNoBackups(&streams{err: renamed{&out, "root@vps"}})
	if err != nil || !strings.HasSuffix(out.String(), " on the server yet; what gca backup fetched is in the folder where it was run\n") {
		t.Errorf("got %q, %v", &out, err)
	}
}
