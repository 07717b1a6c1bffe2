package converge

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func findingIDs(found []Finding) []string {
	var names []string
	for _, f := range found {
		names = append(names, string(f.Level)+" "+f.ID)
		if f.What == "" || f.Means == "" || f.Cure == "" {
			names = append(names, "a finding without all that it has to say: "+f.Text())
		}
	}
	return names
}

// A server that is well gives nothing, however odd it is; each thing that is not gives one finding.
func TestExamine(t *testing.T) {
	f := func(name string, change func(*Facts), want ...string) {
		t.Helper()
		facts := freshFacts()
		facts.Hardware.DiskTotal = 25 << 30
		facts.Hardware.Inodes, facts.Hardware.VarInodes = Inodes{1 << 20, 1 << 19}, Inodes{1 << 20, 1 << 19}
		change(&facts)
		if got := findingIDs(examine(facts)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	f("well", func(*Facts) {})
	f("a gigabyte as it is sold", func(f *Facts) { f.Hardware.Memory = 950 << 20 })
	f("a disk of 20 as it is sold", func(f *Facts) { f.Hardware.DiskTotal = 19 << 30 })
	f("without a limit on files", func(f *Facts) { f.Hardware.Inodes = Inodes{} })
	f("nginx on 443", func(f *Facts) {
		f.Listeners = append(f.Listeners, Listener{Port: 443, Program: "nginx", Address: "::"})
	})
	f("a firewall of its own", func(f *Facts) { f.Firewall = Firewall{UFW: UFWAbsent, Other: "nftables (table inet filter)"} })
	f("half a gigabyte", func(f *Facts) { f.Hardware.Memory = 480 << 20 }, "warn memory")
	f("half a core", func(f *Facts) { f.Hardware.Cores = 0.5 }, "warn cpu")
	f("a disk of 10", func(f *Facts) { f.Hardware.DiskTotal = 10 << 30 }, "warn disk")
	f("small, and in use", func(f *Facts) {
		f.Hardware.DiskTotal, f.Paths = 10<<30, map[string]PathState{currentLink: {Kind: PathLink}}
	})
	f("a full disk", func(f *Facts) { f.Hardware.VarFree = 100 << 20 }, "warn disk-free")
	f("no room for files", func(f *Facts) { f.Hardware.VarInodes.Free = 1000 }, "warn inodes")
	f("apt at work", func(f *Facts) { f.AptHolder = "unattended-upgr (pid 9)" }, "warn packages")
	f("dpkg half-way", func(f *Facts) { f.Dpkg.Unfinished = []string{"nginx"} }, "warn dpkg")
	f("another web server", func(f *Facts) {
		f.Listeners = append(f.Listeners, Listener{Port: 443, Program: "caddy", Address: "::", PID: 7})
	}, "warn port-443")
	t.Run("trap14 published by docker", func(*testing.T) {
		f("docker", func(f *Facts) {
			f.Listeners = append(f.Listeners, Listener{Port: 8080, Address: "0.0.0.0", Program: "docker-proxy"},
				Listener{Port: 9090, Address: "127.0.0.1", Program: "docker-proxy"})
		}, "warn docker")
	})
	t.Run("trap20 SELinux", func(*testing.T) { f("enforced", func(f *Facts) { f.SELinux = true }, "warn selinux") })
	f("after an update", func(f *Facts) { f.Reboot = true }, "warn reboot")
}

func TestDiff_noInodes(t *testing.T) {
	facts := freshFacts()
	facts.Hardware.Inodes = Inodes{100000, 900}
	if _, err := Diff(facts, testWant(t), readTestSettings); err == nil || !strings.Contains(err.Error(), "room for 900 more files") {
		t.Errorf("%v", err)
	}
}

func TestCoresOf(t *testing.T) {
	for text, want := range map[string]float64{"max 100000\n": 0, "50000 100000\n": 0.5, "400000 100000": 4, "": 0, "x y": 0, "1 0": 0} {
		if got := coresOf(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// Without a key it is enough that an answer comes; a region that Google refuses is named before anything is done.
func TestReach(t *testing.T) {
	answer := func(status int, body string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v1beta/models" {
				t.Errorf("asked for %s", r.URL)
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	f := func(exits []Exit, want ...string) {
		t.Helper()
		if got := findingIDs(reach(t.Context(), exits)); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	good := Exit{BaseURL: answer(http.StatusForbidden, `{"error":{"status":"PERMISSION_DENIED"}}`)}
	barred := Exit{BaseURL: answer(http.StatusBadRequest, `{"error":{"message":"User location is not supported for the API use."}}`)}
	f(nil)
	f([]Exit{good})
	f([]Exit{barred}, "refuse region")
	f([]Exit{barred, good}, "warn region")
	f([]Exit{{BaseURL: "http://127.0.0.1:1"}}, "warn egress")
	f([]Exit{{BaseURL: "http://no-such-name.invalid"}}, "warn dns")
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed, with the key %q", r.Header.Get("x-goog-api-key"))
	}))
	t.Cleanup(elsewhere.Close)
	portal := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	t.Cleanup(portal.Close)
	f([]Exit{{BaseURL: portal.URL, Key: NewSecret("AIzaSyTest1")}})
	f([]Exit{{BaseURL: good.BaseURL, Proxy: NewSecret("http://user:secret@127.0.0.1:1")}}, "warn egress")
	for _, found := range reach(t.Context(), []Exit{{BaseURL: good.BaseURL, Proxy: NewSecret("http://user:secret@127.0.0.1:1")}}) {
		if strings.Contains(found.Text(), "secret") || !strings.Contains(found.What, "through the proxy 127.0.0.1:1") {
			t.Errorf("%s", found.Text())
		}
	}
}

func TestSkew_trap37(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f := func(server time.Time, matters bool, words string) {
		t.Helper()
		ahead, got := Skew(server, now)
		if got != matters || got && !strings.Contains(ClockFinding(ahead).What, words) {
			t.Errorf("%s: %v, %v", server, ahead, got)
		}
	}
	f(now.Add(time.Minute), false, "")
	f(now.Add(-59*time.Second), false, "")
	f(time.Time{}, false, "")
	f(now.Add(90*time.Minute), true, "1h30m ahead of the one here")
	f(now.Add(-65*time.Hour), true, "65h0m behind the one here")
}

// What keeps a deploy from beginning is told all at once to who asks.
func TestDoctor(t *testing.T) {
	m := newMachine(t)
	found, err := m.agent().diagnose(t.Context(), &m.sys.reader, m.want(""))
	m.must(err)
	for _, f := range found {
		if f.Level != LevelWarn {
			t.Errorf("a bare server: %+v", f)
		}
	}
	m.put("/etc/os-release", "ID=rocky\nPRETTY_NAME=\"Rocky 9\"\n")
	m.put("/proc/1/comm", "init\n")
	before := m.tree()
	found, err = m.agent().diagnose(t.Context(), &m.sys.reader, m.want(""))
	m.must(err)
	got := findingIDs(found)
	if len(got) < 2 || got[0] != "refuse os" || got[1] != "refuse os" {
		t.Errorf("%q", got)
	}
	m.same(before, "a look")
}
