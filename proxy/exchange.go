package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/upstream"
)

const (
	maxHeld  = 256 << 20 // bytes of an answer that is held back
	maxBatch = 64        // events that are handed over together
)

// exchange is one conversation step on its way to Gemini and back. run does all of it, and hands out events: those of the answer
// that counts, not of attempts before it. Of a stream it is a coroutine of whoever takes the events (pulled): a goroutine of its own
// would have to be woken for each of them, and wake the other. What arrived together is handed over together.
type exchange struct {
	*followed
	s      *Server
	codec  front.Codec
	call   *front.Call
	first  *upstream.Request // as the client's request was sent first
	req    *upstream.Request // as it is sent now
	access *access

	tries    tries
	asked    string                 // the model that the client's name stands for
	serves   atomic.Pointer[string] // the model that the request is made for now
	unusable int                    // answers that were empty or malformed

	shaped    []gemini.Event  // what became of the event read last
	recorder  front.Recorder  // of the running attempt
	held      []gemini.Event  // of the running attempt, until commitContent
	heldSize  int             // bytes
	refused   *upstream.Error // why the running attempt got no further piece of its answer
	counted   bool            // Google told the usage of the running attempt
	guess     gemini.Estimate
	committed bool
	batch     []gemini.Event            // of a stream, what came together and was not handed over yet
	unsaid    bool                      // the first batch was handed over, and no pause told that it is to be sent
	yield     func([]gemini.Event) bool // takes the batches of a stream; nil for an answer in one piece, which stays in held
	pulled    *pulled                   // as it is pulled, nil likewise
	failure   *front.Error              // why run ended, nil for a whole answer
}

// run makes attempts until one gives a whole answer or there is nothing left to try.
func (x *exchange) run() {
	if x.failure = x.s.refusals.find(x.first); x.failure != nil {
		return
	}
	x.failure = x.tries.run(func(lease *keys.Lease) (*upstream.Error, bool) {
		failed := x.attempt(lease)
		return failed, x.committed
	})
	if x.failure != nil && x.failure.Kind == front.Invalid {
		x.s.refusals.put(x.first, x.failure)
	}
}

// attempt makes one call with a key, and further ones with the same key as long as the request can be mended.
func (x *exchange) attempt(lease *keys.Lease) (failed *upstream.Error) {
	outcome := keys.None()
	defer func() { lease.Done(outcome) }()
	failed = x.relay(lease)
	for failed != nil && !x.committed && x.repair(failed) {
		x.s.meters.attempt(failed)
		failed = x.relay(lease)
	}
	switch {
	case x.refused != nil:
		outcome = x.tries.outcome(x.refused)
	case failed != nil:
		outcome = x.tries.outcome(failed)
	default:
		outcome = keys.OK(x.call.Target).Used(x.access.usage.Prompt)
	}
	if failed == nil {
		x.call.Learn()
		return nil
	}
	if failed.Kind == upstream.Unusable && !x.committed { // what was committed gave its memory back
		if x.unusable++; x.unusable == maxAgain {
			front.Vary(x.call)
			x.encode()
		}
	}
	return failed
}

// encode makes what is sent of the call as it is now. Of what was sent before, only the first is kept until the request is over.
func (x *exchange) encode() {
	before := x.req
	x.req = x.s.upstream.Encode(x.call.Target, x.call.Request)
	switch {
	case x.first == nil:
		x.first = x.req
		x.access.giveBack = append(x.access.giveBack, x.release)
	case before != x.first:
		before.Release()
	}
}

func (x *exchange) release() {
	if x.first.Release(); x.req != x.first {
		x.req.Release()
	}
}

// repair mends the request, and reports whether there was something left to mend.
func (x *exchange) repair(failed *upstream.Error) bool {
	fault, ok := faultOf(failed.Kind)
	if !ok || !front.Repair(x.call, fault) {
		return false
	}
	x.encode()
	return true
}

// faultOf is what can be mended after a kind of refusal.
func faultOf(kind upstream.Kind) (front.Fault, bool) {
	switch kind {
	case upstream.Signature:
		return front.FaultSignature, true
	case upstream.Unsaid:
		return front.FaultUnsaid, true
	case upstream.Schema:
		return front.FaultSchema, true
	case upstream.States:
		return front.FaultStates, true
	case upstream.Output:
		return front.FaultOutput, true
	case upstream.Thinking:
		return front.FaultThinking, true
	case upstream.Safety:
		return front.FaultSafety, true
	}
	return 0, false
}

// relay makes one call and passes its events on.
func (x *exchange) relay(lease *keys.Lease) *upstream.Error {
	x.access.tries++
	x.held, x.heldSize, x.counted, x.guess = x.held[:0], 0, false, gemini.Estimate{}
	x.refused = nil
	stream, err := x.s.upstream.Open(x.ctx, lease, x.req)
	if err != nil {
		return asUpstream(err)
	}
	defer func() { _ = stream.Close() }() // whatever it says, the answer is over
	stream.Waiting = x.pause
	x.recorder = front.Recorder{Model: x.call.Target}
	failed := x.passOn(stream)
	x.refused = stream.Refused()
	if !x.counted && (failed == nil || x.committed) {
		x.estimate(failed == nil)
	}
	if failed != nil {
		if !x.committed {
			x.access.setAside()
		}
		return failed
	}
	x.commitContent()
	return x.lost()
}

