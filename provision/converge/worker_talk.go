package converge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	orderTime = time.Minute      // for the front to say what to do
	meetTime  = 10 * time.Second // for one who connects to say why
	heardTime = 5 * time.Second  // for the laptop to have heard that everything was put back
)

// worker is one life of a worker.
type worker struct {
	agent   Agent
	sys     *system
	orders  chan order
	ordered atomic.Bool             // one is taken, ever
	callOff context.CancelCauseFunc // ends the plan at the next step's beginning
	hub     atomic.Pointer[hub]     // nil until a plan is carried out
	settled chan struct{}           // closed when it is known whether one is
}

// order is what the front asks for.
type order struct {
	want   Want
	laptop *laptop
}

func (a Agent) work(ctx context.Context, s *system, l net.Listener) error {
	// Who listens outlives the plan: to be called off ends it, and there is its end to tell.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	ctx, callOff := context.WithCancelCause(ctx)
	defer callOff(nil)
	w := &worker{agent: a, sys: s, orders: make(chan order, 1), callOff: callOff, settled: make(chan struct{})}
	var meeting sync.WaitGroup
	meeting.Go(func() { w.accept(life, l, &meeting) })
	err := w.obey(ctx)
	end()
	err = errors.Join(err, l.Close())
	meeting.Wait()
	return err
}

func (w *worker) accept(life context.Context, l net.Listener, meeting *sync.WaitGroup) {
	for {
		conn, err := l.Accept()
		if err != nil {
			if life.Err() == nil {
				w.callOff(fmt.Errorf("the worker's socket failed: %w", err))
			}
			return
		}
		meeting.Go(func() {
			hangUp := context.AfterFunc(life, func() { _ = conn.Close() }) // which wakes up its reader
			defer hangUp()
			w.meet(life, &laptop{conn: conn, wire: newWire(conn, conn)})
			_ = conn.Close() // perhaps a second time
		})
	}
}

// meet hears what one who connects wants, and stays with it to its end.
func (w *worker) meet(life context.Context, l *laptop) {
	if err := l.conn.SetDeadline(time.Now().Add(meetTime)); err != nil {
		return
	}
	m, err := l.wire.receive()
	if err != nil {
		return
	}
	var h *hub
	if _, ours := m.(wantMessage); !ours {
		h = w.begun(life)
	}
	switch m := m.(type) {
	case peekMessage:
		_ = l.wire.send(runningMessage{h.state()}) // who asked and left does not need the answer
	case attachMessage:
		l.by = m.By
		switch {
		case l.conn.SetDeadline(time.Time{}) != nil:
		case h.attach(l, 0):
			w.listen(h, l)
		default:
			l.hurry(letGoTime)
			_ = l.wire.send(PlanMessage{Steps: []StepInfo{}, Refused: errEnded()}) // as above
		}
	case provenMessage, expiredMessage:
		w.hearOfLogin(h, l, m)
	case wantMessage:
		w.take(life, l, m.want())
	}
}

// hearOfLogin is the word of a process on this server on whether a new login got in. It is answered when it was acted on.
func (w *worker) hearOfLogin(h *hub, l *laptop, m Message) {
	switch {
	case h == nil:
		return
	case m == provenMessage{}:
		if w.prove(h) != nil {
			return
		}
	case h.applied() && h.isProven():
	default:
		w.callOff(errNoLogin)
	}
	_ = l.wire.send(doneMessage{}) // who has left does not need the answer
}

// prove disarms the dead man's timer: a new login has got in since everything was applied.
func (w *worker) prove(h *hub) error {
	if !h.applied() {
		return errors.New("what a new login is to prove is not in place yet")
	}
	if err := w.sys.disarm(context.Background()); err != nil {
		return err
	}
	h.change(func() { h.proven = true })
	return nil
}

// begun is the hub of the plan that is carried out, or nil. Where a front has given its order it waits for what comes of it.
func (w *worker) begun(life context.Context) *hub {
	if w.ordered.Load() {
		select {
		case <-w.settled:
		case <-life.Done():
		}
	}
	return w.hub.Load()
}

func errEnded() *Refusal {
	return refuse(RefusedEnded, "deploy again to see", "the deploy that was under way has ended meanwhile")
}

// take hands the want over, and listens to its laptop once its plan is being carried out.
func (w *worker) take(life context.Context, l *laptop, want Want) {
	l.by = want.Client
	if l.conn.SetDeadline(time.Time{}) != nil || !w.ordered.CompareAndSwap(false, true) {
		return
	}
	w.orders <- order{want, l}
	if h := w.begun(life); h != nil {
		w.listen(h, l)
	}
}

