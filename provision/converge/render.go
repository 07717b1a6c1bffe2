package converge

import (
	"cmp"
	"fmt"
	"strings"
	"text/template"
	"time"
)

// The templates' file names.
const (
	TemplateService = "gemini-adapter.service.tmpl"
	TemplateSocket  = "gemini-adapter.socket.tmpl"
	TemplateSite    = "nginx-site.conf.tmpl"
	TemplateMain    = "nginx-main.conf.tmpl"

	TemplateNginxUnit   = "nginx-service.conf.tmpl"
	TemplateSysctl      = "sysctl.conf.tmpl"
	TemplateLimits      = "limits.conf.tmpl"
	TemplateJournald    = "journald.conf.tmpl"
	TemplateApt         = "apt.conf.tmpl"
	TemplateNeedrestart = "needrestart.conf.tmpl"
	TemplateFail2ban    = "fail2ban.local.tmpl"
	TemplateCertService = "gemini-adapter-cert.service.tmpl"
	TemplateCertTimer   = "gemini-adapter-cert.timer.tmpl"

	TemplateBackupService = "gemini-adapter-backup.service.tmpl"
	TemplateBackupTimer   = "gemini-adapter-backup.timer.tmpl"

	TemplateAlertsService = "gemini-adapter-alerts.service.tmpl"
	TemplateAlertsTimer   = "gemini-adapter-alerts.timer.tmpl"
)

// handoverText is what the service's template comes to for the handover unit.
const handoverText = "gemini-adapter-handover.service"

// plainSite is what the site's template comes to where Nginx speaks plain HTTP.
const plainSite = "plain nginx-site"

// TemplateNames lists the templates that a Want carries.
func TemplateNames() []string {
	return []string{
		TemplateService, TemplateSocket, TemplateSite, TemplateMain, TemplateNginxUnit, TemplateSysctl, TemplateLimits,
		TemplateJournald, TemplateApt, TemplateNeedrestart, TemplateFail2ban,
		TemplateCertService, TemplateCertTimer, TemplateBackupService, TemplateBackupTimer, TemplateAlertsService, TemplateAlertsTimer,
	}
}

// view is what a template can see.
type view struct {
	Handover       bool // of the service: the unit that serves while the main one starts anew
	Systemd        int
	Nginx          NginxVersion // the oldest where it is not known: what that understands, all do
	Credentials    bool         // LoadCredential works here
	IPv6           bool
	Webroot        string   // of a CA's questions
	TLS            *tlsView // nil is plain HTTP
	Port           int
	MaxBody        int64
	DrainSeconds   int64 // for Nginx, at least 1
	StopSeconds    int64
	WorkerFiles    bool // nginx.conf has no worker_rlimit_nofile of its own, and the server allows ours
	WorkerShutdown bool // nginx.conf has no worker_shutdown_timeout of its own
	Errors         []nginxError
	Origin         string   // of the site: whose text it is
	Backends       []string // of a balancer: HOST:PORT of adapters on other servers; empty is the one at Server
	Server         string   // HOST:PORT of the one adapter
	Hops           []Hop    // of a balancer: what turns plain HTTP to a port into HTTPS to a server
	Roots          string   // of a balancer: the file with the roots that hops trust
	OpenFiles      int      // for Nginx, at most workerFiles; 0 where the server does not say how many it allows

	Sysctls      []sysctl
	SSHPorts     string // "22,2222"
	BanAction    string
	KnownIgnored bool     // fail2ban has an ignoreip of the server's own
	Deployers    []string // addresses
}

const (
	workerFiles       = 65536 // files that an Nginx worker may open, where the server allows it
	workerConnections = 16384 // of an Nginx worker
)

// tlsView is the site's certificate.
type tlsView struct {
	URL  string
	File string // certificate, chain and key
	HSTS bool   // browsers may be told to come by HTTPS alone: only under a name, which is this server's for long
}

func newTLSView(name string) *tlsView {
	if name == "" {
		return nil
	}
	return &tlsView{URL: Site{TLS: name}.URL(""), File: certFile(name), HSTS: !isAddress(name)}
}

