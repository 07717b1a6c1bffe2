package converge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	noAnswer = "clients get no answer"
	fullDisk = 32 << 20 // bytes; with less the adapter writes nothing any more

	firewallWeb = string(KindFirewall) + ":web" // the step that lets clients in

	maxWords = 200 // bytes of a log's line that are shown
)

// serving looks at an adapter that was deployed: first at what it needs, then at itself, then at the way that clients come.
// unread is what is wrong with its settings.
func (a Agent) serving(ctx context.Context, s *reader, f Facts, want Want, settings Settings, unread error) []Finding {
	found := needs(f, settings, unread)
	if gca, err := os.Stat(s.at(currentLink + "/gca")); f.ReleaseSHA == want.SHA256 && (err != nil || !gca.Mode().IsRegular()) { // else it is refused already
		found = append(found, failure("release", currentLink+" does not lead to a release", "the adapter does not start", "gca deploy HOST   # from a laptop"))
	}
	if f.User.User && f.User.Group {
		found = append(found, stateFiles(s, f.User.Owner)...)
	}
	found = append(found, oomKills(s)...)
	found = append(found, askUnits(ctx, s, f)...)
	if stopped(f) {
		return found // the rest follows from that
	}
	if unread == nil {
		found = append(found, askDoors(ctx, s, settings)...)
	}
	if f.release() != want.Release() || unread != nil {
		return found // what another release would change is no drift
	}
	plan, err := Diff(f, want, a.ReadSettings)
	if err != nil {
		return found // it is among the refusals
	}
	return append(found, drifted(plan.Steps())...)
}

// needs are what the adapter is nothing without. It is pure.
func needs(f Facts, settings Settings, unread error) []Finding {
	var found []Finding
	if free := min(f.Hardware.DiskFree, f.Hardware.VarFree); free < fullDisk {
		found = append(found, failure("disk-full", fmt.Sprintf("the disk is full: %d MB are left", free>>20), "nothing can be written: no state, no log, no backup", roomHint))
	}
	if unread == nil && settings.Keys == 0 {
		found = append(found, failure("keys", "there is no Gemini API key, neither in "+keysFile+" nor in GEMINI_API_KEYS", "the adapter does not start", "gemini-manage keys add"))
	}
	if !f.User.User || !f.User.Group {
		found = append(found, failure("user", "the user "+serviceUser+", whom the adapter runs as, is gone", "the adapter does not start", "gemini-manage doctor --fix").fixedBy(AsDeployed))
	} else {
		found = append(found, stateFolder(f.path(stateDir), f.User.Owner)...)
	}
	if f.path(nginxSite).Kind != PathFile || f.path(nginxEnabled).Target != nginxSite {
		found = append(found, failure("site", "Nginx has no site for the adapter: "+nginxEnabled+" does not lead to one", noAnswer, "gemini-manage doctor --fix").fixedBy(AsDeployed))
	}
	if settings.TLSName != "" && f.TLS.Unusable != "" {
		found = append(found, failure("certificate", "the certificate for "+settings.TLSName+" cannot be used: "+f.TLS.Unusable, "clients refuse to connect", "gemini-manage cert renew"))
	}
	return found
}

// oomKills tells whether the kernel had to end the adapter for want of memory.
func oomKills(s *reader) []Finding {
	text, err := s.readText("/sys/fs/cgroup/system.slice/" + serviceUnit + "/memory.events")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(text) {
		if w := strings.Fields(line); len(w) == 2 && w[0] == "oom_kill" && w[1] != "0" {
			return []Finding{warning("oom", "the kernel ended the adapter "+w[1]+" times, since it took too much memory", "answers that were under way broke off",
				"gemini-manage config set MAX_CONCURRENT=256; or a server with more memory")}
		}
	}
	return nil
}

// stopped is an adapter that a person stopped: neither it nor its socket failed, and it would start at boot.
func stopped(f Facts) bool {
	socket, service := f.Units[socketUnit], f.Units[serviceUnit]
	return socket.Enabled && socket.down() && !socket.Failed && service.down() && !service.Failed && !f.Units[handoverUnit].Active
}

// askUnits looks at the units, with their own last words where one does not run.
func askUnits(ctx context.Context, s *reader, f Facts) []Finding {
	var found []Finding
	down := func(id, unit, means, words, cure string) {
		u := f.Units[unit]
		state := "does not run"
		switch {
		case u.Active && u.Enabled:
			return
		case u.Active:
			state = "would not start at boot"
		case words != "":
			state += "; its last words: " + words
		}
		found = append(found, failure(id, unit+" "+state, means, cure).fixedBy("systemctl", "enable", "--now", unit))
	}
	if stopped(f) {
		found = append(found, failure("stopped", "the adapter was stopped", noAnswer, "gemini-manage start").fixedBy("systemctl", "start", socketUnit, serviceUnit))
	} else {
		down("socket", socketUnit, noAnswer, "", "systemctl enable --now "+socketUnit)
		if service := f.Units[serviceUnit]; !f.Units[handoverUnit].Active && (!service.Active || strings.HasPrefix(service.Sub, "auto-restart")) {
			found = append(found, failure("service", serviceUnit+" does not run"+said(ctx, s, queryServiceWords), noAnswer, "gemini-manage error-logs; then gemini-manage restart").
				fixedBy("systemctl", "start", serviceUnit))
		}
	}
	words := ""
	if !f.Units[nginxUnit].Active {
		words = strings.TrimPrefix(said(ctx, s, queryNginxWords), "; its last words: ")
	}
	down("nginx", nginxUnit, noAnswer, words, "nginx -t; systemctl enable --now "+nginxUnit)
	if f.Units[fail2banUnit].Loaded {
		down("fail2ban", fail2banUnit, "who guesses passwords is not kept out", "", "systemctl enable --now "+fail2banUnit)
	}
	for _, t := range timers() {
		if u := f.Units[t.unit]; u.Loaded {
			down("timer", t.unit, "nobody will "+strings.TrimPrefix(t.title, "have systemd "), "", "systemctl enable --now "+t.unit)
		}
		if f.Units[t.service].Failed {
			found = append(found, warning("timer-run", t.service+" failed at its last run"+said(ctx, s, t.words), t.missed, "systemctl start "+t.service+"; journalctl -u "+t.service+" -n 20"))
		}
	}
	for i := range found {
		if found[i].ID == "timer" || found[i].ID == "fail2ban" || strings.HasSuffix(found[i].What, "would not start at boot") {
			found[i].Level = LevelWarn
		}
	}
	return found
}

