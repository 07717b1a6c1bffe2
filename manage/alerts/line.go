package alerts

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	maxLine   = 50              // notices that wait for a channel
	firstWait = 2 * time.Minute // after a failure; it doubles
	longWait  = time.Hour
)

// SendTime is how long a channel may take for a message.
const SendTime = 30 * time.Second

// Line is what waits for a channel, and how that fares.
type Line struct {
	Channel string    `json:"channel"`
	Missing string    `json:"missing,omitempty"` // the setting that it lacks, without which it is not tried
	Queue   []Notice  `json:"queue,omitempty"`   // not sent yet, oldest first
	Dropped int       `json:"dropped,omitempty"` // that were too many to wait
	Tries   int       `json:"tries,omitempty"`   // failed ones in a row
	Problem string    `json:"problem,omitempty"` // of the last try
	Since   time.Time `json:"since,omitzero"`    // of the first of them
	Next    time.Time `json:"next,omitzero"`     // the next try
	Sent    time.Time `json:"sent,omitzero"`     // the last message that went out
}

// Enqueue puts notices into the line of each channel. A channel that is new is told of all that fires, one that is no more
// loses its line.
func (s *State) Enqueue(channels []Channel, changed []Notice) {
	known := s.Lines
	s.Lines = nil
	for _, c := range channels {
		i := slices.IndexFunc(known, func(l Line) bool { return l.Channel == c.Name() })
		line, news := Line{Channel: c.Name(), Missing: Missing(c)}, changed
		if i >= 0 {
			line = known[i].lacking(Missing(c))
		} else {
			news = s.standingNow()
		}
		line.Queue = append(line.Queue, news...)
		if over := len(line.Queue) - maxLine; over > 0 {
			line.Queue, line.Dropped = line.Queue[over:], line.Dropped+over
		}
		s.Lines = append(s.Lines, line)
	}
}

// lacking is the line of a channel whose settings are others now. What a try said of it while it lacked one says no more.
func (l Line) lacking(setting string) Line {
	if l.Missing != setting {
		l = Line{Channel: l.Channel, Missing: setting, Queue: l.Queue, Dropped: l.Dropped, Sent: l.Sent}
	}
	return l
}

// standingNow are the notices of what fires.
func (s *State) standingNow() []Notice {
	var all []Notice
	for _, r := range s.Firing() {
		all = append(all, Notice{Rule: r.Rule, Firing: true, Since: r.Since, Time: r.Since, What: r.What, Cure: r.Cure})
	}
	return all
}

// Deliver sends to each channel what waits for it, as one message, unless the last try was too short ago. It ends with ctx.
func (s *State) Deliver(ctx context.Context, channels []Channel, server string, now time.Time) {
	var sending sync.WaitGroup
	for i := range s.Lines {
		line := &s.Lines[i]
		at := slices.IndexFunc(channels, func(c Channel) bool { return c.Name() == line.Channel })
		if at < 0 || line.Missing != "" || len(line.Queue) == 0 || line.Next.After(now) && line.Next.Sub(now) <= longWait { // further off: the clock was set
			continue
		}
		sending.Go(func() { line.send(ctx, channels[at], server, now) })
	}
	sending.Wait()
}

func (l *Line) send(ctx context.Context, c Channel, server string, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, SendTime)
	defer cancel()
	err := c.Send(ctx, Message{Server: server, Time: now, Notices: l.Queue, Dropped: l.Dropped})
	if err == nil {
		*l = Line{Channel: l.Channel, Sent: now}
		return
	}
	if l.Tries == 0 {
		l.Since = now
	}
	l.Problem = oneLine(err.Error())
	l.Next = now.Add(min(firstWait<<min(l.Tries, 10), longWait))
	l.Tries++
}

// Try sends a test. The error holds no secret.
func Try(ctx context.Context, c Channel, server string, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, SendTime)
	defer cancel()
	if err := c.Send(ctx, Message{Server: server, Time: now, Test: true}); err != nil {
		return errors.New(oneLine(err.Error()))
	}
	return nil
}

// maxProblem bounds what a channel's server says of a failure, in bytes.
const maxProblem = 300

func oneLine(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if len(text) > maxProblem {
		text = strings.ToValidUTF8(text[:maxProblem], "") + "…"
	}
	return text
}
