package upstream

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// Stream is a running answer. One goroutine reads it.
type Stream struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	watch  *time.Timer
	idle   time.Duration
	lease  *keys.Lease
	body   io.ReadCloser
	reader *gemini.Reader

	tokens  int // of the prompt, estimated
	decoder gemini.Decoder
	pending []gemini.Event
	next    int // of pending
	tally   gemini.Tally
	err     error // sticks
}

// idleWatch is the timer that ends a silent answer; it is not running yet.
func idleWatch(cancel context.CancelCauseFunc) *time.Timer {
	t := time.AfterFunc(time.Hour, func() { cancel(errSilent) })
	t.Stop()
	return t
}

// Next returns the next event. io.EOF is the end of a whole, usable answer; every other error is an *Error, among them the
// kinds Cut and Unusable for answers that ended without being either. The error sticks.
func (s *Stream) Next() (gemini.Event, error) {
	for s.err == nil {
		if s.next < len(s.pending) {
			ev := s.pending[s.next]
			s.pending[s.next] = gemini.Event{}
			s.next++
			s.tally.Note(&ev)
			return ev, nil
		}
		s.fill()
	}
	return gemini.Event{}, s.err
}

// LastUsage is what the frame read last says of usage and Next has not returned yet. It does not wait.
func (s *Stream) LastUsage() (usage []gemini.Event) {
	for _, ev := range s.pending[s.next:] {
		if ev.Kind == gemini.EventUsage {
			usage = append(usage, ev)
		}
	}
	return usage
}

// fill reads one frame.
func (s *Stream) fill() {
	if !s.reader.Ready() {
		s.watch.Reset(s.idle)
		defer s.watch.Stop()
	}
	payload, err := s.reader.Next()
	if err != nil {
		s.err = s.ended(err)
		return
	}
	s.pending, s.next = s.pending[:0], 0
	s.pending, err = s.decoder.Chunk(payload, s.pending)
	var apiErr *gemini.APIError
	switch {
	case errors.As(err, &apiErr):
		s.err = classify(apiErr, s.tokens, time.Now()).without(s.lease)
	case err != nil:
		s.err = (&Error{Kind: Garbled, Message: err.Error()}).without(s.lease)
	}
}

// ended names the end of the body.
func (s *Stream) ended(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return s.verdict()
	case errors.Is(err, gemini.ErrFrameTooLarge):
		return &Error{Kind: Garbled, Message: err.Error()}
	}
	e := network(s.ctx, err, s.lease)
	if e.Kind != Unreachable {
		return e
	}
	if s.tally.Finish().Class() != gemini.FinishIncomplete {
		return s.verdict() // the connection broke after the last word
	}
	e.Kind = Cut
	return e
}

// verdict is io.EOF for an answer that is one.
func (s *Stream) verdict() error {
	finish := string(s.tally.Finish())
	switch s.tally.Verdict() {
	case gemini.Cut:
		return &Error{Kind: Cut, Message: "gemini's answer ended in its middle"}
	case gemini.Empty:
		return &Error{Kind: Unusable, Message: "gemini's answer was empty (" + finish + ")"}
	case gemini.Malformed:
		return &Error{Kind: Unusable, Message: "gemini's answer was malformed (" + finish + ")"}
	case gemini.Unsigned:
		return &Error{Kind: Signature, Message: finish}
	}
	return io.EOF
}

// Close ends the answer, which reaches Google at once when it was still running.
func (s *Stream) Close() error {
	s.watch.Stop()
	s.cancel(context.Canceled)
	return s.body.Close()
}
