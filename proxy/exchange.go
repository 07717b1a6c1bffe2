package proxy

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/upstream"
)

const (
	maxAgain  = 2 // further attempts after an empty, cut or malformed answer
	maxUnsure = 1 // further keys tried for a model that one key does not see
	maxPause  = 8 * time.Second
)

// How long a request may go on: it waits for a resting key no longer than QUEUE_TIMEOUT from its beginning; from then on it
// still moves on from keys that Google turns down, as many times as there are keys, so that with QUEUE_TIMEOUT=0 each of them
// gets its chance; and it begins no further attempt once QUEUE_TIMEOUT and REQUEST_TIMEOUT together have passed.

// exchange is one conversation step on its way to Gemini and back. run does all of it in one goroutine, and hands out events:
// those of the answer that counts, not of attempts before it.
type exchange struct {
	s      *Server
	ctx    context.Context // ends when the client is gone, or with the server
	cancel context.CancelCauseFunc
	codec  front.Codec
	call   *front.Call
	req    *upstream.Request
	access *access
	client *conn // nil where it cannot be watched

	again int // how many more empty answers are tried again
	tried tried

	shaped    []gemini.Event // what became of the event read last
	held      []gemini.Event // of the running attempt, until commitContent
	committed bool
	out       chan gemini.Event // where events of a stream go; nil for an answer in one piece, which stays in held
	failure   *front.Error      // why run ended, nil for a whole answer
}

// tried counts what an exchange has been through.
type tried struct {
	faults   int // of the service
	again    int // empty answers
	moved    int // keys that were turned down
	unsure   int // keys that do not see the model
	harmless int // refusals that left the key as it was
	repaired bool
	keys     []string // ids of those that it failed with
}

// run makes attempts until one gives a whole answer or there is nothing left to try.
func (x *exchange) run() {
	for {
		lease, err := x.s.pool.Acquire(x.ctx, x.want(), x.until())
		if err != nil {
			x.failure = x.noKey(err)
			return
		}
		failed := x.attempt(lease)
		if failed == nil {
			return
		}
		x.access.kind = failed.Kind.String()
		x.tried.keys = append(x.tried.keys, lease.KeyID())
		if x.committed || !x.mayGoOn(failed) || !x.pause(failed) {
			x.failure = x.tell(failed)
			return
		}
	}
}

// want is the key that the next attempt asks for.
func (x *exchange) want() keys.Want {
	return keys.Want{Model: x.call.Target, Conversation: x.call.Conversation, Avoid: x.tried.keys}
}

// until is when the request stops waiting for resting keys.
func (x *exchange) until() time.Time { return x.access.began.Add(x.s.cfg.QueueTimeout) }

// limit is when the request begins no further attempt.
func (x *exchange) limit() time.Time { return x.until().Add(x.s.cfg.RequestTimeout) }

// attempt makes one call with a key, and a second one with the same key after a repair.
func (x *exchange) attempt(lease *keys.Lease) (failed *upstream.Error) {
	outcome := keys.None()
	defer func() { lease.Done(outcome) }()
	x.access.key = lease.KeyID()
	failed = x.relay(lease)
	if failed != nil && failed.Kind.Action() == upstream.Repair && !x.committed && !x.tried.repaired {
		x.tried.repaired = true
		front.Repair(x.call)
		x.req = upstream.Encode(x.call.Target, x.call.Request)
		failed = x.relay(lease)
	}
	if failed == nil {
		outcome = keys.OK(x.call.Target)
	} else {
		outcome = failed.Outcome(x.call.Target)
	}
	return failed
}

// relay makes one call and passes its events on.
func (x *exchange) relay(lease *keys.Lease) *upstream.Error {
	x.access.tries++
	x.held = x.held[:0]
	stream, err := x.s.upstream.Open(x.ctx, lease, x.req)
	if err != nil {
		return asUpstream(err)
	}
	defer func() { _ = stream.Close() }() // whatever it says, the answer is over
	shaper := front.NewShaper(x.call)
	for done := false; !done; {
		ev, err := stream.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return asUpstream(err)
		}
		x.shaped, done = shaper.Shape(x.shaped[:0], ev)
		if done {
			x.shaped = append(x.shaped, stream.LastUsage()...)
		}
		for _, ev := range x.shaped {
			if lost := x.pass(ev); lost != nil {
				return lost
			}
		}
	}
	x.commitContent()
	return x.lost()
}

