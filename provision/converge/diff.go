package converge

import (
	"fmt"
	"io/fs"
)

// Diff compares what is with what is wanted. It does no I/O, and equal inputs
// give equal plans; a server that is as it should be gives no steps. The error
// is a [*Refusal]: the server cannot be deployed to as it is.
func Diff(f Facts, w Want, read SettingsReader) (Plan, error) {
	if err := w.Validate(); err != nil {
		return Plan{}, asRefusal(RefusedSettings, err)
	}
	if err := preflight(f, w); err != nil {
		return Plan{}, err
	}
	files := f.settingsFiles(w)
	s, err := read(files)
	if err == nil {
		err = s.validate()
	}
	if err != nil {
		return Plan{}, asRefusal(RefusedSettings, err)
	}
	if err := checkSettings(f, s); err != nil {
		return Plan{}, err
	}
	for _, refusal := range []*Refusal{refuseTLS(f, s), refuseFirewall(f, w, s), refuseHarden(f, w)} {
		if refusal != nil {
			return Plan{}, refusal
		}
	}
	texts, err := renderAll(w, newView(f, w, s))
	if err == nil {
		texts[TemplateSite], err = siteOf(f, w, s, texts[TemplateSite])
	}
	if err != nil {
		return Plan{}, asRefusal(RefusedSettings, err)
	}
	d := differ{f: f, w: w, s: s, files: files, texts: texts}
	if w.Scope == ScopeAdapter {
		d.adapter()
	} else {
		d.server()
	}
	if len(d.steps) > 0 {
		d.notes = append(d.notes, d.remarks...)
		if refusal := d.refuseSpace(); refusal != nil {
			return Plan{}, refusal
		}
	}
	p := Plan{steps: d.steps, notes: d.notes, closed: d.closed, site: f.site(s, w)}
	if len(p.steps) > 0 {
		p.findings, p.exits = examine(f), s.Exits
	}
	return p, nil
}

func renderAll(w Want, v view) (texts map[string]string, err error) {
	texts = map[string]string{}
	for _, name := range TemplateNames() {
		text, err := render(name, w.Templates[name], v)
		if err != nil {
			return nil, err
		}
		texts[name] = text
	}
	handover, plain := v, v
	handover.Handover, plain.TLS = true, nil
	if texts[handoverText], err = render(TemplateService, w.Templates[TemplateService], handover); err != nil {
		return nil, err
	}
	texts[plainSite], err = render(TemplateSite, w.Templates[TemplateSite], plain)
	return texts, err
}

// siteOf is the site that is to be there: text or, where a deploy wrote it before Nginx's version was known, that one.
func siteOf(f Facts, w Want, s Settings, text string) (string, error) {
	old := f
	old.Nginx = oldestNginx()
	forAll, err := render(TemplateSite, w.Templates[TemplateSite], newView(old, w, s))
	if string(f.path(nginxSite).Content) == forAll {
		return forAll, err
	}
	return text, err
}

// differ collects the steps of one plan.
type differ struct {
	f     Facts
	w     Want
	s     Settings
	files SettingsFiles
	texts map[string]string

	steps          []Step
	notes          []string
	remarks        []string // see remark
	closed         string   // the note on a firewall that may keep clients out
	serviceChanged bool     // the adapter has to be restarted
	webChanged     bool     // Nginx has to be reloaded
	certChanged    bool     // a certificate that was sent along is another one
	installs       bool     // there are packages to install
	group          Group
}

// server is everything that a deploy looks after, in the order of its steps.
func (d *differ) server() {
	d.swap()
	d.packages()
	d.adapter()
	d.system()
	d.begin(GroupAdapter)
	d.timer(backupTimer())
	d.dir(alertsDir, 0o755, serviceUser, serviceUser)
	d.timer(alertsTimer())
	d.fail2ban()
	d.logins()
}

// adapter is the adapter and its way out to the web. Of a firewall that is on, it opens what clients come in by.
func (d *differ) adapter() {
	d.user()
	d.folders()
	d.service()
	d.web()
	if d.serviceChanged || d.webChanged {
		d.begin(GroupNginx)
		d.add(KindCheck, webCheck, "wait for the adapter's answer through Nginx", healthStep{what: "the adapter behind Nginx", tls: d.s.TLSName})
	}
}

func (d *differ) add(kind Kind, name, title string, op operation) {
	d.steps = append(d.steps, d.step(kind, name, title, op))
}

// step makes a step; the name of one that changes a path is that path.
func (d *differ) step(kind Kind, name, title string, op operation) Step {
	content := fmt.Sprintf("%T %+v %+v", op, op, d.f.path(name))
	return Step{id: string(kind) + ":" + name, kind: kind, group: d.group, title: title, sum: sumOf([]byte(content)), op: op}
}

// begin starts the steps of one group.
func (d *differ) begin(group Group) { d.group = group }

// owner is the owner that a path should have; false where the user is yet to be made.
func (d *differ) owner(user, group string) (owner, bool) {
	o := owner{d.f.RootOwner.UID, d.f.RootOwner.GID}
	if user == serviceUser {
		o.uid = d.f.User.Owner.UID
	}
	if group == serviceUser {
		o.gid = d.f.User.Owner.GID
	}
	return o, d.f.User.User && d.f.User.Group || user == rootUser && group == rootUser
}

// file adds a step where the file is not as it should be, and says whether it did.
func (d *differ) file(st fileStep) bool {
	now := d.f.path(st.path)
	if o, known := d.owner(rootUser, st.group); known && st.matches(now, o) {
		return false
	}
	title := "write " + st.path + wordsOf(st, now)
	if now.Kind == PathFile && string(now.Content) == string(st.content) {
		title = fmt.Sprintf("set the mode and owner of %s", st.path)
	}
	d.add(KindFile, st.path, title, st)
	if !st.secret {
		before, after := string(now.Content), string(st.content)
		last := &d.steps[len(d.steps)-1]
		last.before, last.after = &before, &after
	}
	return true
}

func (d *differ) dir(path string, mode fs.FileMode, user, group string) {
	st := dirStep{path, mode, user, group}
	if o, known := d.owner(user, group); known && st.matches(d.f.path(path), o) {
		return
	}
	title := "make " + path
	if d.f.path(path).Kind == PathDir {
		title = "set the mode and owner of " + path
	}
	d.add(KindDir, path, title, st)
}

func (d *differ) link(path, target string) bool {
	now := d.f.path(path)
	if now.Kind == PathLink && now.Target == target {
		return false
	}
	d.add(KindLink, path, "point "+path+" to "+target, linkStep{path, target})
	return true
}
