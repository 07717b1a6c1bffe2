package converge

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// cutReader ends after some lines, and tells so.
type cutReader struct {
	from  io.Reader
	lines int
	cut   func()
}

func (r *cutReader) Read(p []byte) (int, error) {
	if r.lines == 0 {
		r.cut()
		return 0, io.EOF
	}
	n, err := r.from.Read(p[:1])
	if n == 1 && p[0] == '\n' {
		r.lines--
	}
	return n, err
}

// finish deploys as a laptop does that was perhaps here before: it attaches to what is running. Its connection is cut after
// some messages of the agent. It returns how many steps it saw done.
func (m *machine) finish(keys string, messages int) (steps int, err error) {
	m.Helper()
	toAgent, laptop := io.Pipe()
	fromAgent, agent := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := m.agent().front(context.Background(), &m.sys.reader, toAgent, agent)
		ended <- errors.Join(err, agent.Close(), toAgent.Close())
	}()
	cut := func() { m.must(errors.Join(laptop.Close(), fromAgent.Close())) }
	c := NewClient(&cutReader{fromAgent, messages, cut}, laptop)
	defer func() {
		m.must(laptop.Close())
		if end := <-ended; err == nil {
			err = end
		}
	}()
	events := Events{Step: func(e StepEvent) {
		if e.State == StepDone {
			steps++
		}
	}}
	hello, err := c.Hello()
	if err != nil {
		return 0, err
	}
	if hello.Running != nil {
		if _, err = c.Attach(); err == nil {
			_, err = c.Follow(events)
		}
		if err == nil {
			err = c.Proven()
		}
	} else if err = c.SendWant(m.want(keys)); err == nil {
		var plan PlanMessage
		if plan, err = c.Plan(); err == nil && len(plan.Steps) > 0 {
			_, err = c.Apply(events)
			err = errors.Join(err, c.Proven())
		}
	}
	if err == nil {
		_, err = c.Commit()
	}
	return steps, err
}

// settled is the tree without what differs between any two deploys: the journal's times, and the token.
func (m *machine) settled() []string {
	return slices.DeleteFunc(m.tree(), func(line string) bool {
		return strings.HasPrefix(line, strings.TrimPrefix(gcaDir, "/")) || strings.HasPrefix(line, strings.TrimPrefix(tokensFile, "/"))
	})
}

// Wherever the connection is cut, the same command again ends where an undisturbed deploy does.
func TestAgent_CutAnywhere(t *testing.T) {
	undisturbed := newMachine(t)
	if _, err := undisturbed.finish("AIzaSyTest1", -1); err != nil {
		t.Fatal(err)
	}
	want, port := undisturbed.settled(), undisturbed.port()
	whole := func(m *machine) []string {
		lines := m.settled()
		for i := range lines {
			lines[i] = strings.ReplaceAll(lines[i], m.port(), port)
		}
		return lines
	}
	replayed := 0
	messages, every := sample(t)
	for ; ; messages += every {
		m := newMachine(t)
		_, err := m.finish("AIzaSyTest1", messages)
		if err == nil {
			if messages < 40 {
				t.Errorf("there is nothing left to cut after %d messages", messages)
			}
			break
		}
		steps, err := m.finish("AIzaSyTest1", -1)
		if r, ok := errors.AsType[*Refusal](err); ok && r.Kind == RefusedEnded { // it ended right between hello and attach
			steps, err = m.finish("AIzaSyTest1", -1)
		}
		if err != nil {
			t.Fatalf("after a cut at message %d: %v", messages, err)
		}
		if got := whole(m); !slices.Equal(got, want) {
			t.Fatalf("after a cut at message %d:\n%s", messages, difference(want, got))
		}
		if steps > 0 {
			replayed++
		}
		m.must(m.lastWorker())
	}
	if replayed < 20/every {
		t.Errorf("only %d times was a deploy found under way", replayed)
	}
}

// A second laptop takes a deploy over: it is told everything, and its word counts.
func TestAgent_TakeOver(t *testing.T) {
	m := newMachine(t)
	first, firstStream, firstEnded := m.dial()
	m.applied(first)
	second, stream, ended := m.start()
	hello, err := second.Hello()
	m.must(err)
	r := hello.Running
	if r == nil || r.State != RunApplied || !r.Attached || r.By != "203.0.113.9" || r.Release != ReleaseName("1.2.3", m.sum) || r.Done != r.Total {
		t.Fatalf("%+v", r)
	}
	plan, err := second.Attach()
	m.must(err)
	var started []string
	applied, err := second.Follow(Events{Step: func(e StepEvent) {
		if e.State == StepStart {
			started = append(started, e.ID)
		}
	}})
	m.must(err)
	if len(started) != len(plan.Steps) || applied.Changed != len(plan.Steps) || applied.ClientToken.Empty() {
		t.Errorf("%d steps were told of %d, %+v", len(started), len(plan.Steps), applied)
	}
	if over, ok := errors.AsType[*TakenOverError](first.RolledBack()); !ok || over.By != "203.0.113.9" || !strings.Contains(over.Error(), "203.0.113.9") {
		t.Errorf("the first laptop was told %v", over)
	}
	m.must(errors.Join(firstStream.Close(), <-firstEnded))
	m.must(second.Proven())
	_, err = second.Commit()
	m.must(errors.Join(err, stream.Close(), <-ended, m.lastWorker()))
	if st, err := m.sys.look(currentLink); err != nil || st.Kind != PathLink {
		t.Errorf("after the commit: %+v, %v", st, err)
	}
}

