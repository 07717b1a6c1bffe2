package export

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/payload"
)

// container is one with the real templates and a small Linux program for a binary.
func container(t *testing.T) Container {
	t.Helper()
	c := Container{Templates: map[string]string{}, Port: 8000, MaxBody: 50 << 20, Drain: 600, Compose: true}
	for _, dir := range []string{"../../templates", "../../templates/export"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.tmpl"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			c.Templates[filepath.Base(file)] = read(t, file)
		}
	}
	// The header of a 64-bit ELF file for x86-64, which is all that is looked at.
	header := make([]byte, 64)
	copy(header, "\x7fELF\x02\x01\x01")
	header[16], header[18], header[20], header[52], header[54] = 2, 62, 1, 64, 56
	binary := filepath.Join(t.TempDir(), "gca")
	if err := os.WriteFile(binary, header, 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if c.Binaries, err = payload.All(binary); err != nil {
		t.Fatal(err)
	}
	return c
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWrite(t *testing.T) {
	c, dir := container(t), filepath.Join(t.TempDir(), "a", "b")
	first, err := c.Write(dir)
	want := []string{"gca-linux-amd64", "Dockerfile", ".dockerignore", "compose.yaml", "nginx.conf", "adapter.env"}
	if err != nil || first.Kept || !slices.Equal(first.Files, want) || !slices.Equal(first.Binaries, []string{"amd64"}) {
		t.Fatalf("%+v, %v", first, err)
	}
	for name, mode := range map[string]os.FileMode{"gca-linux-amd64": 0o755, "Dockerfile": 0o644, "adapter.env": 0o600, "state": os.ModeDir | 0o700} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	compose := read(t, filepath.Join(dir, "compose.yaml"))
	for _, line := range []string{"stop_grace_period: 610s", "ipv4_address: 10.213.94.2", "subnet: 10.213.94.0/29", "env_file: adapter.env", "cap_drop: [ALL]"} {
		if !strings.Contains(compose, line) {
			t.Errorf("compose.yaml has no %q", line)
		}
	}
	if site := read(t, filepath.Join(dir, "nginx.conf")); !strings.Contains(site, "server 10.213.94.2:8000 ") || strings.Contains(site, "[::]") {
		t.Errorf("nginx.conf is\n%s", site)
	}
}

// What a person wrote into the settings is theirs; each folder has tokens of its own.
func TestWrite_again(t *testing.T) {
	c, one, two := container(t), t.TempDir(), t.TempDir()
	c.Keys, c.Compose = "key-one,key-two", false
	for _, dir := range []string{one, two} {
		if _, err := c.Write(dir); err != nil {
			t.Fatal(err)
		}
	}
	settings := filepath.Join(one, SettingsFile)
	before := read(t, settings)
	if !strings.Contains(before, "\nGEMINI_API_KEYS=key-one,key-two\n") || strings.Count(before, "=gca-") != 2 || before == read(t, filepath.Join(two, SettingsFile)) {
		t.Errorf("the settings are\n%s", before)
	}
	if err := os.WriteFile(filepath.Join(one, "Dockerfile"), []byte("FROM elsewhere"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Keys = "other-key"
	again, err := c.Write(one)
	if err != nil || !again.Kept || slices.Contains(again.Files, SettingsFile) || read(t, settings) != before {
		t.Errorf("%+v, %v, and the settings are\n%s", again, err, read(t, settings))
	}
	if !strings.Contains(read(t, filepath.Join(one, "Dockerfile")), "FROM scratch") {
		t.Error("the Dockerfile is the old one")
	}
	if _, err := os.Stat(filepath.Join(one, "compose.yaml")); err == nil {
		t.Error("there is a compose.yaml that nobody asked for")
	}
	if left, err := filepath.Glob(filepath.Join(one, ".gca-*")); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}

func TestWrite_cannot(t *testing.T) {
	c := container(t)
	if _, err := c.Write("/dev/null/here"); err == nil || !strings.Contains(err.Error(), "cannot make the folder") {
		t.Error(err)
	}
	c.Binaries = nil
	dir := filepath.Join(t.TempDir(), "none")
	if _, err := c.Write(dir); err == nil || !strings.Contains(err.Error(), "hint: ") {
		t.Error(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("it left a folder")
	}
}
