package client

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestProfiles(t *testing.T) {
	p := &Profiles{}
	if _, err := p.Get(""); !errors.Is(err, ErrNoProfile) {
		t.Errorf("before: got %v", err)
	}
	tokyo, osaka := Profile{URL: "https://t", Host: "root@t"}, Profile{URL: "https://o"}
	if err := errors.Join(p.Put("tokyo", tokyo), p.Put("osaka", osaka)); err != nil {
		t.Fatal(err)
	}
	is := func(name string, want Profile) {
		t.Helper()
		if got, err := p.Get(name); got != want || err != nil {
			t.Errorf("%q: got %+v, %v", name, got, err)
		}
	}
	is("", osaka) // the last one
	is("tokyo", tokyo)
	if _, err := p.Get("kyoto"); err == nil || !strings.Contains(err.Error(), "there are: osaka, tokyo\nhint: ") {
		t.Errorf("got %v", err)
	}
	if err := p.SetDefault("tokyo"); err != nil {
		t.Error(err)
	}
	is("", tokyo)
	if p.OfHost("root@t") != "tokyo" || p.OfHost("root@o") != "" || !reflect.DeepEqual(p.Hosts(), []string{"root@t"}) {
		t.Errorf("hosts: %q", p.Hosts())
	}
	for _, err := range []error{p.SetDefault("kyoto"), p.Remove("kyoto"), p.Put("a b", tokyo), p.Put("-x", tokyo), p.Put("", tokyo)} {
		if err == nil {
			t.Error("no error")
		}
	}
	if err := p.Remove("tokyo"); err != nil {
		t.Error(err)
	}
	is("", osaka)
	if err := p.Remove("osaka"); err != nil || p.Default != "" {
		t.Errorf("the last one: %v, default %q", err, p.Default)
	}
}

func TestNameOf(t *testing.T) {
	for in, want := range map[string]string{"https://a.example.com": "a.example.com", "http://127.0.0.1:8000": "127.0.0.1:8000", "http://[::1]": "[::1]"} {
		if got := NameOf(in); got != want || CheckName(got) != nil {
			t.Errorf("%s: got %s", in, got)
		}
	}
}

func TestSave_forThisUserAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gca", "profiles.json")
	if p, err := Load(file); err != nil || len(p.Named) != 0 {
		t.Errorf("before: %+v, %v", p, err)
	}
	want := &Profiles{}
	if err := want.Put("h", Profile{URL: "http://h", Token: "tok", PlainHTTP: true}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Save(file, want); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Load(file)
	info, statErr := os.Stat(file)
	if err != nil || !reflect.DeepEqual(got, want) || statErr != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %+v, mode %v, errors %v %v", got, info.Mode(), err, statErr)
	}
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, error %v", entries, err)
	}
	for _, broken := range []string{"{", `{"schema":2}`} {
		if err := os.WriteFile(file, []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(file); err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "\nhint: ") {
			t.Errorf("%s: got %v", broken, err)
		}
	}
}

func TestReplace_keepsALink(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(real, []byte("old"), 0o644), os.Symlink(real, link), Replace(link, []byte("new"), 0o640)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(link)
	text, readErr := os.ReadFile(real)
	if err != nil || info.Mode()&os.ModeSymlink == 0 || readErr != nil || string(text) != "new" {
		t.Errorf("%v %v, %q %v", info.Mode(), err, text, readErr)
	}
}
