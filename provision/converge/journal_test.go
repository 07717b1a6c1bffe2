package converge

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// apart is a server with an adapter whose every part is to change, so that each kind of step has an old state to go back to.
func (m *machine) apart() {
	m.Helper()
	_, _, err := m.deploy("AIzaSyOld")
	m.must(err)
	for _, path := range []string{settingsFile, serviceFile, socketFile, nginxSite, nginxMain, tokensFile} {
		m.put(path, "# mine\n")
	}
	m.must(m.sys.writeLink(currentLink, "releases/0-000000000000"))
	m.must(m.sys.writeLink(nginxEnabled, "elsewhere"))
	m.must(m.sys.writeLink(nginxDefault, "../sites-available/default"))
	m.must(os.Remove(m.sys.at("/usr/local/bin/gca")))
	m.must(os.Chmod(m.sys.at(stateDir), 0o755))
	m.put("/etc/ufw/user.rules", "22/tcp\n")
}

// However far a deploy came before it failed, or its agent died, everything is put back.
func TestJournal_UndoAfterEveryStep(t *testing.T) {
	const keys = "AIzaSyNew"
	plan := func(m *machine) Plan {
		m.Helper()
		facts, err := collect(context.Background(), &m.sys.reader, m.want(keys))
		m.must(err)
		p, err := Diff(facts, m.want(keys), readTestSettings)
		m.must(err)
		return p
	}
	check := func(t *testing.T, prepare func(*machine)) {
		m := newMachine(t)
		prepare(m)
		p := plan(m)
		if len(p.steps) < 12 {
			t.Fatalf("a plan of %d steps shows little", len(p.steps))
		}
		before := m.tree()
		for last, every := sample(t); last < len(p.steps); last += every {
			for _, dies := range []bool{false, true} {
				m.carry(p, last, dies)
				for _, err := range undo(context.Background(), newLike(m.sys)) {
					t.Error(err)
				}
				m.same(before, fmt.Sprintf("up to %s, dies before it is applied: %v", p.steps[last].id, dies))
			}
		}
	}
	f := func(name string, prepare func(*machine)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, prepare)
		})
	}
	f("fresh server", func(*machine) {})
	f("server taken apart", (*machine).apart)
	f("server to hand over", (*machine).older)
}

// sample is which of many moments a test looks at: all of them if GCA_EVERY is set, as make test-servers does, else every
// fourth, from a random one on.
func sample(t *testing.T) (first, every int) {
	t.Helper()
	if os.Getenv("GCA_EVERY") != "" {
		return 0, 1
	}
	const stride = 4
	first = rand.IntN(stride)
	t.Logf("every %d from %d on; GCA_EVERY=1 for all", stride, first)
	return first, stride
}

// newLike is the same server as a later agent sees it.
func newLike(s *system) *system {
	again := newSystem(s.root)
	again.path, again.web, again.handover = s.path, s.web, s.handover
	return again
}

// carry carries the steps out up to last; the last one only up to its intent where the agent dies.
func (m *machine) carry(p Plan, last int, dies bool) {
	m.Helper()
	ctx := context.Background()
	journal, err := openJournal(m.sys)
	m.must(err)
	r := &run{sys: m.sys}
	for _, step := range p.steps[:last] {
		m.must(carryOut(ctx, journal, step, r))
	}
	if step := p.steps[last]; dies {
		rev, err := step.op.before(ctx, r)
		m.must(err)
		m.must(journal.intent(step.id, rev))
	} else {
		m.must(carryOut(ctx, journal, step, r))
	}
	m.must(journal.close())
}

// A line that was being written when the power went belongs to a step that had not begun.
func TestJournal_TornLine(t *testing.T) {
	m := newMachine(t)
	before := m.tree()
	facts, err := collect(context.Background(), &m.sys.reader, m.want("AIzaSyTest1"))
	m.must(err)
	p, err := Diff(facts, m.want("AIzaSyTest1"), readTestSettings)
	m.must(err)
	m.carry(p, 5, false)
	log, err := os.OpenFile(m.sys.at(openDir+"/"+journalLog), os.O_APPEND|os.O_WRONLY, 0)
	m.must(err)
	_, err = log.WriteString(`{"n":99,"step":"file:/etc/pass`)
	m.must(err)
	m.must(log.Close())
	for _, err := range undo(context.Background(), m.sys) {
		t.Error(err)
	}
	m.same(before, "torn line")
}