// pass takes one event of the running attempt.
func (x *exchange) pass(ev gemini.Event) *upstream.Error {
	switch ev.Kind {
	case gemini.EventCall:
		x.remember(&ev)
	case gemini.EventUsage:
		x.access.usage = ev.Usage
	}
	if x.access.ttft == 0 && x.meaningful(&ev) {
		x.access.ttft = time.Since(x.access.began)
	}
	if x.committed {
		x.send(ev)
		return x.lost()
	}
	x.held = append(x.held, ev)
	if x.out != nil && x.meaningful(&ev) {
		x.commitContent()
	}
	return x.lost()
}

// meaningful reports whether an event is content that the client gets to see.
func (x *exchange) meaningful(ev *gemini.Event) bool {
	switch ev.Kind {
	case gemini.EventText:
		return !ev.Text.Blank()
	case gemini.EventThought:
		return x.call.ShowThoughts && !ev.Text.Empty()
	case gemini.EventCall, gemini.EventImage:
		return true
	default:
		return false
	}
}

// commitContent is the second point of no return: what was held goes to the client, and from here on nothing is tried
// again. A stream passes it with its first content, an answer in one piece with its end.
func (x *exchange) commitContent() {
	if x.committed {
		return
	}
	x.committed = true
	if x.out == nil {
		return
	}
	for _, ev := range x.held {
		x.send(ev)
	}
	x.held = nil
}

// send hands an event to the writer, unless nobody waits for it any more.
func (x *exchange) send(ev gemini.Event) {
	select {
	case x.out <- ev:
	case <-x.ctx.Done():
	}
}

// lost is the failure of an exchange that was called off.
func (x *exchange) lost() *upstream.Error {
	if x.ctx.Err() == nil {
		return nil
	}
	return &upstream.Error{Kind: upstream.Cancelled, Message: context.Cause(x.ctx).Error()}
}

// remember gives a call the id that the client will know it by, and keeps what must come back with it.
func (x *exchange) remember(ev *gemini.Event) {
	ev.Call.ClientID = x.codec.ToolIDPrefix() + randomID()
	err := x.s.deps.Signatures.Put(front.Record{
		ClientID: ev.Call.ClientID, Name: ev.Call.Name, UpstreamID: ev.Call.ID, Signature: ev.Signature, Model: x.call.Target,
	})
	if err != nil {
		x.s.log.Warn("cannot keep a thought signature", "id", x.access.id, "error", err.Error())
	}
}

// mayGoOn decides whether a failed attempt is followed by another, and counts it.
func (x *exchange) mayGoOn(failed *upstream.Error) bool {
	t := &x.tried
	switch failed.Kind.Action() {
	case upstream.Backoff:
		t.faults++
		return t.faults <= x.s.cfg.MaxRetries
	case upstream.Again:
		t.again++
		return t.again <= x.again
	case upstream.NextKey:
		switch failed.Kind {
		case upstream.NoModel:
			t.unsure++
			return t.unsure <= maxUnsure
		case upstream.SizeQuota:
			t.harmless++
			return t.harmless < len(x.s.cfg.Keys)
		}
		t.moved++ // the key is out of the way, but may be back before the others have been asked
		return t.moved <= len(x.s.cfg.Keys) || time.Now().Before(x.until())
	}
	return false
}

// pause waits before the next attempt after a fault of the service, and reports whether there is time for that attempt.
func (x *exchange) pause(failed *upstream.Error) bool {
	var d time.Duration
	if failed.Kind.Action() == upstream.Backoff {
		d = pauseBefore(x.s.pace.backoff, x.tried.faults)
	}
	if time.Now().Add(d).After(x.limit()) {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-x.ctx.Done(): // Acquire says why
	}
	return true
}

// pauseBefore is the pause before the n-th retry: longer each time up to maxPause, and not the same for all clients.
func pauseBefore(first time.Duration, n int) time.Duration {
	d := first
	for i := 1; i < n && d < maxPause; i++ {
		d *= 2
	}
	return min(d/2+rand.N(d), maxPause)
}

func asUpstream(err error) *upstream.Error {
	var e *upstream.Error
	if !errors.As(err, &e) {
		return &upstream.Error{Kind: upstream.Unknown, Message: err.Error()}
	}
	return e
}
