package converge

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseBackend(t *testing.T) {
	f := func(text, server, tls, complaint string) {
		t.Helper()
		b, err := ParseBackend(text)
		if b != (Backend{server, tls}) || (err == nil) != (complaint == "") || err != nil && !strings.Contains(err.Error(), complaint) {
			t.Errorf("%q: %+v, %v", text, b, err)
		}
	}
	f("10.0.0.2", "10.0.0.2:80", "", "")
	f("http://10.0.0.2:8080/", "10.0.0.2:8080", "", "")
	f("http://tokyo.example.com", "tokyo.example.com:80", "", "")
	f("http://203.0.113.9", "203.0.113.9:80", "", "")
	f("tokyo.example.com", "", "", "takes its scheme: by https://NAME")
	f("tokyo:8000", "", "", "takes its scheme")
	f("203.0.113.9", "", "", "takes its scheme")
	f("[2001:db8::1]:81", "", "", "takes its scheme")
	f("::ffff:203.0.113.9", "", "", "takes its scheme")
	f("localhost:8000", "localhost:8000", "", "")
	f("127.0.0.1:8000", "127.0.0.1:8000", "", "")
	f("100.64.1.2", "100.64.1.2:80", "", "")
	f("https://tokyo.example.com", "tokyo.example.com:443", "tokyo.example.com", "")
	f("https://tokyo.example.com:8443", "tokyo.example.com:8443", "tokyo.example.com", "")
	f("[fd00::1]:81", "[fd00::1]:81", "", "")
	f("fd00::1", "[fd00::1]:80", "", "")
	f("http://[2001:db8::1]:81", "[2001:db8::1]:81", "", "")
	f("https://203.0.113.9", "", "", "certificates of names alone")
	f("https://[2001:db8::1]:443", "", "", "certificates of names alone")
	f("ftp://tokyo", "", "", "expected http or https")
	f("root@tokyo", "", "", "hint: name servers as")
	f("10.0.0.2:0", "", "", "a port from 1 to 65535")
	f("10.0.0.2:65536", "", "", "a port from 1 to 65535")
	f("fe80::1%eth0", "", "", "expected a name")
	f("tokyo; return 200", "", "", "expected a name")
	f("tokyo/v1", "", "", "expected a name")
	f("", "", "", "expected a name")
}

// No text, whatever it is, gets anything into Nginx's configuration but a name or an address, and a port.
func FuzzParseBackend(f *testing.F) {
	for _, text := range []string{"10.0.0.2", "https://tokyo.example.com:8443", "[2001:db8::1]:81", "a;b", "a\n}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := ParseBackend(text)
		if err == nil && (b.Server == "" || strings.Trim(b.Server, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]") != "" || len(b.TLS) > len(b.Server)) {
			t.Errorf("%q: %+v", text, b)
		}
	})
}

func TestRenderBalancer(t *testing.T) {
	texts := templates(t)
	golden := func(name, got string, err error) {
		t.Helper()
		file := filepath.Join("testdata", "golden", name)
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || got != string(want) {
			t.Errorf("%s: %v, differs:\n%s", name, err, difference(strings.Split(string(want), "\n"), strings.Split(got, "\n")))
		}
	}
	plain := Balancer{Backends: []Backend{{"10.0.0.2:80", ""}, {"10.0.0.3:80", ""}}, MaxBody: 50 << 20}
	got, err := plain.Render(texts)
	golden("balancer.golden", got, err)
	secure := Balancer{Backends: []Backend{{"tokyo.example.com:443", "tokyo.example.com"}, {"10.0.0.3:80", ""}, {"osaka.example.com:8443", "osaka.example.com"}},
		Certificate: "/etc/ssl/balancer.pem", MaxBody: 50 << 20}
	got, err = secure.Render(texts)
	golden("balancer-tls.golden", got, err)
	got, err = ContainerSite(texts, "10.213.94.2:8000", 50<<20)
	golden("site-container.golden", got, err)
}
