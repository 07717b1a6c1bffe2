package upstream

import (
	"slices"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// A long answer of Gemini 4 comes in segments: the end of one is CONTINUATION with a token, and the same request with that
// token gets the next one (Gemini API docs, long decode). A token in the middle of a segment is a checkpoint: when the
// connection drops, the same request with it gets what follows the checkpoint.
//
// What came after a checkpoint was passed on at once, since the next checkpoint may be far away. So it is remembered, and
// left out where the resumed segment brings it again. If that segment says something else, the two do not fit together, and
// the answer counts as cut.

const (
	maxReconnects = 3       // with the same token
	maxSegments   = 256     // of one answer; Gemini's own limits allow 32
	maxRemembered = 1 << 20 // bytes since a checkpoint; beyond them an answer that drops is cut
)

// resume is how far an answer in segments has come.
type resume struct {
	token      string        // "" when there is none, or none that can be used any more
	end        *gemini.Event // the end of a segment after which nothing has come yet
	passed     transcript    // since the token
	expected   transcript    // what the resumed segment must bring again
	segments   int           // that went on behind another one
	reconnects int           // with the same token
	before     gemini.Usage  // of what came before this segment
	now        gemini.Usage  // of this segment so far
	saved      gemini.Usage  // of this segment, at the token
}

// accept prepares an event for the reader and reports whether it is for him.
func (s *Stream) accept(ev *gemini.Event) bool {
	r := &s.resume
	switch ev.Kind {
	case gemini.EventUsage:
		r.now = ev.Usage
		ev.Usage = r.usage(ev.Usage)
		return true
	case gemini.EventGrounding:
		return true
	case gemini.EventCheckpoint:
		r.checkpoint(ev.Continuation)
		return false
	case gemini.EventFinish:
		return s.finish(ev)
	}
	pass, fits := r.content(ev)
	if !fits {
		s.err = notTheSame()
	}
	return pass && fits
}

func notTheSame() *Error {
	return &Error{Kind: Cut, Message: "gemini's answer broke off and could not be resumed"}
}

// finish takes the end of a segment and reports whether it is the end of the answer.
func (s *Stream) finish(ev *gemini.Event) bool {
	r := &s.resume
	switch {
	case len(r.expected) > 0:
		s.err = notTheSame()
		return false
	case s.over || ev.Finish.Class() != gemini.FinishContinue || ev.Continuation == "" || r.segments == maxSegments:
		r.token = ""
		return true
	}
	end := *ev
	r.checkpoint(ev.Continuation)
	r.end = &end
	r.segments++
	if failed := s.goOn(); failed != nil {
		s.reconnect(failed)
	}
	return false
}

// reconnect resumes an answer whose connection failed, or ends it: in its middle as cut, between two segments as one that
// reached its limit.
func (s *Stream) reconnect(failed *Error) {
	r := &s.resume
	reason := failed
	for r.token != "" && dropped(reason.Kind) && r.reconnects < maxReconnects {
		r.reconnects++
		if reason = s.goOn(); reason == nil {
			return
		}
	}
	if s.refused = reason; r.end == nil || reason.Kind == Cancelled {
		s.err = failed
		return
	}
	r.token, s.over = "", true
	s.pending, s.next = append(s.pending[:0], *r.end), 0
}

// dropped says of a failure that the connection is at fault and not the request.
func dropped(k Kind) bool { return k == Cut || k == Silent || k == Unreachable || k == NoFirstByte }

// goOn opens the segment that follows the token.
func (s *Stream) goOn() *Error {
	r := &s.resume
	s.waits()
	next, failed := s.client.open(s.ctx, s.lease, s.request, content{bytes: s.request.after(r.token)})
	if failed != nil {
		return failed
	}
	_ = s.segment.close() // whatever it says, the segment is over
	s.segment = next
	r.expected = r.passed.clone()
	r.before = r.usage(r.saved)
	r.now, r.saved = gemini.Usage{}, gemini.Usage{}
	return nil
}

// after is the body of the request that goes on behind a token.
func (r *Request) after(token string) []byte {
	body := append(slices.Clone(r.body[:len(r.body)-1]), `,"continuationToken":`...)
	return append(gemini.AppendQuoted(body, token), '}')
}

// usage is that of the whole answer: the prompt is what the first segment was asked, the later ones count the answer so far
// as well.
func (r *resume) usage(u gemini.Usage) gemini.Usage {
	b := r.before
	if b == (gemini.Usage{}) {
		return u
	}
	sum := gemini.Usage{
		Prompt: b.Prompt, Cached: b.Cached,
		Candidates: b.Candidates + u.Candidates, Thoughts: b.Thoughts + u.Thoughts, ToolUse: b.ToolUse + u.ToolUse,
	}
	sum.Total = sum.Prompt + sum.Candidates + sum.Thoughts + sum.ToolUse
	return sum
}

// checkpoint takes a token: all that came so far will not come again.
func (r *resume) checkpoint(token string) {
	if token != r.token {
		r.reconnects = 0
	}
	r.token, r.saved = token, r.now
	r.passed = r.expected.clone()
}

// content takes something of the answer and reports whether the reader is to get it. fits is false when a resumed segment says
// something else than what the reader has got already.
func (r *resume) content(ev *gemini.Event) (pass, fits bool) {
	if len(r.expected) > 0 {
		again, fits := r.expected.repeats(ev)
		if again || !fits {
			return false, fits
		}
	}
	r.end = nil
	if r.token == "" {
		return true, true
	}
	if r.passed = r.passed.with(ev); r.passed.size() > maxRemembered {
		r.token, r.passed = "", nil
	}
	return true, true
}