// A dead deploy is taken back before the next one looks at the server.
func TestAgent_TakesBackTheDead(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.deploy("AIzaSyOld")
	m.must(err)
	before := m.tree()
	facts, err := collect(context.Background(), &m.sys.reader, m.want("AIzaSyNew"))
	m.must(err)
	p, err := Diff(facts, m.want("AIzaSyNew"), readTestSettings)
	m.must(err)
	m.carry(p, len(p.steps)-1, false)
	refused, laptop, ended := m.dial()
	want := m.want("")
	want.Settings = append(want.Settings, Setting{Name: "PORT", Value: "80"})
	m.must(refused.SendWant(want))
	_, err = refused.Plan()
	if r, ok := errors.AsType[*Refusal](err); !ok || !r.TookBack || !strings.Contains(r.Changed(), "taken back") {
		t.Errorf("a want that was refused thereafter: %+v", err)
	}
	m.must(laptop.Close())
	m.must(<-ended)
	m.same(before, "after a death and a refusal")

	m.carry(p, len(p.steps)-1, false)
	c, laptop, ended := m.dial()
	m.must(c.SendWant(m.want("")))
	plan, err := c.Plan()
	m.must(err)
	if len(plan.Steps) != 0 || !plan.TookBack || len(plan.Notes) != 1 || !strings.Contains(plan.Notes[0], "died half-way") {
		t.Errorf("%+v", plan)
	}
	_, err = c.Commit()
	m.must(err)
	m.must(laptop.Close())
	m.must(<-ended)
	m.same(before, "after a death")
}

// What cannot be put back is said, and does not keep the rest from being put back.
func TestJournal_FailedUndo(t *testing.T) {
	m := newMachine(t)
	journal, err := openJournal(m.sys)
	m.must(err)
	m.must(journal.intent("file:/etc/a", reversal{Undo: []action{{Op: opPath, Path: "/etc/a", Was: &PathState{Kind: PathAbsent}}}}))
	m.must(journal.intent("odd:one", reversal{Undo: []action{{Op: "dance"}}, Settle: []action{{Op: opPath, Path: "/etc/b"}}}))
	m.must(journal.close())
	m.put("/etc/a", "x")
	errs := undo(context.Background(), m.sys)
	if len(errs) != 2 || !strings.Contains(errs[0].Error(), `odd:one: the journal has an action "dance"`) || !strings.Contains(errs[1].Error(), "/etc/b") {
		t.Errorf("%v", errs)
	}
	if st, err := m.sys.state("/etc/a"); err != nil || st.Kind != PathAbsent {
		t.Errorf("/etc/a is %+v, %v", st, err)
	}
	if died, err := unfinished(&m.sys.reader); died || err != nil {
		t.Errorf("the failed journal is still open: %v", err)
	}
}

// A deploy that dies right after its commit is not taken back, and the next one forgets the secrets that it still holds.
func TestJournal_DeathAfterCommit(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.deploy("AIzaSyOld")
	m.must(err)
	facts, err := collect(context.Background(), &m.sys.reader, m.want("AIzaSyNew"))
	m.must(err)
	p, err := Diff(facts, m.want("AIzaSyNew"), readTestSettings)
	m.must(err)
	m.carry(p, len(p.steps)-1, false)
	m.must(os.Rename(m.sys.at(openDir), m.sys.at(journalDir+"/"+sealedName("1.2.3", testTime))))
	if !strings.Contains(strings.Join(m.tree(), "\n"), "AIzaSyOld") {
		t.Fatal("there is no old secret to forget")
	}
	applied, _, err := m.deploy("")
	m.must(err)
	if applied.Changed != 0 {
		t.Errorf("%d changes after a commit", applied.Changed)
	}
	if tree := strings.Join(m.tree(), "\n"); strings.Contains(tree, "AIzaSyOld") || !strings.Contains(tree, "AIzaSyNew") {
		t.Error("the old key is still on the server, or the new one is not")
	}
	if files, err := filepath.Glob(m.sys.at(journalDir + "/*/" + reserveFile)); err != nil || len(files) > 0 {
		t.Errorf("a sealed journal keeps its reserve: %v, %v", files, err)
	}
}

// Until the rename nothing that an undo needs is gone.
func TestJournal_FailedCommit(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.deploy("AIzaSyOld")
	m.must(err)
	before := m.tree()
	journal, err := openJournal(m.sys)
	m.must(err)
	rev, err := fileStep{path: keysFile, secret: true}.before(context.Background(), &run{sys: m.sys})
	m.must(err)
	m.must(journal.intent("file:"+keysFile, rev))
	m.put(keysFile, "AIzaSyNew\n")
	taken := m.sys.at(journalDir + "/" + sealedName("1.2.3", testTime))
	m.must(os.WriteFile(taken, nil, 0o600))
	if _, err := journal.seal("1.2.3", testTime); err == nil {
		t.Fatal("sealed over a file")
	}
	for _, err := range undo(context.Background(), m.sys) {
		t.Error(err)
	}
	m.must(os.Remove(taken))
	m.same(before, "failed commit")
}