// said are the last words of a log that tell of trouble, or its last ones.
func said(ctx context.Context, s *reader, q query) string {
	out, err := s.ask(ctx, q)
	if err != nil {
		return ""
	}
	lines := strings.FieldsFunc(out, func(r rune) bool { return r == '\n' })
	lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, hintPrefix) })
	if len(lines) == 0 || strings.HasPrefix(lines[0], "-- ") {
		return ""
	}
	last := lines[len(lines)-1]
	if i := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, "[emerg]") }); i >= 0 {
		last = lines[i]
	}
	return "; its last words: " + inBounds(last)
}

// inBounds is a line of a log as far as it is shown.
func inBounds(line string) string {
	if len(line) > maxWords {
		return strings.ToValidUTF8(line[:maxWords], "") + "…"
	}
	return line
}

// ofProcess is how Nginx names itself in a line of its log.
var ofProcess = regexp.MustCompile(`^\d+#\d+: `)

// nginxSettings has Nginx look at its settings while it runs, by those that it read when it started: what is wrong with them shows at
// its next start otherwise. It takes root, who may read all of them.
func nginxSettings(ctx context.Context, s *reader, f Facts) []Finding {
	if !f.Units[nginxUnit].Active || os.Geteuid() != 0 {
		return nil
	}
	_, err := s.ask(ctx, queryNginxTest)
	failed, ok := errors.AsType[*commandError](err)
	if !ok || len(failed.last) == 0 {
		return nil
	}
	words := failed.last[0]
	if i := slices.IndexFunc(failed.last, func(line string) bool { return strings.Contains(line, "[emerg]") }); i >= 0 {
		words = failed.last[i]
	}
	if _, complaint, ok := strings.Cut(words, "[emerg] "); ok {
		words = ofProcess.ReplaceAllString(complaint, "")
	}
	return []Finding{warning("nginx-conf", "Nginx refuses the settings that are on the disk: "+inBounds(words),
		"it goes on by those of before, and neither starts again nor takes up a new certificate", "nginx -t   # until it finds nothing; then systemctl reload nginx")}
}

// askDoors asks the adapter itself, then through Nginx.
func askDoors(ctx context.Context, s *reader, settings Settings) []Finding {
	own := healthStep{address: "127.0.0.1:" + strconv.Itoa(settings.Port)}
	status, err := own.status(ctx, s)
	if err != nil {
		return []Finding{failure("adapter", fmt.Sprintf("the adapter does not answer at its own port %d: %s", settings.Port, plainly(err)), noAnswer, "gemini-manage error-logs; gemini-manage restart"),
			failure("web", "nor does it through Nginx", noAnswer, "journalctl -u gemini-adapter -u nginx -n 50")}
	}
	var found []Finding
	if status == "unhealthy" {
		found = append(found, failure("no-key", "the adapter answers, and no key is active", "requests fail until one comes back", "gemini-manage keys list; gemini-manage keys test"))
	}
	if err := (healthStep{tls: settings.TLSName}).ask(ctx, s); err != nil {
		found = append(found, failure("web", fmt.Sprintf("the adapter answers at its own port, and not through Nginx: %s", plainly(err)), noAnswer, "nginx -t; journalctl -u nginx -n 50"))
	}
	return found
}

// drifted is what a deploy would change. Who gets in is what the flags of a deploy say, of which the want of a doctor knows
// nothing; that clients do is not up to them.
func drifted(steps []StepInfo) []Finding {
	var found []Finding
	if slices.ContainsFunc(steps, func(st StepInfo) bool { return st.ID == firewallWeb }) {
		found = append(found, failure("firewall", "ufw lets no client in at the web's ports", noAnswer, "gemini-manage doctor --fix").fixedBy(AsDeployed))
	}
	steps = slices.DeleteFunc(steps, func(st StepInfo) bool { return st.Group == GroupFirewall || st.Group == GroupSSH })
	if len(steps) == 0 {
		return found
	}
	var titles []string
	for _, st := range steps {
		titles = append(titles, st.Title)
	}
	return append(found, warning("drift", "the server is not any more what the last deploy made of it; a deploy would "+joinSome(titles),
		"somebody, or an upgrade, has changed that since", "gca plan HOST   # shows it, and gca deploy HOST puts it right").fixedBy(AsDeployed))
}
