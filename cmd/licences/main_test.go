package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every module that is linked on any system has a licence that was looked at, and its text is in what a release carries.
func TestLicences(t *testing.T) {
	all, err := collect()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := write(&out, all); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"BSD-3-Clause   the Go standard library go1.", "MIT            github.com/Microsoft/go-winio v", // linked on Windows alone
		"Copyright (c) 2009 The Go Authors", "\nApache-2.0     github.com/spf13/cobra v",
	} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("there is no %q", part)
		}
	}
}

func TestRead(t *testing.T) {
	f := func(file, text, kind, complaint string) {
		t.Helper()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := read(module{Path: "example.com/m", Version: "v1.0.0", Dir: dir})
		if l.kind != kind || (err == nil) != (complaint == "") || err != nil && !strings.Contains(err.Error(), complaint) {
			t.Errorf("%s: %q, %v", file, l.kind, err)
		}
	}
	f("LICENSE", "Permission is hereby granted,\n  free of charge, to any person obtaining a copy", "MIT", "")
	f("LICENCE.txt", "Apache License\n   Version 2.0, January 2004", "Apache-2.0", "")
	f("COPYING", "GNU AFFERO GENERAL PUBLIC LICENSE", "", "example.com/m v1.0.0 has no licence that is known here")
	f("main.go", "Permission is hereby granted, free of charge, to any person obtaining a copy", "", "no licence")
}
