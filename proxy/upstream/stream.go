package upstream

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// Stream is a running answer. One goroutine reads it. Of an answer in several segments, or one that was resumed, it shows
// one whole.
type Stream struct {
	// Waiting, unless it is nil, is called by Next right before it waits for Gemini.
	Waiting func()

	client  *Client
	ctx     context.Context
	lease   *keys.Lease
	request *Request

	segment *segment
	decoder gemini.Decoder
	pending []gemini.Event
	next    int // of pending
	tally   gemini.Tally
	resume  resume
	refused *Error // why an answer that ended for want of its next piece got none
	over    bool   // nothing more is read
	err     error  // sticks
	begun   bool   // something of the answer was shown
}

// Next returns the next event. io.EOF is the end of a whole, usable answer; every other error is an *Error, among them the
// kinds Cut and Unusable for answers that ended without being either. The error sticks.
func (s *Stream) Next() (gemini.Event, error) {
	for s.err == nil {
		if s.next == len(s.pending) {
			s.fill()
			continue
		}
		ev := s.pending[s.next]
		s.pending[s.next] = gemini.Event{}
		s.next++
		if s.accept(&ev) {
			s.begun = s.begun || ev.Content()
			s.tally.Note(&ev)
			return ev, nil
		}
	}
	return gemini.Event{}, s.err
}

// LastUsage is what the frame read last says of usage and Next has not returned yet. It does not wait.
func (s *Stream) LastUsage() (usage []gemini.Event) {
	for _, ev := range s.pending[s.next:] {
		if ev.Kind == gemini.EventUsage {
			ev.Usage = s.resume.usage(ev.Usage)
			usage = append(usage, ev)
		}
	}
	return usage
}

// Refused is why the answer did not go on where it should have, nil if it did. It is about the key as any failure is; the
// answer may be whole all the same.
func (s *Stream) Refused() *Error { return s.refused }

// fill reads one frame.
func (s *Stream) fill() {
	if s.over {
		s.err = s.verdict()
		return
	}
	ready := s.segment.reader.Ready()
	if !ready {
		s.waits()
	}
	payload, err := s.segment.next(ready)
	if err != nil {
		s.ended(err)
		return
	}
	s.pending, s.next = s.pending[:0], 0
	s.pending, err = s.decoder.Chunk(payload, s.pending)
	var apiErr *gemini.APIError
	switch {
	case err != nil && s.hasEnded():
		s.err = s.verdict()
	case errors.As(err, &apiErr):
		failed := classify(apiErr, s.request.tokens, time.Now())
		s.client.note(s.lease, failed)
		s.err = failed.without(s.lease)
	case err != nil:
		s.err = (&Error{Kind: Garbled, Message: err.Error()}).without(s.lease)
	}
}

func (s *Stream) waits() {
	if s.Waiting != nil {
		s.Waiting()
	}
}

// hasEnded reports whether Google's last word was read. Whatever comes after it does not matter any more.
func (s *Stream) hasEnded() bool { return s.tally.Finish().Class() != gemini.FinishIncomplete }

// ended takes the end of a segment's body.
func (s *Stream) ended(err error) {
	failed := s.brokenOff()
	if !errors.Is(err, io.EOF) {
		failed = s.segment.failure(err, s.lease)
	}
	if s.hasEnded() && failed.Kind != Cancelled {
		s.err = s.verdict()
		return
	}
	s.reconnect(failed)
}

// brokenOff is the failure of an answer that ended too early, or before it began.
func (s *Stream) brokenOff() *Error {
	if s.begun {
		return cutOff()
	}
	return &Error{Kind: Cut, Message: "gemini's answer was empty"}
}

func cutOff() *Error { return &Error{Kind: Cut, Message: "gemini's answer ended in its middle"} }

// verdict is io.EOF for an answer that is one.
func (s *Stream) verdict() error {
	finish := string(s.tally.Finish())
	switch s.tally.Verdict() {
	case gemini.Cut:
		return s.brokenOff()
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
func (s *Stream) Close() error { return s.segment.close() }