// A journal with a line that cannot be read is undone as far as it can be, and is not in the way a second time.
func TestAgent_UnreadableJournal(t *testing.T) {
	m := newMachine(t)
	journal, err := openJournal(m.sys)
	m.must(err)
	m.must(journal.intent("file:/etc/a", reversal{Undo: []action{{Op: opPath, Path: "/etc/a", Was: &PathState{Kind: PathAbsent}}}}))
	_, err = journal.log.WriteString("not JSON\n")
	m.must(err)
	m.must(journal.close())
	m.put("/etc/a", "x")
	_, _, err = m.deploy("AIzaSyTest1")
	r, ok := errors.AsType[*Refusal](err)
	if !ok || !strings.Contains(r.Message, "journal, line 2") || !strings.Contains(r.Hint, "failed-") {
		t.Errorf("%v", err)
	}
	if st, err := m.sys.look("/etc/a"); err != nil || st.Kind != PathAbsent {
		t.Errorf("/etc/a is %+v, %v", st, err)
	}
	_, _, err = m.deploy("AIzaSyTest1")
	m.must(err)
}

// A large file of somebody's at the place of our link is moved aside, and comes back.
func TestJournal_LargeFile(t *testing.T) {
	m := newMachine(t)
	large := strings.Repeat("gca", maxManagedFile/2)
	m.put("/usr/local/bin/gca", large)
	c, laptop, ended := m.dial()
	m.must(c.SendWant(m.want("AIzaSyTest1")))
	_, err := c.Plan()
	m.must(err)
	_, err = c.Apply(Events{})
	m.must(err)
	if st, err := m.sys.look("/usr/local/bin/gca"); err != nil || st.Kind != PathLink {
		t.Errorf("applied: %+v, %v", st, err)
	}
	m.must(c.Rollback("no"))
	m.back(c.RolledBack(), "no")
	m.must(errors.Join(laptop.Close(), <-ended))
	data, err := os.ReadFile(m.sys.at("/usr/local/bin/gca"))
	if err != nil || string(data) != large {
		t.Errorf("%d bytes are back of %d, %v", len(data), len(large), err)
	}
	_, _, err = m.deploy("AIzaSyTest1")
	m.must(err)
}

// A journal that is undone late leaves alone what a person did since, and says where the old content lies.
func TestJournal_LeavesLaterWork(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.deploy("AIzaSyOld")
	m.must(err)
	m.put(nginxSite, "# first\n")
	before := m.tree()
	facts, err := collect(context.Background(), &m.sys.reader, m.want("AIzaSyNew"))
	m.must(err)
	p, err := Diff(facts, m.want("AIzaSyNew"), readTestSettings)
	m.must(err)
	m.carry(p, len(p.steps)-1, false)
	m.put(nginxSite, "# later\n")
	errs := undo(context.Background(), newLike(m.sys))
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), nginxSite+" was changed after the deploy wrote it, and was left") ||
		!strings.Contains(errs[0].Error(), ".old") {
		t.Fatalf("%v", errs)
	}
	if text, err := m.sys.readText(nginxSite); err != nil || text != "# later\n" {
		t.Errorf("the site is %q, %v", text, err)
	}
	olds, err := filepath.Glob(m.sys.at(journalDir + "/" + failedPrefix + "*/*.old"))
	m.must(err)
	if tree := strings.Join(m.tree(), "\n"); len(olds) == 0 || !strings.Contains(tree, "AIzaSyOld") {
		t.Errorf("the failed journal has %v", olds)
	}
	m.must(os.RemoveAll(filepath.Dir(olds[0])))
	m.put(nginxSite, "# first\n")
	m.same(before, "but for the site")
}

// What a person put into a folder that the deploy made stays, and so does the folder; a good deploy later forgets the old keys.
func TestJournal_LeavesAFullFolder(t *testing.T) {
	m := newMachine(t)
	facts, err := collect(context.Background(), &m.sys.reader, m.want("AIzaSyTest1"))
	m.must(err)
	p, err := Diff(facts, m.want("AIzaSyTest1"), readTestSettings)
	m.must(err)
	m.carry(p, len(p.steps)-1, false)
	m.put(keysFile, "AIzaSyMine\n")
	m.put(configDir+"/.gca-123", "cut short")
	errs := undo(context.Background(), newLike(m.sys))
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "before it was not there") {
		t.Errorf("%v", errs)
	}
	if text, err := m.sys.readText(keysFile); err != nil || text != "AIzaSyMine\n" {
		t.Errorf("the keys are %q, %v", text, err)
	}
	m.put(configDir+"/mine", "x")
	if err := removeMade(m.sys.at(configDir)); err == nil || !strings.Contains(err.Error(), "/mine was not written by the deploy") {
		t.Errorf("%v", err)
	}
}

