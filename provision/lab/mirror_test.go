package lab

import (
	"strings"
	"testing"
)

func TestParseArchive(t *testing.T) {
	f := func(indexes, mirror, wantSuite, wantSources string) {
		t.Helper()
		a, err := parseArchive(indexes, mirror)
		if err != nil {
			t.Error(err)
			return
		}
		if got := strings.ReplaceAll(strings.TrimSpace(a.sources("s")), "\n", " + "); a.suite != wantSuite || got != wantSources {
			t.Errorf("got suite %s, sources %s; want %s, %s", a.suite, got, wantSuite, wantSources)
		}
	}
	debian := "Debian|Debian|bookworm|https://m.example/debian\nDebian|Debian|bookworm-updates|https://m.example/debian\n" +
		"Debian|Debian-Security|bookworm-security|http://sec.example/debian-security\nOther|Other|x|http://other.example\n"
	ubuntu := "Ubuntu|Ubuntu|noble|http://u.example/ubuntu\nUbuntu|Ubuntu|noble-security|http://u.example/ubuntu\n"
	f(debian, "", "bookworm", "deb http://m.example/debian s main + deb http://m.example/debian s-updates main + deb http://sec.example/debian-security s-security main")
	f(ubuntu, "", "noble", "deb http://u.example/ubuntu s main universe + deb http://u.example/ubuntu s-updates main universe + deb http://u.example/ubuntu s-security main universe")
	f(ubuntu, "http://own.example/debian", "bookworm", "deb http://own.example/debian s main")
	f("", "http://own.example:8080/ubuntu", "bookworm", "deb http://own.example:8080/ubuntu s main universe + deb http://own.example:8080/ubuntu s-updates main universe + deb http://own.example:8080/ubuntu s-security main universe")
}

func TestParseArchiveRefuses(t *testing.T) {
	f := func(indexes, mirror, want string) {
		t.Helper()
		if _, err := parseArchive(indexes, mirror); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q, %q: got %v, want %q", indexes, mirror, err, want)
		}
	}
	f("", "", "knows no Debian or Ubuntu mirror\nhint: ")
	f("Other|Other|x|http://other.example\n", "", "knows no Debian or Ubuntu mirror")
	f("Debian|Debian|bookworm|file:///srv/debian\n", "", `package mirror "file:///srv/debian"`)
	f("", "ftp://m.example", `package mirror "ftp://m.example"`)
}

func TestOptionsValidate(t *testing.T) {
	f := func(o Options, want string) {
		t.Helper()
		err := o.validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v: got %v, want %q", o, err, want)
		}
	}
	f(Options{}, "")
	f(Options{Name: "web-1", Suite: "trixie", Mirror: "https://m.example/debian", Packages: []string{"g++", "python3.11"}}, "")
	f(Options{Name: "Web"}, `server name "Web"`)
	f(Options{Name: "-x"}, `server name "-x"`)
	f(Options{Name: strings.Repeat("a", 33)}, "server name")
	f(Options{Suite: "../x"}, `suite "../x"`)
	f(Options{Packages: []string{"nginx", "-o"}}, `package "-o"`)
	f(Options{Mirror: "m.example"}, `package mirror "m.example"`)
}