// What is put back while no laptop listens is told once, by the next hello to a laptop that means to deploy.
func TestAgent_LastWord(t *testing.T) {
	m := newMachine(t)
	m.commitTime = 100 * time.Millisecond
	c, _, ended := m.dial()
	m.applied(c)
	m.must(errors.Join(c.Detach(), <-ended, m.lastWorker()))
	for _, mode := range []Mode{ModePlan, ModeDeploy, ModeDeploy} {
		m.upload()
		c, laptop, ended := m.start()
		hello, err := c.Hello()
		m.must(err)
		told := strings.Contains(hello.Last, "the deploy of "+ReleaseName("1.2.3", m.sum)+" from 203.0.113.9 ended at ") &&
			strings.HasSuffix(hello.Last, "and it was put back: no laptop committed within 100ms")
		if told != m.wordKept() || hello.Running != nil || hello.Installed {
			t.Errorf("%+v", hello)
		}
		want := m.want("AIzaSyTest1")
		want.Mode = mode
		m.must(c.SendWant(want))
		_, err = c.Plan()
		m.must(errors.Join(err, laptop.Close(), <-ended))
		if kept := m.wordKept(); kept != (mode == ModePlan) {
			t.Errorf("after a want in mode %q the word is kept: %v", mode, kept)
		}
	}
}

func (m *machine) wordKept() bool {
	m.Helper()
	st, err := m.sys.look(lastWord)
	m.must(err)
	return st.Kind == PathFile
}

// A rollback that a laptop hears of is not told again.
func TestAgent_HeardWord(t *testing.T) {
	m := newMachine(t)
	c, laptop, ended := m.dial()
	m.applied(c)
	m.must(c.Rollback("no"))
	m.back(c.RolledBack(), "no")
	m.must(errors.Join(laptop.Close(), <-ended, m.lastWorker()))
	if m.wordKept() {
		t.Error("the word is still there")
	}
}

// A laptop that comes while everything is being put back sees it to its end.
func TestAgent_AttachWhileUndoing(t *testing.T) {
	m := newMachine(t)
	bin := strings.Split(m.sys.path, ":")[0]
	c, _, ended := m.dial()
	m.applied(c)
	// The reversal of the packages waits for this file.
	m.must(os.Remove(bin + "/dpkg"))
	m.must(os.WriteFile(bin+"/dpkg", []byte("#!/bin/sh\nuntil test -e "+bin+"/go; do sleep 0.01; done\n"), 0o755))
	m.must(c.Rollback("no"))
	for undoing := false; !undoing; {
		told, err := c.next()
		m.must(err)
		_, undoing = told.(UndoEvent)
	}
	m.must(errors.Join(c.Detach(), <-ended))
	c, laptop, ended := m.start()
	hello, err := c.Hello()
	m.must(err)
	if hello.Running == nil || hello.Running.State != RunUndoing {
		t.Errorf("%+v", hello.Running)
	}
	_, err = c.Attach()
	m.must(err)
	_, err = c.Follow(Events{})
	m.must(err)
	m.must(os.WriteFile(bin+"/go", nil, 0o644))
	m.back(c.RolledBack(), "no")
	m.must(errors.Join(laptop.Close(), <-ended, m.lastWorker()))
}

// A rollback that comes after another's commit is told that it is too late.
func TestAgent_RollbackAfterCommit(t *testing.T) {
	m := newMachine(t)
	c, laptop, ended := m.dial()
	m.applied(c)
	m.must(c.Proven())
	m.must(c.wire.send(commitMessage{}))
	if err := c.RolledBack(); !errors.Is(err, ErrCommitted) {
		t.Errorf("too late: %v", err)
	}
	m.must(errors.Join(laptop.Close(), <-ended, m.lastWorker()))
}

// Nothing to attach to is a refusal.
func TestAgent_AttachToNothing(t *testing.T) {
	m := newMachine(t)
	c, laptop, ended := m.dial()
	_, err := c.Attach()
	if r, ok := errors.AsType[*Refusal](err); !ok || r.Kind != RefusedEnded {
		t.Errorf("%v", err)
	}
	m.must(errors.Join(laptop.Close(), <-ended))
}

// What a worker does not know, or does not expect now, is answered and passed over.
func TestWorker_Unsupported(t *testing.T) {
	m := newMachine(t)
	c, laptop, ended := m.dial()
	m.applied(c)
	for _, line := range []string{`{"type":"dance","steps":3}`, `{"type":"want"}`, `{"type":"hello"}`} {
		if _, err := io.WriteString(c.wire.out, line+"\n"); err != nil {
			t.Fatal(err)
		}
		m2, err := c.wire.receive()
		if u, ok := m2.(unsupportedMessage); err != nil || !ok || !strings.Contains(line, `"`+u.MessageType+`"`) {
			t.Errorf("%s is answered with %+v, %v", line, m2, err)
		}
	}
	m.must(c.Proven())
	_, err := c.Commit()
	m.must(errors.Join(err, laptop.Close(), <-ended, m.lastWorker()))
}
