package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// testBundle gathers one of an adapter that is stopped and has keys, tokens and a webhook: none of them is in it.
func testBundle(t *testing.T, r *rig) {
	file := filepath.Join(t.TempDir(), "bundle.tar.gz")
	got := r.ok(nil, r.verb(words("bundle"), "-o", file)...)
	wantText(t, got.err, "status.txt", "doctor.json", "logs/adapter.txt", "searched for every key, token, password and webhook")
	text, err := exec.Command("tar", "-xzOf", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	wantText(t, string(text), "the service is inactive", "PRETTY_NAME=", "ALERT_WEBHOOK_URL=http", "the adapter was stopped")
	for _, secret := range append([]string{"hook-secret-path"}, goodKeys...) {
		if strings.Contains(string(text), secret) {
			t.Errorf("%s is in the bundle", secret)
		}
	}
	if again := r.run(nil, r.verb(words("bundle"), "-o", file)...); again.code == exitOK || !strings.Contains(again.err, "is there already") {
		t.Errorf("a bundle was overwritten: %d %s", again.code, again.err)
	}
	testBundleUnsettled(t, r)
	testBundleAfar(t, r)
}

// testBundleUnsettled gathers one of an adapter whose settings are gone.
func testBundleUnsettled(t *testing.T, r *rig) {
	file := filepath.Join(t.TempDir(), "bundle.tar.gz")
	r.on("mv /etc/gemini-adapter/adapter.env /root/")
	r.ok(nil, r.verb(words("bundle"), "-o", file)...)
	r.on("mv /root/adapter.env /etc/gemini-adapter/")
	text, err := exec.Command("tar", "-xzOf", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	wantText(t, string(text), "/etc/gemini-adapter/adapter.env is gone", "PRETTY_NAME=", "the service is inactive")
	for _, secret := range goodKeys {
		if strings.Contains(string(text), secret) {
			t.Errorf("%s is in the bundle", secret)
		}
	}
}

// testBundleAfar has a server send what has no end, and a link lie where the bundle is to come.
func testBundleAfar(t *testing.T, r *rig) {
	dir := t.TempDir()
	file, elsewhere := filepath.Join(dir, "bundle.tar.gz"), filepath.Join(dir, "elsewhere")
	if err := os.Symlink(elsewhere, file+".part"); err != nil {
		t.Fatal(err)
	}
	r.fails(nil, exitFailed, "hint: rm "+file+".part", r.verb(words("bundle"), "-o", file)...)
	if err := os.Remove(file + ".part"); err != nil {
		t.Fatal(err)
	}
	r.on("cd /usr/local/bin; mv gemini-manage /root/; printf '#!/bin/sh\nexec cat /dev/zero\n' >gemini-manage; chmod 755 gemini-manage")
	r.fails(nil, exitFailed, "there are more than the 67108864 bytes that are expected", r.verb(words("bundle"), "-o", file)...)
	r.on("mv /root/gemini-manage /usr/local/bin/")
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}
