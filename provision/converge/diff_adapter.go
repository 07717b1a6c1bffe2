package converge

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (d *differ) user() {
	d.begin(GroupAdapter)
	if d.f.User.User && d.f.User.Group {
		return
	}
	d.serviceChanged = true
	d.add(KindUser, serviceUser, "make the system user "+serviceUser, userStep{serviceUser, stateDir})
}

// folders are the adapter's own.
func (d *differ) folders() {
	d.begin(GroupSettings)
	d.dir(configDir, 0o750, rootUser, serviceUser)
	d.dir(stateDir, 0o700, serviceUser, serviceUser)
}

// config brings the adapter's settings, keys and tokens up to date.
func (d *differ) config() {
	d.begin(GroupSettings)
	d.keepOld()
	d.file(fileStep{settingsFile, []byte(d.files.Env), 0o640, serviceUser, true})
	d.file(d.keysStep(keysFile))
}

// keepOld keeps the settings of before beside those that take their place.
func (d *differ) keepOld() {
	now := d.f.path(settingsFile)
	if d.w.KeepOld && now.Kind == PathFile && string(now.Content) != d.files.Env {
		d.file(fileStep{settingsOld, now.Content, 0o640, serviceUser, true})
	}
}

func (d *differ) keysStep(path string) fileStep {
	if !d.f.Credentials {
		return fileStep{path, []byte(d.files.Keys), 0o640, serviceUser, true}
	}
	return fileStep{path, []byte(d.files.Keys), 0o600, rootUser, true}
}

// lacksTokens tells whether there are tokens to be made.
func (d *differ) lacksTokens() bool { return !d.s.ClientToken || !d.s.AdminToken }

func (d *differ) tokens() {
	d.begin(GroupSettings)
	if d.lacksTokens() {
		st := tokenStep{d.files.Tokens, !d.s.ClientToken, !d.s.AdminToken}
		d.add(KindToken, st.id(), st.title(), st)
		return
	}
	if d.hasTokens() {
		d.file(fileStep{tokensFile, []byte(d.files.Tokens), tokensMode, serviceUser, true})
	}
}

func (d *differ) hasTokens() bool {
	return d.files.Tokens != "" || d.f.path(tokensFile).Kind == PathFile
}

// state puts files into the adapter's own folder, which it must not be writing to meanwhile.
func (d *differ) state() {
	d.begin(GroupSettings)
	if !d.newState() {
		return
	}
	d.serviceChanged = true
	if d.serving() || d.f.Units[socketUnit].Active {
		_, guard, _ := strings.Cut(guardStepID, ":")
		d.add(KindUnit, guard, "arm a timer that puts everything back, should this be cut short",
			deadManStep{d.w.releaseGCA(), "the end of a restore", guardTime})
		d.add(KindUnit, "stop", "stop the adapter", stopStep{d.stopTime()})
	}
	title := fmt.Sprintf("put %d files into %s", len(d.w.State), stateDir)
	if len(d.w.State) == 1 {
		title = "put 1 file into " + stateDir
	}
	d.add(KindState, stateDir, title, stateStep{d.w.State})
}

func (d *differ) newState() bool { return d.w.State != nil && !d.sameState() }

// sameState tells whether the folder has these files and no others.
func (d *differ) sameState() bool {
	if len(d.f.State) != len(d.w.State) {
		return false
	}
	for _, file := range d.w.State {
		now, ok := d.f.State[file.Name]
		if !ok || now != sumOf(file.Content) {
			return false
		}
	}
	return true
}

// serving tells whether the adapter serves: by its main unit or, while answers of before go on to their end, by the other one.
func (d *differ) serving() bool {
	return d.f.Units[serviceUnit].Active || d.f.Units[handoverUnit].Active
}

func (d *differ) stopTime() time.Duration {
	return stopTime(d.s.DrainTimeout, string(d.f.path(serviceFile).Content))
}

// changes is what a restart of the adapter is to bring.
type changes struct {
	settings []Step // its files, but for
	tokens   []Step // the file tokens
	units    []Step // unit files
	socket   bool   // where it listens is among them
	release  bool
	enable   []string
}

// service brings settings, state, release and units in force, and has the adapter run by them.
func (d *differ) service() {
	c := changes{settings: d.apart(d.config), tokens: d.apart(d.tokens), units: d.apart(d.unitFiles), release: d.f.release() != d.w.Release()}
	c.socket = slices.ContainsFunc(c.units, func(s Step) bool { return s.id == string(KindFile)+":"+socketFile })
	for _, unit := range ourUnits {
		if !d.f.Units[unit].Enabled {
			c.enable = append(c.enable, unit)
		}
	}
	d.serviceChanged = d.serviceChanged || len(c.settings)+len(c.tokens) > 0 || c.release
	changed := d.serviceChanged || len(c.units) > 0 || d.newState()
	if changed && d.serving() && d.f.Units[socketUnit].Active && !c.socket && !d.newState() {
		d.handOver(c)
		return
	}
	d.restart(c)
}

