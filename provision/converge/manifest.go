package converge

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// manifest is what all deploys together made and changed on a server, as one journal: each thing once, with what it was before
// the first of them and what the last of them made of it.
type manifest struct {
	s       *reader
	f       Facts
	entries []entry // in the order in which deploys came to them
	settle  []action
	seen    map[string]int // index in entries, by what an entry is about

	packages []string // installed by deploys, and still there
	left     []string // what others changed since and is not in entries, in words
}

// entry is one thing and its reversal.
type entry struct {
	step  string
	act   action
	dir   string // folder of the journal that holds what the path held before
	wrote string // fingerprint of what the last deploy made of the path; empty where nobody noted it
	mixed bool   // between two deploys somebody else changed it
}

// manifest reads the journals of all deploys that ended well.
func (s *reader) manifest(ctx context.Context) (*manifest, error) {
	m := &manifest{s: s, seen: map[string]int{}}
	if destroying(s) {
		return m, m.resume()
	}
	names, err := sealedJournals(s)
	if err != nil || len(names) == 0 {
		return m, err
	}
	if m.f, err = collect(ctx, s, Want{}); err != nil {
		return nil, err
	}
	for _, name := range names {
		records, err := readJournal(s, journalDir+"/"+name)
		if err != nil {
			return nil, err
		}
		if err := m.journal(journalDir+"/"+name, records); err != nil {
			return nil, err
		}
	}
	if m.packages, err = stillInstalled(s, m.packages); err != nil {
		return nil, err
	}
	m.quiet()
	m.units()
	for _, mend := range []func() error{m.firewall, m.sysctls} {
		if err := mend(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// journal takes one deploy up.
func (m *manifest) journal(dir string, records []record) error {
	wrote := map[int]map[string]string{}
	for _, r := range records {
		if r.State == stateDone {
			wrote[r.N] = r.Wrote
		}
	}
	for _, r := range records {
		if r.Reversal == nil {
			continue
		}
		// Within a step undo runs forwards; here each entry is a step of its own, and those run backwards.
		for _, a := range slices.Backward(r.Reversal.Undo) {
			if err := m.add(entry{step: r.Step, act: a, dir: dir, wrote: wrote[r.N][a.Path]}); err != nil {
				return err
			}
		}
		for _, a := range r.Reversal.Settle {
			if !slices.ContainsFunc(m.settle, func(b action) bool { return b.Op == a.Op && slices.Equal(b.Names, a.Names) }) {
				m.settle = append(m.settle, a)
			}
		}
	}
	return nil
}

// add takes one reversal up. What goes with the adapter's folders and units needs none.
func (m *manifest) add(e entry) error {
	switch e.act.Op {
	case opPath:
		if own(e.act.Path) {
			return nil
		}
		return m.path(e)
	case opPurge:
		for _, name := range e.act.Names {
			if !slices.Contains(m.packages, name) {
				m.packages = append(m.packages, name)
			}
		}
		return nil
	}
	if len(e.act.Names) == 0 {
		m.once(string(e.act.Op), e)
	}
	for _, name := range e.act.Names {
		one := e
		one.act.Names = []string{name}
		subject, _, _ := strings.Cut(name, "=") // a kernel setting has its value
		m.once(string(e.act.Op)+" "+subject, one)
	}
	return nil
}

func (m *manifest) once(subject string, e entry) {
	if _, known := m.seen[subject]; !known {
		m.seen[subject] = len(m.entries)
		m.entries = append(m.entries, e)
	}
}

// path takes a path up. What somebody made of it between two deploys is what it goes back to, unless a deploy had made it.
func (m *manifest) path(e entry) error {
	i, known := m.seen["path "+e.act.Path]
	if !known {
		m.once("path "+e.act.Path, e)
		return nil
	}
	first := &m.entries[i]
	found, err := m.s.wasPrint(e.act, e.dir)
	if err != nil {
		return err
	}
	if first.wrote != "" && found != first.wrote && first.act.Was.Kind != PathAbsent {
		first.act, first.dir, first.mixed = e.act, e.dir, true
	}
	first.wrote = e.wrote
	return nil
}

// wasPrint is the fingerprint of what a path was before a step, by the journal in dir.
func (s *reader) wasPrint(a action, dir string) (string, error) {
	if a.Was == nil {
		return "", fmt.Errorf("the journal %s does not say what %s was", dir, a.Path)
	}
	if a.Was.Kind == PathFile {
		return s.fingerprint(dir + "/" + filepath.Base(a.Saved))
	}
	return string(a.Was.Kind) + " " + a.Was.Target, nil
}

// drop takes entries out.
func (m *manifest) drop(f func(entry) bool) { m.entries = slices.DeleteFunc(m.entries, f) }

// units leaves out the adapter's own, which are stopped before anything else, and what is not there any more.
func (m *manifest) units() {
	stopped := map[string]bool{}
	m.drop(func(e entry) bool {
		switch e.act.Op {
		case opStop, opDisable, opRestart:
			name := e.act.Names[0]
			u, known := m.f.Units[name]
			if e.act.Op == opStop {
				stopped[name] = true
			}
			return known && !u.Loaded || e.act.Op == opStop && slices.Contains(adapterUnits, name)
		}
		return false
	})
	m.settle = slices.DeleteFunc(m.settle, func(a action) bool {
		switch a.Op {
		case opHandBack, opHandoverEnd, opStop:
			return true
		case opRestart:
			name := a.Names[0]
			u, known := m.f.Units[name]
			return stopped[name] || known && !u.Active || slices.Contains(adapterUnits, name)
		}
		return false
	})
}

var adapterUnits = []string{socketUnit, serviceUnit, handoverUnit}

// sysctls leaves out what somebody else has set since.
func (m *manifest) sysctls() error {
	ours := map[string]string{}
	for _, w := range wantedSysctls() {
		ours[w.Key] = w.Value
	}
	var failed error
	m.drop(func(e entry) bool {
		if e.act.Op != opSysctl {
			return false
		}
		key, before, _ := strings.Cut(e.act.Names[0], "=")
		now, err := m.s.sysctlNow(key)
		if err != nil {
			failed = err
		}
		if now != before && now != ours[key] {
			m.left = append(m.left, fmt.Sprintf("%s is %s, which no deploy set, and was left; before it was %s", key, now, before))
		}
		return now == before || now != ours[key]
	})
	return failed
}

// quiet has what deploys installed not run on where its package stays: Nginx would serve its stock site.
func (m *manifest) quiet() {
	for _, of := range [][2]string{{"nginx", nginxUnit}, {"fail2ban", fail2banUnit}} {
		if !slices.Contains(m.packages, of[0]) {
			continue
		}
		for _, op := range []opcode{opDisable, opStop} {
			m.once(string(op)+" "+of[1], entry{step: "package:" + of[0], act: action{Op: op, Names: []string{of[1]}}})
		}
	}
}

// firewall has rules deleted one by one where somebody else's are among them, or where one is all that lets SSH in. Otherwise
// its files are put back like any other.
func (m *manifest) firewall() error {
	isUFW := func(e entry) bool {
		return e.act.Op == opUFWDisable || e.act.Op == opUFWReload || e.act.Op == opPath && slices.Contains(ufwFiles, e.act.Path)
	}
	at := slices.IndexFunc(m.entries, isUFW)
	if at < 0 {
		return nil
	}
	if !m.s.has("ufw") {
		m.drop(isUFW)
		return nil
	}
	whole, err := m.untouched(ufwFiles)
	if err != nil {
		return err
	}
	_, off := m.seen[string(opUFWDisable)]
	rules, err := m.s.ourRules()
	if err != nil {
		return err
	}
	var keep []string
	for _, rule := range rules {
		if !off && m.f.Firewall.UFW == UFWActive && slices.Contains(m.f.SSHPorts, rule.port) {
			keep = append(keep, strconv.Itoa(rule.port))
		}
	}
	keep = slices.Compact(slices.Sorted(slices.Values(keep)))
	if whole && len(keep) == 0 {
		return nil
	}
	for _, port := range keep {
		m.left = append(m.left, "ufw goes on to let TCP port "+port+" in, for SSH comes by it")
	}
	m.drop(func(e entry) bool { return isUFW(e) && e.act.Op != opUFWDisable })
	m.entries = slices.Insert(m.entries, min(at, len(m.entries)), entry{step: "firewall:ufw", act: action{Op: opUFWForget, Names: keep}})
	return nil
}

// untouched reports whether nobody but deploys has changed any of the paths since the first of them.
func (m *manifest) untouched(paths []string) (bool, error) {
	for _, e := range m.entries {
		if e.act.Op != opPath || !slices.Contains(paths, e.act.Path) {
			continue
		}
		now, err := m.s.fingerprint(e.act.Path)
		if err != nil || e.mixed || now != e.wrote {
			return false, err
		}
	}
	return true, nil
}

// words says what will be put back, in the order in which it is.
func (m *manifest) words() []string {
	var words []string
	settings := 0
	for _, e := range slices.Backward(m.entries) {
		if e.act.Op == opSysctl {
			settings++
			continue
		}
		words = append(words, e.act.words())
	}
	if settings > 0 {
		words = append(words, "give "+plural(settings, "kernel setting")+" the values of before")
	}
	return words
}

func (a action) words() string {
	what := strings.Join(a.Names, ", ")
	switch a.Op {
	case opPath:
		if a.Was.Kind == PathAbsent {
			return "remove " + a.Path
		}
		return "put " + a.Path + " back to what it was"
	case opUserDel:
		return "remove the user " + what
	case opGroupDel:
		return "remove the group " + what
	case opStop:
		return "stop " + what
	case opDisable:
		return "no longer start " + what + " at boot"
	case opUFWDisable:
		return "turn ufw off"
	case opUFWReload, opUFWForget:
		return "have ufw close the ports that a deploy opened"
	case opSwapOff:
		return "stop using " + what
	}
	return string(a.Op) + " " + what
}