func TestJournal_FailedForgetsSecrets(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.deploy("AIzaSyOld")
	m.must(err)
	journal, err := openJournal(m.sys)
	m.must(err)
	rev, err := fileStep{path: keysFile, secret: true}.before(context.Background(), &run{sys: m.sys})
	m.must(err)
	rev.Settle = []action{{Op: "dance"}}
	m.must(errors.Join(journal.intent("file:"+keysFile, rev), journal.close()))
	if errs := undo(context.Background(), m.sys); len(errs) != 1 {
		t.Fatalf("%v", errs)
	}
	_, _, err = m.deploy("AIzaSyNew")
	m.must(err)
	if strings.Contains(strings.Join(m.tree(), "\n"), "AIzaSyOld") {
		t.Error("the old key is still on the server")
	}
}

// An undo that was cut short goes on where it was, behind a line that was being written.
func TestJournal_UndoesOnce(t *testing.T) {
	m := newMachine(t)
	m.put("/etc/a", "old")
	was, err := m.sys.pathReversal("/etc/a", false)
	m.must(err)
	journal, err := openJournal(m.sys)
	m.must(err)
	m.must(journal.intent("odd:one", reversal{Undo: []action{{Op: "dance"}}}))
	m.must(journal.intent("file:/etc/a", reversal{Undo: []action{was}}))
	m.put("/etc/a", "new")
	m.must(journal.done("file:/etc/a"))
	_, err = journal.log.WriteString(`{"n":99,"st`)
	m.must(errors.Join(err, journal.close()))
	for range 2 {
		if errs := undoOrLeave(context.Background(), m.sys); len(errs) != 1 || !strings.Contains(errs[0].Error(), "dance") {
			t.Errorf("%v", errs)
		}
		if text, err := m.sys.readText("/etc/a"); err != nil || text != "old" && text != "since" {
			t.Errorf("/etc/a is %q, %v", text, err)
		}
		m.put("/etc/a", "since")
	}
}

// A package that somebody's later package needs stays, with what it needs itself.
func TestPurge_LeavesWhatIsNeeded(t *testing.T) {
	m := newMachine(t)
	bin := filepath.SplitList(m.sys.path)[0]
	m.must(os.Remove(filepath.Join(bin, "apt-get")))
	script := "#!/bin/sh\ncase \"$*\" in\n*simulate*nginx*) echo 'Purg nginx:amd64 [1]'; echo 'Purg later [1]' ;;\n" +
		"*simulate*) echo 'Purg ufw [1]' ;;\n*) echo \"$*\" >>" + bin + "/purged ;;\nesac\n"
	m.must(os.WriteFile(filepath.Join(bin, "apt-get"), []byte(script), 0o755))
	err := purge(context.Background(), m.sys, []string{"nginx", "ufw"})
	if err == nil || !strings.HasPrefix(err.Error(), "nginx stays installed") {
		t.Errorf("%v", err)
	}
	if text, err := os.ReadFile(bin + "/purged"); err != nil || !strings.HasSuffix(string(text), " purge ufw\n") {
		t.Errorf("purged %q, %v", text, err)
	}
}

// A package that cannot be configured is removed all the same; apt-get's own failure is said with dpkg's, unless nothing of the
// package is left: then a hook failed that runs when all is done.
func TestPurge_BrokenPackage(t *testing.T) {
	f := func(left, apt string, words ...string) {
		t.Helper()
		m := newMachine(t)
		m.put(dpkgStatus, left)
		bin := filepath.SplitList(m.sys.path)[0]
		for name, script := range map[string]string{"dpkg": "echo dpkg is stuck >&2; exit 1", "apt-get": apt} {
			m.must(os.Remove(filepath.Join(bin, name)))
			m.must(os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
		}
		err := purge(context.Background(), m.sys, []string{"nginx"})
		if (err != nil) != (len(words) > 0) {
			t.Errorf("%s: %v", apt, err)
		}
		for _, word := range words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%v does not say %q", err, word)
			}
		}
	}
	const half, settings, none = "Package: nginx\nStatus: install ok half-configured\n", "Package: nginx\nStatus: deinstall ok config-files\n", "Package: nginx\nStatus: unknown ok not-installed\n"
	f(half, "exit 0")
	f(half, "echo apt is stuck >&2; exit 100", "dpkg is stuck", "apt is stuck")
	f(settings, "echo apt is stuck >&2; exit 100", "apt is stuck")
	const hook = "case $* in *simulate*) ;; *) exit 100 ;; esac"
	f(half, hook, "dpkg is stuck", "exit status 100")
	f(none, hook)
	f("", hook)
}
