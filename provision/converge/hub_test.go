package converge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
)

// attached is a laptop at the other end of a pipe.
type attached struct {
	*laptop
	far  net.Conn
	wire *wire
}

func newAttached(by string) *attached {
	near, far := net.Pipe()
	return &attached{&laptop{conn: near, wire: newWire(near, near), by: by}, far, newWire(far, far)}
}

func testHub() *hub {
	plan := Plan{steps: []Step{{id: "file:/a", title: "write /a"}, {id: "file:/b", title: "write /b"}}}
	return newHub(plan, Want{Version: "1", SHA256: "abc", Client: "203.0.113.9"}, testTime, time.Minute)
}

// all reads to the end of what the laptop is told.
func (a *attached) all(t *testing.T) (heard []Message) {
	t.Helper()
	for {
		m, err := a.wire.receive()
		if errors.Is(err, io.EOF) {
			return heard
		}
		if err != nil {
			t.Error(err)
			return heard
		}
		heard = append(heard, m)
		if m.messageType() == "done" || m.messageType() == "rolled_back" {
			return heard
		}
	}
}

// Whoever attaches, whenever, is told the same in the same order.
func TestHub_Replay(t *testing.T) {
	told := []Message{
		StepEvent{ID: "file:/a", State: StepStart}, ProgressEvent{ID: "file:/a", Text: "1"}, StepEvent{ID: "file:/a", State: StepDone, Seconds: 1},
		StepEvent{ID: "file:/b", State: StepStart}, StepEvent{ID: "file:/b", State: StepDone}, appliedMessage{Changed: 2}, doneMessage{},
	}
	want := append([]Message{PlanMessage{Steps: []StepInfo{{ID: "file:/a", Title: "write /a"}, {ID: "file:/b", Title: "write /b"}}}}, told...)
	for at := range told {
		synctest.Test(t, func(t *testing.T) {
			h := testHub()
			a := newAttached("203.0.113.9")
			for i, m := range told {
				if i == at {
					h.attach(a.laptop, 0)
				}
				if i < len(told)-1 {
					h.tell(m)
				} else {
					go h.end(m)
				}
			}
			if got := a.all(t); !reflect.DeepEqual(got, want) {
				t.Errorf("attached at %d, told %+v", at, got)
			}
		})
	}
}

// A laptop that reads nothing keeps nobody waiting, and is let go in time.
func TestHub_DeadLaptop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := testHub()
		begun := time.Now()
		dead := newAttached("203.0.113.9")
		h.attach(dead.laptop, 0)
		for i := range 5000 {
			h.tell(ProgressEvent{Text: fmt.Sprint(i)})
		}
		h.tell(StepEvent{ID: "file:/a", State: StepDone})
		if time.Since(begun) != 0 {
			t.Errorf("to tell it took %s", time.Since(begun))
		}
		if len(h.events) > maxProgress+10 {
			t.Errorf("%d events are kept", len(h.events))
		}
		if s := h.state(); !s.Attached || s.Done != 1 || s.Total != 2 || s.Step != "write /a" || s.By != "203.0.113.9" {
			t.Errorf("%+v", s)
		}
		if err := h.await(t.Context(), func() bool { return h.laptop == nil }); err != nil || time.Since(begun) != writeTime {
			t.Errorf("let go after %s, %v", time.Since(begun), err)
		}
		h.end(doneMessage{})
		if h.state() != nil {
			t.Errorf("it has ended, and yet %+v", h.state())
		}
	})
}

// A rollback is not kept from ending by a laptop that is dead, nor by one that never says that it heard.
func TestHub_EndsWithoutTheLaptop(t *testing.T) {
	f := func(reads bool, limit time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			h := testHub()
			a := newAttached("")
			h.attach(a.laptop, 0)
			if reads {
				go a.all(t)
			}
			begun := time.Now()
			h.end(RolledBack{Reason: "no"})
			if time.Since(begun) > limit || h.wasHeard() {
				t.Errorf("the end took %s", time.Since(begun))
			}
		})
	}
	f(true, heardTime)
	f(false, letGoTime)
}

// The laptop that attaches last is the one whose word counts; the former is told, even if it does not read for a while.
func TestHub_TakeOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := testHub()
		first, second := newAttached("203.0.113.9"), newAttached("203.0.113.10")
		h.attach(first.laptop, 0)
		h.tell(appliedMessage{Changed: 2})
		synctest.Wait() // the first one's plan is being written
		h.attach(second.laptop, 0)
		go func() {
			h.end(doneMessage{})
		}()
		heard := first.all(t)
		if last := heard[len(heard)-1]; last != (takenOverMessage{"203.0.113.10"}) {
			t.Errorf("the first was told last: %+v", last)
		}
		if got := second.all(t); len(got) != 3 {
			t.Errorf("the second was told %+v", got)
		}
		if h.commit(first.laptop) || h.listens(first.laptop) {
			t.Error("the first is still listened to")
		}
	})
}

// Only what is applied can be committed, and only by who listens.
func TestHub_Commit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := testHub()
		a := newAttached("")
		h.attach(a.laptop, 0)
		go a.all(t)
		if h.commit(a.laptop) {
			t.Error("committed before it was applied")
		}
		h.tell(appliedMessage{})
		if h.commit(newAttached("").laptop) || !h.commit(a.laptop) || !h.committed {
			t.Error("the word of the laptop that listens is not the one that counts")
		}
		h.end(doneMessage{})
	})
}

// No laptop comes back: after a quarter of an hour the word is to go back.
func TestWorker_CommitTime(t *testing.T) {
	f := func(agent Agent, want time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			err := (&worker{agent: agent}).awaitCommit(context.Background(), testHub())
			if off, ok := errors.AsType[calledOff](err); !ok || off.reason != "no laptop committed within "+want.String() || time.Since(begun) != want {
				t.Errorf("after %s: %v", time.Since(begun), err)
			}
		})
	}
	f(Agent{}, 15*time.Minute)
	f(Agent{CommitTime: time.Second}, time.Second)
}