// nginxError is an answer that Nginx gives by itself, in the words of each protocol.
type nginxError struct {
	Status     int
	Codes      string // Nginx's own codes that end in this answer
	Anthropic  string // error.type, Anthropic API docs
	OpenAI     string // error.type, OpenAI API docs
	Google     string // error.status, google.rpc.Code
	RetryAfter int    // seconds, 0 for none
	Message    string // has no quotes, backslashes or dollar signs
}

// Where somebody looks whose adapter does not answer.
const (
	onServer    = "run gemini-manage status on the server"
	inContainer = "see docker compose logs gemini-adapter"
)

func nginxErrors(maxBody int64, look string) []nginxError {
	return []nginxError{
		{400, "400", "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT", 0,
			"the request is not valid HTTP"},
		{413, "413", "request_too_large", "invalid_request_error", "INVALID_ARGUMENT", 0,
			"the request body is larger than " + sizeText(maxBody) + "; send less, or raise MAX_BODY on the server"},
		{414, "414", "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT", 0,
			"the request line is longer than 32 KiB"},
		{431, "494", "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT", 0,
			"a request header is longer than 32 KiB"},
		{500, "500", "api_error", "server_error", "INTERNAL", 0,
			"Nginx failed on the server; see /var/log/nginx/error.log there"},
		{502, "502", "api_error", "server_error", "UNAVAILABLE", 5,
			"the adapter does not answer; " + look},
		{503, "503", "overloaded_error", "server_error", "UNAVAILABLE", 5,
			"the adapter is stopped or busy; " + look},
		{504, "504", "timeout_error", "server_error", "DEADLINE_EXCEEDED", 5,
			"the adapter did not answer in time; " + look},
	}
}

func sizeText(n int64) string {
	switch {
	case n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n%1_000_000 == 0:
		return fmt.Sprintf("%d MB", n/1_000_000)
	}
	return fmt.Sprintf("%d bytes", n)
}

func newView(f Facts, w Want, s Settings) view {
	conf := string(f.path(nginxConf).Content)
	drain := int64(s.DrainTimeout / time.Second)
	nginxDrain := max(drain, 1) // 0 would let Nginx's old workers wait for ever
	set, _, _ := usableSysctls(f.Sysctls)
	files := min(f.Hardware.OpenFiles, workerFiles)
	return view{
		Systemd:        f.Systemd,
		Nginx:          cmp.Or(f.Nginx, oldestNginx()),
		Credentials:    f.Credentials,
		IPv6:           f.IPv6,
		Webroot:        acmeWebroot,
		TLS:            newTLSView(s.TLSName),
		Port:           s.Port,
		Server:         fmt.Sprintf("127.0.0.1:%d", s.Port),
		MaxBody:        s.MaxBody,
		DrainSeconds:   nginxDrain,
		StopSeconds:    drain + 10,
		WorkerFiles:    !hasDirective(conf, "worker_rlimit_nofile") && files > 0,
		OpenFiles:      files,
		WorkerShutdown: !hasDirective(conf, "worker_shutdown_timeout"),
		Errors:         nginxErrors(s.MaxBody, onServer),
		Origin:         "Written by gca. A change made here is put back by the next deploy; MAX_BODY and PORT are set in /etc/gemini-adapter/adapter.env.",
		Sysctls:        set,
		SSHPorts:       jailPorts(f.SSHPorts),
		BanAction:      f.Fail2ban.banAction(),
		KnownIgnored:   f.Fail2ban.Ignores,
		Deployers:      deployers(string(f.path(jailFile).Content), w.Client),
	}
}

func hasDirective(conf, name string) bool {
	for line := range strings.Lines(conf) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[0] == name {
			return true
		}
	}
	return false
}

func render(name, text string, v view) (string, error) {
	t, err := template.New(name).Option("missingkey=error").Parse(text)
	if err != nil {
		return "", fmt.Errorf("template %s: %w", name, err)
	}
	var out strings.Builder
	if err := t.Execute(&out, v); err != nil {
		return "", fmt.Errorf("template %s: %w", name, err)
	}
	return out.String(), nil
}