// apart returns the steps that f adds, instead of adding them.
func (d *differ) apart(f func()) []Step {
	before := d.steps
	d.steps = nil
	f()
	added := d.steps
	d.steps = before
	return added
}

func (d *differ) unitFiles() {
	d.begin(GroupAdapter)
	d.file(fileStep{socketFile, []byte(d.texts[TemplateSocket]), 0o644, rootUser, false})
	d.file(fileStep{serviceFile, []byte(d.texts[TemplateService]), 0o644, rootUser, false})
	d.file(fileStep{handoverFile, []byte(d.texts[handoverText]), 0o644, rootUser, false})
}

// checkSettings lets the release read its settings, where either is new.
func (d *differ) checkSettings(dir string) {
	if d.serviceChanged {
		d.add(KindCheck, "settings", "let the release read its settings", settingsStep{d.w.releaseGCA(), dir})
	}
}

// links are the names that lead to the release.
func (d *differ) links() {
	d.link(currentLink, "releases/"+d.w.Release())
	d.link("/usr/local/bin/gca", currentGCA)
	d.link("/usr/local/bin/gemini-manage", currentGCA)
}

func (d *differ) checkHealth() {
	d.add(KindCheck, "health", "wait for the adapter's answer",
		healthStep{address: "127.0.0.1:" + strconv.Itoa(d.s.Port), what: "the adapter"})
}

// restart starts the adapter, anew where it runs: connections wait in the socket's queue, unless the socket is a new one.
func (d *differ) restart(c changes) {
	d.begin(GroupSettings)
	d.steps = append(d.steps, slices.Concat(c.settings, c.tokens)...)
	d.checkSettings(configDir)
	d.state()
	d.begin(GroupAdapter)
	d.links()
	d.link(nextLink, restRelease)
	d.link(nextConfig, restConfig)
	d.steps = append(d.steps, c.units...)
	st := unitStep{active: d.serving(), socket: c.socket, reread: len(c.units) > 0, enable: c.enable, stop: d.stopTime()}
	st.restart = st.reread || d.serviceChanged || !d.serving() || !d.f.Units[socketUnit].Active
	if !st.restart && len(st.enable) == 0 {
		return
	}
	d.serviceChanged = true
	d.add(KindUnit, "gemini-adapter", st.title(), st)
	d.checkHealth()
}

func (st unitStep) title() string {
	switch {
	case !st.restart:
		return "start the adapter at boot"
	case st.active:
		return "restart the adapter"
	}
	return "start the adapter, now and at boot"
}

// The titles of a handover's steps.
const (
	titleHandover = "start a second adapter beside the one that serves"
	titleBehind   = "restart the adapter; the second one serves meanwhile"
)

// handOver restarts the adapter without a request lost: what is new serves, beside what is in force, before that is touched.
func (d *differ) handOver(c changes) {
	d.begin(GroupSettings)
	st := stageStep{release: restRelease}
	if c.release {
		st.release = "releases/" + d.w.Release()
	}
	if d.lacksTokens() { // they are nowhere but in the file that they are made in; the adapter that runs has read it already
		d.steps = append(d.steps, c.tokens...)
		st.tokens = true
	}
	if len(c.settings)+len(c.tokens) > 0 {
		st.files = []fileStep{{nextConfig + "/adapter.env", []byte(d.files.Env), 0o640, serviceUser, true}, d.keysStep(nextConfig + "/keys")}
		if d.hasTokens() && !st.tokens {
			st.files = append(st.files, fileStep{nextConfig + "/tokens", []byte(d.files.Tokens), tokensMode, serviceUser, true})
		}
	}
	if !d.rests(nextConfig, restConfig) || !d.rests(nextLink, restRelease) || c.release || len(st.files) > 0 {
		d.add(KindDir, nextConfig, st.title(), st)
	}
	d.checkSettings(st.dir())
	d.begin(GroupAdapter)
	d.steps = append(d.steps, c.units...)
	stop := d.stopTime()
	d.add(KindUnit, "gemini-adapter-handover", titleHandover,
		handoverStep{d.w.Release(), len(c.units) > 0, stop})
	d.steps = append(d.steps, c.settings...)
	if !st.tokens {
		d.steps = append(d.steps, c.tokens...)
	}
	d.links()
	d.serviceChanged = true
	d.add(KindUnit, "gemini-adapter", titleBehind, behindStep{d.w.Release(), c.enable, stop})
	d.checkHealth()
}

func (st stageStep) title() string {
	switch {
	case len(st.files) == 0:
		return "lay the release ready"
	case st.release == restRelease:
		return "lay the settings ready"
	}
	return "lay the release and its settings ready"
}

// rests tells whether a link leads where it does between two handovers.
func (d *differ) rests(link, target string) bool {
	now := d.f.path(link)
	return now.Kind == PathLink && now.Target == target
}
