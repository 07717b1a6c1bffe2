package converge

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// templates are the real ones.
func templates(t testing.TB) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, name := range TemplateNames() {
		text, err := os.ReadFile(filepath.Join("..", "..", "templates", name))
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	return texts
}

func TestRender(t *testing.T) {
	texts := templates(t)
	f := func(golden, name string, facts Facts, settings Settings) {
		t.Helper()
		v := newView(facts, Want{Client: "203.0.113.9"}, settings)
		v.Handover = strings.HasPrefix(golden, "handover-")
		got, err := render(name, texts[name], v)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", "golden", golden)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs:\n%s", golden, difference(strings.Split(string(want), "\n"), strings.Split(got, "\n")))
		}
	}
	usual := Settings{Port: 8000, MaxBody: 50 << 20, DrainTimeout: 600 * time.Second}
	other := Settings{Port: 9000, MaxBody: 1_000_000, DrainTimeout: 30 * time.Second}
	f("service-245.golden", TemplateService, Facts{Systemd: 245}, usual)
	f("service-249.golden", TemplateService, Facts{Systemd: 249, Credentials: true}, usual)
	f("service-252.golden", TemplateService, Facts{Systemd: 252, Credentials: true}, other)
	f("service-257-container.golden", TemplateService, Facts{Systemd: 257}, usual)
	f("handover-252.golden", TemplateService, Facts{Systemd: 252, Credentials: true}, usual)
	f("handover-257-container.golden", TemplateService, Facts{Systemd: 257}, other)
	f("socket.golden", TemplateSocket, Facts{}, usual)
	f("socket-9000.golden", TemplateSocket, Facts{}, other)
	f("site.golden", TemplateSite, Facts{IPv6: true}, usual)
	f("site-1.18.golden", TemplateSite, Facts{IPv6: true, Nginx: NginxVersion{1, 18, 0}}, usual)
	f("site-1.22.golden", TemplateSite, Facts{IPv6: true, Nginx: NginxVersion{1, 22, 1}}, usual)
	f("site-1.26.golden", TemplateSite, Facts{IPv6: true, Nginx: NginxVersion{1, 26, 3}}, usual)
	named, numbered := usual, other
	named.TLSName, numbered.TLSName = "adapter.example.com", "2001:db8::9"
	f("site-tls-1.18.golden", TemplateSite, Facts{IPv6: true, Nginx: NginxVersion{1, 18, 0}}, named)
	f("site-tls-1.26.golden", TemplateSite, Facts{IPv6: true, Nginx: NginxVersion{1, 26, 3}}, named)
	f("site-tls-address.golden", TemplateSite, Facts{Nginx: NginxVersion{1, 22, 1}}, numbered)
	f("cert-service.golden", TemplateCertService, Facts{}, named)
	f("cert-timer-245.golden", TemplateCertTimer, Facts{Systemd: 245}, named)
	f("cert-timer-252.golden", TemplateCertTimer, Facts{Systemd: 252}, named)
	f("backup-service.golden", TemplateBackupService, Facts{}, usual)
	f("backup-timer-245.golden", TemplateBackupTimer, Facts{Systemd: 245}, usual)
	f("backup-timer-252.golden", TemplateBackupTimer, Facts{Systemd: 252}, usual)
	f("alerts-service.golden", TemplateAlertsService, Facts{}, usual)
	f("alerts-timer.golden", TemplateAlertsTimer, Facts{}, usual)
	f("site-9000-ipv4.golden", TemplateSite, Facts{}, other)
	f("main.golden", TemplateMain, Facts{Hardware: Hardware{OpenFiles: 1 << 20}}, usual)
	f("main-container.golden", TemplateMain, Facts{Hardware: Hardware{OpenFiles: 4096}}, other)
	own := Facts{Hardware: Hardware{OpenFiles: 1 << 20}, Paths: map[string]PathState{
		nginxConf: {Kind: PathFile, Content: []byte("worker_rlimit_nofile 9;\n\tworker_shutdown_timeout 1m;\n")},
	}}
	f("main-own.golden", TemplateMain, own, usual)
	f("nginx-unit.golden", TemplateNginxUnit, Facts{Hardware: Hardware{OpenFiles: 1 << 20}}, usual)
	f("nginx-unit-container.golden", TemplateNginxUnit, Facts{Hardware: Hardware{OpenFiles: 20000}}, usual)
	f("sysctl.golden", TemplateSysctl, Facts{Sysctls: stockSysctls()}, usual)
	container := stockSysctls()
	delete(container, "net.core.default_qdisc")
	container["vm.swappiness"] = Sysctl{Value: "60"}
	container["net.ipv4.tcp_fin_timeout"] = Sysctl{Value: "60", Writable: true, Owner: "/etc/sysctl.d/99-mine.conf"}
	f("sysctl-container.golden", TemplateSysctl, Facts{Sysctls: container}, usual)
	f("limits.golden", TemplateLimits, Facts{}, usual)
	f("journald.golden", TemplateJournald, Facts{}, usual)
	f("apt.golden", TemplateApt, Facts{}, usual)
	f("needrestart.golden", TemplateNeedrestart, Facts{}, usual)
	f("fail2ban.golden", TemplateFail2ban, Facts{SSHPorts: []int{22, 2222}, Fail2ban: Fail2ban{NFT: true}}, usual)
	before := PathState{Kind: PathFile, Content: []byte("[sshd]\nignoreip = 127.0.0.0/8 ::1 198.51.100.1 2001:db8::1\n")}
	f("fail2ban-own-ignoreip.golden", TemplateFail2ban,
		Facts{Fail2ban: Fail2ban{Ignores: true}, Paths: map[string]PathState{jailFile: before}}, usual)
}

// Nginx's variables and quotes in a message would end in its configuration.
func TestNginxErrors(t *testing.T) {
	for _, e := range nginxErrors(12345, onServer) {
		if e.Message == "" || strings.ContainsAny(e.Message, `$"'\{}`+"\n") {
			t.Errorf("%d: %q", e.Status, e.Message)
		}
	}
}

func TestSizeText(t *testing.T) {
	f := func(n int64, want string) {
		t.Helper()
		if got := sizeText(n); got != want {
			t.Errorf("sizeText(%d) = %q, want %q", n, got, want)
		}
	}
	f(50<<20, "50 MiB")
	f(50_000_000, "50 MB")
	f(1234, "1234 bytes")
}

func TestRender_BadTemplate(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, err := render("x", text, view{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("render(%q): %v, want %q in it", text, err, want)
		}
	}
	f("{{.Port", "template x")
	f("{{.Nonsense}}", "Nonsense")
}

// difference lists the lines that only one of the two has, "-" for before and "+" for after.
func difference(before, after []string) string {
	var out strings.Builder
	for _, side := range []struct {
		mark        string
		lines, some []string
	}{{"-", before, after}, {"+", after, before}} {
		for _, line := range side.lines {
			if !slices.Contains(side.some, line) {
				out.WriteString(side.mark + line + "\n")
			}
		}
	}
	return out.String()
}