// listen hears the laptop until it leaves. Its end is a detach.
func (w *worker) listen(h *hub, l *laptop) {
	defer h.detach(l)
	for {
		m, err := l.wire.receive()
		if err != nil {
			return
		}
		if !w.word(h, l, m) && l.wire.send(unsupportedMessage{m.messageType()}) != nil {
			return
		}
	}
}

// word acts on a laptop's word, unless it is not one for now.
func (w *worker) word(h *hub, l *laptop, m Message) (known bool) {
	switch m := m.(type) {
	case commitMessage:
		return h.commit(l)
	case rollbackMessage:
		if h.listens(l) {
			w.callOff(calledOff{m.Reason})
		}
		return true
	case provenMessage:
		return h.listens(l) && w.prove(h) == nil
	case heardMessage:
		h.hear(l)
		return true
	case aliveMessage:
		h.alive(l)
		return true
	case unsupportedMessage: // the laptop is older than a message of ours
		return true
	}
	return false
}

// obey takes one order and carries it out.
func (w *worker) obey(ctx context.Context) error {
	var o order
	select {
	case o = <-w.orders:
	case <-time.After(orderTime):
		return nil
	case <-ctx.Done():
		return nil
	}
	unlock, err := takeLock(w.sys, time.Now(), o.want.purpose("deploy of"))
	if err != nil {
		close(w.settled)
		return o.refuse(err)
	}
	e := &engine{agent: w.agent, sys: w.sys}
	plan, agreed, err := w.agree(ctx, e, o)
	if !agreed {
		close(w.settled)
		return errors.Join(err, unlock())
	}
	journal, err := begin(w.sys)
	if err != nil {
		close(w.settled)
		return errors.Join(o.refuse(errors.Join(err, leave(w.sys, o.want))), unlock())
	}
	h := newHub(plan, o.want, time.Now(), w.agent.commitTime())
	h.attach(o.laptop, 1) // it has the plan
	w.hub.Store(h)
	close(w.settled)
	e.tell = h.tell
	end := e.run(ctx, journal, plan, o.want, func(ctx context.Context) error { return w.awaitCommit(ctx, h) })
	// The lock is free before the end is told, so that who hears of it can go on at once.
	return errors.Join(unlock(), w.part(h, o.want, end))
}

func (o order) refuse(err error) error {
	return o.laptop.wire.send(PlanMessage{Steps: []StepInfo{}, Refused: asRefusal(RefusedServer, err)})
}

// agree plans again under the lock, and reports whether the front says that the plan is the one that was shown.
func (w *worker) agree(ctx context.Context, e *engine, o order) (plan Plan, agreed bool, err error) {
	plan, err = e.plan(ctx, o.want, e.agent.compare)
	if err != nil {
		return Plan{}, false, o.refuse(errors.Join(err, leave(w.sys, o.want)))
	}
	l := o.laptop
	if err := l.wire.send(PlanMessage{Steps: plan.Steps(), Notes: plan.notes}); err != nil {
		return Plan{}, false, err
	}
	if err := l.conn.SetReadDeadline(time.Now().Add(orderTime)); err != nil {
		return Plan{}, false, err
	}
	m, err := l.wire.receive()
	if err != nil || m != (applyMessage{}) {
		return Plan{}, false, nil // the front is gone, or tells the laptop why not
	}
	err = l.conn.SetReadDeadline(time.Time{})
	return plan, err == nil, err
}

func (w *worker) awaitCommit(ctx context.Context, h *hub) error {
	limit := w.agent.commitTime()
	waiting, stop := context.WithTimeoutCause(ctx, limit, calledOff{fmt.Sprintf("no laptop committed within %s", limit)})
	defer stop()
	return h.await(waiting, func() bool { return h.committed })
}

// part tells how it ended. A rollback that no laptop has heard of is left to the next one.
func (w *worker) part(h *hub, want Want, end Message) error {
	back, undone := end.(RolledBack)
	if !undone {
		h.end(end)
		return nil
	}
	err := leaveWord(w.sys, want, back, time.Now())
	h.end(end)
	if h.wasHeard() {
		err = errors.Join(err, forgetWord(w.sys))
	}
	if len(back.FailedUndo) > 0 {
		err = errors.Join(err, &RolledBackError{back})
	}
	return err
}