// estimate stands in for the usage that Google did not tell. Of an answer that is whole the client hears of it.
func (x *exchange) estimate(whole bool) {
	x.access.usage, x.access.estimated = x.guess.Usage(x.req.Tokens()), true
	ev := gemini.Event{Kind: gemini.EventUsage, Usage: x.access.usage}
	switch {
	case !whole:
	case x.committed:
		x.send(&ev)
	default:
		x.held = append(x.held, ev)
	}
}

// passOn passes on what a stream says, up to its end or the one that the client asked for.
func (x *exchange) passOn(stream *upstream.Stream) *upstream.Error {
	shaper := front.NewShaper(x.call)
	for {
		ev, err := stream.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			if x.committed {
				x.passAll(shaper.Release(x.shaped[:0])) // the client has what stood before it
			}
			return asUpstream(err)
		}
		var done bool
		if x.shaped, done = shaper.Shape(x.shaped[:0], ev); done {
			x.shaped = append(x.shaped, stream.LastUsage()...)
		}
		if lost := x.passAll(x.shaped); lost != nil || done {
			return lost
		}
	}
}

func (x *exchange) passAll(events []gemini.Event) *upstream.Error {
	for i := range events {
		if failed := x.pass(&events[i]); failed != nil {
			return failed
		}
	}
	return x.lost()
}

// pass takes one event of the running attempt.
func (x *exchange) pass(ev *gemini.Event) *upstream.Error {
	switch ev.Kind {
	case gemini.EventCall:
		ev.Call.ClientID = x.codec.ToolIDPrefix() + randomID()
		x.call.Unstrict(ev.Call)
		x.remember(ev)
	case gemini.EventServerCall, gemini.EventServerResult, gemini.EventText:
		x.remember(ev)
	case gemini.EventUsage:
		x.access.usage, x.access.estimated, x.counted = ev.Usage, false, true
	}
	x.guess.Note(ev)
	if x.access.ttft == 0 && x.meaningful(ev) {
		x.access.ttft = time.Since(x.access.began)
	}
	if x.committed {
		x.send(ev)
		return nil
	}
	if x.heldSize += ev.Size(); x.heldSize > maxHeld {
		return &upstream.Error{Kind: upstream.Garbled, Message: fmt.Sprintf("the answer is larger than %d MB", maxHeld>>20)}
	}
	x.held = append(x.held, *ev)
	if x.yield != nil && x.meaningful(ev) {
		x.commitContent()
	}
	return nil
}

// meaningful reports whether an event is content that the client gets to see.
func (x *exchange) meaningful(ev *gemini.Event) bool {
	return ev.Content() || ev.Kind == gemini.EventThought && x.call.ShowThoughts && !ev.Text.Empty()
}

// commitContent is the second point of no return: what was held goes to the client, and from here on nothing is tried
// again. A stream passes it with its first content, an answer in one piece with its end.
func (x *exchange) commitContent() {
	if x.committed {
		return
	}
	x.committed = true
	x.call.Settle()
	if x.yield == nil {
		return
	}
	for i := range x.held {
		x.send(&x.held[i])
	}
	x.held = nil
	x.handOver()
	x.unsaid = true
}

// send hands an event to the writer, soon.
func (x *exchange) send(ev *gemini.Event) {
	x.batch = append(x.batch, *ev)
	if len(x.batch) >= maxBatch || ev.Size() >= flushSize {
		x.handOver()
	}
}

// handOver hands the writer what there is; one that wants no more is gone.
func (x *exchange) handOver() {
	x.unsaid = false
	if !x.yield(x.batch) {
		x.cancel(errOver)
	}
	clear(x.batch) // the chunks that they came in are not held until others take their places
	x.batch = x.batch[:0]
}

// pause tells the writer that Gemini is waited for next: what it has is to be sent.
func (x *exchange) pause() {
	if len(x.batch) > 0 || x.unsaid {
		x.handOver()
	}
}

// lost is the failure of an exchange that was called off.
func (x *exchange) lost() *upstream.Error {
	if x.ctx.Err() == nil {
		return nil
	}
	return &upstream.Error{Kind: upstream.Cancelled, Message: context.Cause(x.ctx).Error()}
}

// remember keeps what must come back with the answer's calls.
func (x *exchange) remember(ev *gemini.Event) {
	record, ok := x.recorder.Note(ev)
	if !ok {
		return
	}
	if err := x.s.deps.Store.Put(record); err != nil {
		x.s.log.Warn("cannot keep a thought signature", "id", x.access.id, "error", err.Error())
	}
}

func asUpstream(err error) *upstream.Error {
	var e *upstream.Error
	if !errors.As(err, &e) {
		return &upstream.Error{Kind: upstream.Unknown, Message: err.Error()}
	}
	return e
}
